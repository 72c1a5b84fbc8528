"""A part of an image set: images one after another that are read by one process, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from PIL.Image import Image

_SHIFT = 32


def key(part: int, index: int) -> int:
    """Return the number that an image is known by: its part above, its place in that below."""
    return part << _SHIFT | index


def place(key: int) -> tuple[int, int]:
    """Return the part of a key, and the place in it.

    >>> place(key(3, 7))
    (3, 7)
    """
    return key >> _SHIFT, key & (1 << _SHIFT) - 1


@dataclass(frozen=True)
class Entry:
    """An image that has not been read yet.

    Attributes:
        index: Its place in the part.
        name: What to call it.
        read: Reads it, in any thread: an 8-bit RGB image, or `ImageError`.
    """

    index: int
    name: str
    read: Callable[[], Image]


class Part:
    """Images one after another.

    A part can be pickled, and opens its files only when asked for an image.

    Attributes:
        name: What to call it.
    """

    name: str

    @property
    def count(self) -> int | None:
        """How many images it has; `None` where only a pass over it would tell."""
        raise NotImplementedError

    def name_of(self, index: int) -> str:
        """Say what to call one of its images.

        Raises:
            ImageError: It has no such image.
        """
        raise NotImplementedError

    def read(self, index: int) -> Image:
        """Read one of its images, whichever: 8-bit RGB.

        Raises:
            ImageError: It has no such image, or it cannot be read.
        """
        raise NotImplementedError

    def images(self, start: int = 0) -> Iterator[Entry]:
        """Go through its images in order.

        Args:
            start: The first to yield.

        Raises:
            ImageError: The part itself cannot be read on, whatever of it came before.
        """
        for index in range(start, self.count or 0):
            yield Entry(index, self.name_of(index), partial(self.read, index))
