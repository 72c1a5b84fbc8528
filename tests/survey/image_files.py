"""Image sets on disk, small ones."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image


def noise(seed: int, size: tuple[int, int] = (24, 32)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (*size, 3), np.uint8)
    return Image.fromarray(pixels)


def folder(at: Path, count: int, size: tuple[int, int] = (24, 32)) -> Path:
    """Fill a folder with PNG images of noise, 000.png and on."""
    at.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        noise(i, size).save(at / f"{i:03d}.png")
    return at


def png(seed: int) -> bytes:
    file = io.BytesIO()
    noise(seed).save(file, "PNG")
    return file.getvalue()


def shard(path: Path, members: Mapping[str, bytes]) -> Path:
    """Write a tar of the members that are given by name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image)
