"""Pictures in a row as a movie: GIF, which everything shows, or H.264 or VP9, which stay small."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

from PIL import Image

from phosphene.errors import OutputError, first_line
from phosphene.image import replacing

_HOLD = 1500
"""Milliseconds that the last frame of a GIF stays before it begins again."""
_CODECS: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    ".mp4": ("libx264", {"crf": "16", "preset": "slow"}, {"movflags": "+faststart"}),
    ".webm": ("libvpx-vp9", {"crf": "24", "b": "0", "row-mt": "1", "cpu-used": "2"}, {}),
}
"""By suffix: codec, how it encodes (close to lossless to the eye), how the file is laid out."""
_SUFFIXES = (".gif", *_CODECS)


def save_movie(frames: Iterable[Image.Image], path: str | Path, fps: float = 12) -> Path:
    """Write pictures as a movie, whole or not at all.

    Args:
        frames: Pictures of one size, taken one by one: an iterator may make each when asked.
        path: `.gif` (loops, the last frame held 1.5 s), `.mp4` or `.webm` (need PyAV; a side of an
            odd number of pixels is repeated once, since these formats halve the color planes).
        fps: Frames a second, above 0 and at most 240. A GIF counts in 1/100 s and knows no frame
            shorter than two of them.

    Returns:
        The file.

    Raises:
        OutputError: The suffix is unknown, there are no frames or some of another size, PyAV is
            missing, or the file cannot be written there.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        known = ", ".join(_SUFFIXES)
        raise OutputError(f"{path} names no known kind of movie: end it in one of {known}")
    if not 0 < fps <= 240:
        raise OutputError(f"{fps} frames a second were asked for: give a number above 0, up to 240")
    if suffix != ".gif":
        _require_av(suffix)
    rest = _alike(frames)
    first = next(rest, None)
    if first is None:
        raise OutputError(f"{path} would hold no frame: give at least one picture")
    with replacing(path) as file:
        if suffix == ".gif":
            _write_gif(chain([first], rest), file, fps)
        else:
            _write_video(chain([first], rest), first.size, file.name, suffix, fps)
    return path


def _alike(frames: Iterable[Image.Image]) -> Iterator[Image.Image]:
    """Pass frames on as RGB as long as they have the size of the first."""
    size = None
    for number, frame in enumerate(frames, 1):
        size = size or frame.size
        if frame.size != size or not all(size):
            width, height = frame.size
            raise OutputError(
                f"frame {number} has {width} x {height} pixels, the first {size[0]} x {size[1]}: "
                "a movie needs frames of one size, of at least one pixel"
            )
        yield frame if frame.mode == "RGB" else frame.convert("RGB")


def _write_gif(frames: Iterator[Image.Image], file: Any, fps: float) -> None:
    # Each frame gets the 256 colors that suit it: shared ones would show bands where a picture
    # grows out of noise. Dithering would flicker, and what moves everywhere cannot be compressed.
    palettes = [
        frame.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE) for frame in frames
    ]
    ends = [max(round(100 * n / fps), 2 * n) for n in range(len(palettes) + 1)]
    durations = [10 * (b - a) for a, b in pairwise(ends)]
    durations[-1] = max(durations[-1], _HOLD)
    palettes[0].save(
        file, "GIF", save_all=True, append_images=palettes[1:], duration=durations, loop=0,
        optimize=False,
    )  # fmt: skip


def _require_av(suffix: str) -> None:
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise OutputError(
            f"writing {suffix} needs PyAV: `pip install phosphene[video]`, or end the name in .gif"
        ) from error


def _write_video(
    frames: Iterator[Image.Image], size: tuple[int, int], place: str, suffix: str, fps: float
) -> None:
    import av

    codec, options, layout = _CODECS[suffix]
    width, height = (side + side % 2 for side in size)
    try:
        # By name, not as an open file: to move its index to the front, FFmpeg reads it again.
        with av.open(place, "w", format=suffix[1:], options=layout) as container:
            # PyAV has a type for streams of each kind, and none for what this returns.
            stream: Any = container.add_stream(codec, Fraction(fps).limit_denominator(1001))
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.options = options
            # Otherwise players guess the matrix of colors from the size of the picture.
            stream.codec_context.colorspace = av.video.reformatter.Colorspace.ITU709
            stream.codec_context.color_range = av.video.reformatter.ColorRange.MPEG
            for frame in frames:
                container.mux(stream.encode(_planes(frame, width, height)))
            container.mux(stream.encode(None))
    except av.error.FFmpegError as error:
        raise OutputError(f"the movie cannot be written: {first_line(error)}") from error


def _planes(frame: Image.Image, width: int, height: int) -> Any:
    """Bring a frame to the even size and to planes of light and color."""
    from av import VideoFrame

    if frame.size != (width, height):
        padded = Image.new("RGB", (width, height))
        for at in ((1, 1), (1, 0), (0, 1), (0, 0)):  # the last row and column stand twice
            padded.paste(frame, (at[0] * (width - frame.width), at[1] * (height - frame.height)))
        frame = padded
    read: Any = VideoFrame.from_image
    return read(frame).reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
