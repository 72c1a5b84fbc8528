"""Small films for tests: a view that pans over a texture."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def texture(seed: int, size: tuple[int, int] = (400, 400)) -> np.ndarray:
    """Smooth blots of colour, (h, w, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (size[0] // 8, size[1] // 8, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC))


def panned(
    count: int, size: tuple[int, int] = (64, 96), step: tuple[int, int] = (2, 1), seed: int = 0
) -> list[np.ndarray]:
    """Frames in which everything moves by `step`, (x, y) pixels, from each to the next."""
    x, y = (abs(s) * count for s in step)
    world = texture(seed, (size[0] + y + 8, size[1] + x + 8))
    frames = []
    for i in range(count):
        left = (count - i) * step[0] if step[0] > 0 else -i * step[0]
        top = (count - i) * step[1] if step[1] > 0 else -i * step[1]
        frames.append(np.ascontiguousarray(world[top : top + size[0], left : left + size[1]]))
    return frames


def film(
    path: Path,
    frames: Sequence[np.ndarray],
    codec: str = "libx264",
    *,
    times: Sequence[int] | None = None,
    pixels: str = "yuv420p",
    rotation: int = 0,
    aspect: Fraction | None = None,
    gop: int = 10,
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
    form: str | None = None,
) -> Path:
    """Write a film; `times` are in milliseconds, 40 apart otherwise."""
    import av

    with av.open(str(path), "w", format=form, options=container or {}) as file:
        stream: Any = file.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.gop_size = pixels, gop
        unit = Fraction(1, 25) if times is None else Fraction(1, 1000)
        stream.codec_context.time_base = unit
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        for i, pixels_of in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels_of, format="rgb24")
            frame.pts, frame.time_base = (i if times is None else times[i]), unit
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def folder(path: Path, frames: Sequence[np.ndarray], suffix: str = "jpg") -> Path:
    """Write a folder of frames."""
    path.mkdir(parents=True)
    for i, frame in enumerate(frames):
        Image.fromarray(frame).save(path / f"{i}.{suffix}", quality=95)
    return path
