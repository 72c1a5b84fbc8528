"""Films: files that FFmpeg decodes, by PyAV.

Frames are numbered in the order in which they are shown. When each is shown stands in the file's
packets, which are listed without decoding them; a frame is then decoded from the keyframe before
it, and several in one pass that jumps from keyframe to keyframe. So numbers are exact whatever the
frame rate does. Where a file does not say when frames are shown, they are counted while all before
them is decoded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import ImageError, first_line
from phosphene.motion.video.cuts import GLANCE
from phosphene.motion.video.source import Frame, Pixels, scaled_size

SUFFIXES = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .m2v .wmv .asf .flv .ogv .ts .m2ts .mts .3gp "
    ".h264 .264 .hevc .265 .vob .mjpeg .y4m".split()
)
_SEARCHED = frozenset("mov matroska avi flv asf".split())
"""Formats that say of each frame when it is shown. In others FFmpeg guesses between those that
they do say it of, and differently after a jump: they are read from the beginning."""
_BACK = (0, 1, 4)
"""How many keyframes before the right one are tried, where a file cannot be searched exactly."""


@dataclass(frozen=True, eq=False)
class Listing:
    """What the packets of a film say.

    Attributes:
        count: How many frames there are to read.
        times: (count,) when each is shown, ascending, in the stream's unit; `None` where unknown.
        keys: When the keyframes are shown, ascending.
        searched: Whether times are the same after a jump.
        promised: How many frames the file says it has, at least.
        cut: Why the packets end before the film does; empty where they do not.
    """

    count: int
    times: NDArray[np.int64] | None
    keys: NDArray[np.int64]
    searched: bool
    promised: int
    cut: str


class Film:
    """A video file.

    Attributes:
        name: What to call it.
        trouble: What has turned out to be wrong with it; empty for nothing.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name, self.trouble = name, ""
        self._path = path
        self._missed: set[int] = set()

    def __len__(self) -> int:
        """Return how many frames there are to read."""
        return self._listing.count

    @cached_property
    def _listing(self) -> Listing:
        listing = _listed(self._path)
        if listing.cut or listing.count < listing.promised - 1:
            why = f" ({listing.cut})" if listing.cut else ""
            of = f" of {listing.promised}" if listing.promised > listing.count else ""
            self.trouble = f"it is cut short or damaged{why}: {listing.count}{of} frames are there"
        return listing

    def frames(self, numbers: Sequence[int], short_side: int | None = None) -> Iterator[Frame]:
        """Read frames; see `Video`."""
        for number, frame, stream in self._decoded(numbers):
            pixels, original = _upright(frame, stream.sample_aspect_ratio, short_side)
            timed = frame.pts is not None and stream.time_base is not None
            time = float(frame.pts * stream.time_base) if timed else None
            yield Frame(number, pixels, original, time)

    def glances(self, numbers: Sequence[int]) -> Iterator[Pixels]:
        """Read frames at a glance; see `Video`."""
        height, width = GLANCE
        for _, frame, _ in self._decoded(numbers):
            yield _rgb(frame, (height, width))

    def _decoded(self, numbers: Sequence[int]) -> Iterator[tuple[int, Any, Any]]:
        """Yield number, frame and stream of those frames that can be decoded."""
        listing = self._listing
        read = _by_counting if listing.times is None else _by_time
        found: set[int] = set()
        with _opened(self._path) as (container, stream):
            for number, frame in read(container, stream, numbers, listing):
                found.add(number)
                yield number, frame, stream
        self._missed |= set(numbers) - found
        if self._missed and not self.trouble:
            many = len(self._missed)
            which = f"frame {min(self._missed)}" if many == 1 else f"{many} frames"
            self.trouble = f"it is damaged: {which} cannot be decoded"


def _by_counting(
    container: Any, stream: Any, numbers: Sequence[int], listing: Listing
) -> Iterator[tuple[int, Any]]:
    wanted = set(numbers)
    for number, frame in enumerate(_stream_of(container, stream)):
        if number in wanted and not frame.is_corrupt:
            yield number, frame
        if number >= numbers[-1]:
            return


def _by_time(
    container: Any, stream: Any, numbers: Sequence[int], listing: Listing
) -> Iterator[tuple[int, Any]]:
    """Decode in one pass, and jump where a keyframe lies between what is decoded and wanted."""
    assert listing.times is not None
    frames: Iterator[Any] = iter(())
    at: int | None = None  # when the last frame decoded is shown
    ahead: Any = None
    for number in numbers:
        target = int(listing.times[number])
        before = int(np.searchsorted(listing.keys, target, "right")) - 1
        if at is None or (listing.searched and before >= 0 and listing.keys[before] > at):
            backs = [back for back in _BACK if listing.searched and before >= back]
            starts = [int(listing.keys[before - back]) for back in backs]
            for start in (*starts, None):
                frames = _from(container, stream, start)
                ahead = next(frames, None)
                # Formats without an index land where they can: then from farther before.
                if ahead is not None and ahead.pts <= target:
                    break
        while ahead is not None and ahead.pts < target:
            ahead = next(frames, None)
        if ahead is None:
            if not listing.searched:
                return
            at = None  # what lies behind the next keyframe may still be there
            continue
        at = ahead.pts
        if at == target and not ahead.is_corrupt:
            yield number, ahead


