"""Videos: every n-th frame.

A pass decodes from the beginning. A single frame is found by the time it is shown at: the times of
all frames stand in the file's packets, which are listed without decoding them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from typing import Any

from PIL import Image

from phosphene.errors import ImageError, first_line
from phosphene.survey.images.part import Entry, Part

SUFFIXES = frozenset(".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .wmv .flv .ogv .ts .3gp".split())
_UPRIGHT = {
    90: Image.Transpose.ROTATE_90,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_270,
}


@dataclass(frozen=True)
class Video(Part):
    """A video file.

    Attributes:
        name: What to call it.
        path: Where it is.
        every: Of how many frames one is taken, the first to begin with.
    """

    name: str
    path: str
    every: int = 1

    @property
    def count(self) -> None:
        """Unknown before all is decoded."""
        return None

    def name_of(self, index: int) -> str:
        """Say what to call a frame."""
        if index < 0:
            raise ImageError(f"{self.name} has no image {index}")
        return f"{self.name} frame {index * self.every}"

    def images(self, start: int = 0) -> Iterator[Entry]:
        """Go through its frames."""
        with _opened(self.path) as (container, stream):
            frames = islice(container.decode(stream), start * self.every, None, self.every)
            for index, frame in enumerate(frames, start):
                yield Entry(index, self.name_of(index), partial(_upright, frame))

    def read(self, index: int) -> Image.Image:
        """Read one of its frames."""
        name, number = self.name_of(index), index * self.every
        times = _times(self.path)
        with _opened(self.path) as (container, stream):
            if times is None:  # some formats do not say when a frame is shown
                frame = next(islice(container.decode(stream), number, None), None)
            elif number >= len(times):
                frame = None
            else:
                container.seek(times[number], stream=stream, backward=True)
                decoded = (f for f in container.decode(stream) if f.pts is not None)
                frame = next((f for f in decoded if f.pts >= times[number]), None)
            if frame is None:
                raise ImageError(f"{self.path} ends before {name}")
            return _upright(frame)


@lru_cache(maxsize=16)
def _times(path: str) -> tuple[int, ...] | None:
    """List when each frame is shown, in the stream's own unit; `None` where it does not say."""
    with _opened(path) as (container, stream):
        packets = [packet for packet in container.demux(stream) if packet.size]
        times = [packet.pts for packet in packets]
    return None if None in times else tuple(sorted(times))


def _upright(frame: Any) -> Image.Image:
    image: Image.Image = frame.to_image()
    turn = _UPRIGHT.get(round(getattr(frame, "rotation", 0)) % 360)
    return image.transpose(turn) if turn is not None else image


@contextmanager
def _opened(path: str) -> Iterator[tuple[Any, Any]]:
    try:
        import av
    except ImportError as error:
        raise ImageError(
            "reading videos needs PyAV: `pip install phosphene[survey]`, or save the frames as "
            "images first"
        ) from error
    try:
        with av.open(path, metadata_errors="replace") as container:
            if not container.streams.video:
                raise ImageError(f"{path} holds no video")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            yield container, stream
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise ImageError(f"{path} cannot be decoded ({first_line(error)})") from None
