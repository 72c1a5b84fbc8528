"""What a video is: a number of frames, any of which can be asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame of a video.

    Attributes:
        number: Which it is, from 0.
        pixels: (h, w, 3), 8-bit RGB, upright, as large as was asked for.
        original: (h, w) that it has in the video, upright.
        time: When it is shown, in seconds from the beginning of the video's clock; `None` where
            the video does not say.
        content: The JPEG whose pixels these are, where nothing was done to them; empty otherwise.
    """

    number: int
    pixels: Pixels
    original: tuple[int, int]
    time: float | None = None
    content: bytes = b""


class Video(Protocol):
    """A film, or a folder of frames."""

    @property
    def name(self) -> str:
        """What to call it."""

    @property
    def trouble(self) -> str:
        """What has turned out to be wrong with it; empty for nothing."""

    def __len__(self) -> int:
        """Return how many frames there are to read.

        Raises:
            ImageError: It cannot be read at all.
        """

    def frames(self, numbers: Sequence[int], short_side: int | None = None) -> Iterator[Frame]:
        """Read frames.

        Args:
            numbers: Which, ascending. What cannot be read is left out.
            short_side: Length that the shorter side is scaled down to; `None` for as it is.

        Raises:
            ImageError: It cannot be read any more.
        """

    def glances(self, numbers: Sequence[int]) -> Iterator[Pixels]:
        """Read frames at a glance, for scene cuts.

        Args:
            numbers: Which, ascending. What cannot be read is left out.

        Yields:
            (40, 64, 3), 8-bit RGB, not turned upright.
        """


def scaled_size(size: tuple[int, int], short_side: int | None) -> tuple[int, int]:
    """Return the (h, w) that a frame is scaled to.

    >>> scaled_size((1080, 1920), 240), scaled_size((200, 300), 240), scaled_size((721, 479), 240)
    ((240, 427), (200, 300), (361, 240))
    """
    shorter = min(size)
    if short_side is None or shorter <= short_side:
        return size
    height, width = (max(1, round(side * short_side / shorter)) for side in size)
    return height, width