def _from(container: Any, stream: Any, key: int | None) -> Iterator[Any]:
    """Begin to decode at a keyframe, or at the beginning."""
    with suppress(*_failures()):  # what cannot be searched goes on from where it is
        if key is None:
            container.seek(0, backward=True)
        else:
            container.seek(key, stream=stream, backward=True)
    return (frame for frame in _stream_of(container, stream) if frame.pts is not None)


def _stream_of(container: Any, stream: Any) -> Iterator[Any]:
    """Decode on, and over what is damaged."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except _failures():
            packet = None
        if packet is None:
            return
        try:
            yield from packet.decode()
        except _failures():
            continue


def _listed(path: Path) -> Listing:
    times: list[int | None] = []
    keys: list[int] = []
    cut = ""
    with _opened(path) as (container, stream):
        promised = stream.frames or 0
        searched = not _SEARCHED.isdisjoint(container.format.name.split(","))
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except _failures() as error:
                cut = first_line(error, 80)
                break
            if packet is None:
                break
            if not packet.size or packet.is_discard:
                promised -= 1 if packet.size and promised else 0
                continue
            if packet.is_corrupt:
                cut = "some packets are not whole"
                continue
            times.append(packet.pts)
            if packet.is_keyframe and packet.pts is not None:
                keys.append(packet.pts)
        cut = cut or _ends_early(container, stream, times)
    if not times:
        raise ImageError(f"it holds no frames{f' ({cut})' if cut else ''}")
    known = [time for time in times if time is not None]
    exact = len(known) == len(times) and len(set(known)) == len(known)
    ordered = np.array(sorted(known), np.int64) if exact else None
    starts = np.array(sorted(keys), np.int64)
    return Listing(len(times), ordered, starts, searched, promised, cut)


def _ends_early(container: Any, stream: Any, times: Sequence[int | None]) -> str:
    """Say if a film that does not count its frames ends long before it says it does."""
    known = [time for time in times if time is not None]
    if stream.frames or not known or not container.duration or not stream.time_base:
        return ""
    says = container.duration / 1e6
    ends = float(max(known) * stream.time_base) - (container.start_time or 0) / 1e6
    if ends > 0.9 * says or says - ends < 0.5:
        return ""
    return f"it ends after {ends:.1f} of {says:.1f} seconds"


def _upright(frame: Any, ratio: Any, short_side: int | None) -> tuple[Pixels, tuple[int, int]]:
    """Return a frame as it is to be seen, scaled, and the (h, w) it had."""
    original = _square(int(frame.height), int(frame.width), float(ratio or 1))
    pixels = _rgb(frame, scaled_size(original, short_side))
    turn = round(getattr(frame, "rotation", 0) / 90) % 4
    if turn % 2:
        original = original[::-1]
    return (np.ascontiguousarray(np.rot90(pixels, turn)) if turn else pixels), original


def _square(height: int, width: int, aspect: float) -> tuple[int, int]:
    """Return the (h, w) with square pixels, of which none are made up."""
    if not 0.1 < aspect < 10 or abs(aspect - 1) < 0.005:
        return height, width
    return (height, round(width * aspect)) if aspect < 1 else (round(height / aspect), width)


def _rgb(frame: Any, size: tuple[int, int]) -> Pixels:
    height, width = size
    pixels: Pixels = frame.to_ndarray(
        format="rgb24", width=width, height=height, interpolation="AREA"
    )
    return pixels


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    try:
        import av
    except ImportError as error:
        raise ImageError(
            "reading films needs PyAV: `pip install phosphene[video]`, or save the frames as "
            "images in a folder first"
        ) from error
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            if not container.streams.video:
                raise ImageError("it holds no video")
            stream = container.streams.video[0]
            # Videos are shared among processes; threads within one would only add up.
            stream.thread_type = "NONE"
            yield container, stream
    except ImageError:
        raise
    except Exception as error:  # what a damaged file makes a decoder raise can be anything
        raise ImageError(f"it cannot be decoded ({_reason(error)})") from None


def _failures() -> tuple[type[Exception], ...]:
    import av

    return (av.error.FFmpegError, OSError, ValueError)


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    return getattr(error, "strerror", None) or first_line(error)
