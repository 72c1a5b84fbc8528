"""Textures in color, with detail at all scales: something to see, and to follow, everywhere.

A texture is a pattern in two tones of one color under noise of many octaves. Estimators of motion
need contrast in every neighbourhood and at every scale; a plain surface has none, and one that
repeats exactly misleads them.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from phosphene.errors import SettingError
from phosphene.image import as_photograph
from phosphene.worlds.patterns import COLORS, pattern, tones

Texture = NDArray[np.uint8]
Plane = NDArray[np.float32]

KINDS = ("clouded", "blobbed", "striped", "dotted", "checked", "gridded", "zigzagged")
"""Noise alone; noise cut at its median; and the repeating patterns of `worlds.patterns`."""

_FINER = 4
_MOST_DRAWN = 2048
_FINEST = 3.0


def noise(height: int, width: int, rng: np.random.Generator, roughness: float = 0.7) -> Plane:
    """Draw noise of many octaves.

    Each octave is a grid of random numbers, blown up smoothly; its cells are half as large as those
    of the octave before, down to three pixels.

    Args:
        height: In pixels.
        width: In pixels.
        rng: Where the numbers come from.
        roughness: Of each octave's amplitude to that of the one before, in (0, 1].

    Returns:
        (height, width) float32 of mean 0 and standard deviation 1.
    """
    total = np.zeros((height, width), dtype=np.float32)
    cell, weight = max(height, width) / 2.0, 1.0
    while cell >= _FINEST or weight == 1.0:
        rows, columns = math.ceil(height / cell) + 3, math.ceil(width / cell) + 3
        grid = rng.standard_normal((rows, columns), dtype=np.float32)
        # Starting one cell in keeps the grid's border, where it is extended, out of sight.
        box = (1.0, 1.0, 1.0 + width / cell, 1.0 + height / cell)
        blown = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC, box=box)
        total += weight * np.asarray(blown)
        cell, weight = cell / 2, weight * roughness
    total -= total.mean()
    return total / max(float(total.std()), 1e-6)


def texture(
    kind: str, side: int, rng: np.random.Generator, *, color: str | None = None,
    contrast: float = 0.45,
) -> Texture:  # fmt: skip
    """Draw a square texture.

    Args:
        kind: One of `KINDS`.
        side: In pixels, 8 to 4096.
        rng: Where tones, phases and noise come from.
        color: One of `worlds.patterns.COLORS`; drawn where not given.
        contrast: Of the two tones of a pattern, 0 to 1.

    Returns:
        (side, side, 3), 8-bit RGB.

    Raises:
        SettingError: An unknown kind or color, or a side or contrast that cannot be.
    """
    if kind not in KINDS:
        raise SettingError(f"there is no texture {kind!r}: take one of {', '.join(KINDS)}")
    if not 8 <= side <= 4096:
        raise SettingError(f"a texture of {side} pixels was asked for: give 8 to 4096")
    if not 0 <= contrast <= 1:
        raise SettingError(f"the contrast {contrast} cannot be: give 0 to 1")
    color = COLORS[int(rng.integers(len(COLORS)))] if color is None else color
    if color not in COLORS:
        raise SettingError(f"there is no color {color!r}: take one of {', '.join(COLORS)}")
    first, second = tones(color, rng, contrast)
    share = _share(kind, side, rng)[:, :, None]
    grain = np.stack([noise(side, side, rng) for _ in range(2)])
    # A common noise of light and a lesser one between red and blue.
    tint = 17.0 * grain[0][:, :, None] + 7.0 * grain[1][:, :, None] * np.array([1.0, 0.0, -1.0])
    painted = first + (second - first) * share + tint
    return _rounded(painted)


def _share(kind: str, side: int, rng: np.random.Generator) -> Plane:
    """(side, side): how much of each pixel is of the second tone, 0 to 1."""
    if kind == "clouded":
        return (0.5 + 0.35 * noise(side, side, rng)).clip(0, 1)
    finer = max(1, min(_FINER, _MOST_DRAWN // side))  # four times a large side is too much memory
    fine = side * finer
    if kind == "blobbed":
        # Two octaves are enough for an outline, and are drawn at a size where they are cheap.
        drawn = Image.fromarray(noise(side // 4, side // 4, rng, 0.5)).resize(
            (fine, fine), Image.Resampling.BICUBIC
        )
        mask = np.asarray(drawn) > 0
    else:
        mask = pattern(kind, fine, fine, fine / (2.5 + 3.0 * rng.random()), rng)
    blocks = mask.reshape(side, finer, side, finer)
    share: Plane = blocks.mean(axis=(1, 3), dtype=np.float32)
    return share


def _rounded(colors: NDArray[np.floating[Any]]) -> Texture:
    result: Texture = np.rint(colors.clip(0, 255)).astype(np.uint8)
    return result


def backdrop(height: int, width: int, rng: np.random.Generator) -> Texture:
    """Draw a scene's background: clouds of two muted colors, rough.

    Args:
        height: In pixels.
        width: In pixels.
        rng: Where colors and noise come from.

    Returns:
        (height, width, 3), 8-bit RGB.
    """
    names = rng.permutation(len(COLORS))[:2]
    one, two = (0.5 * tones(COLORS[i], rng, 0.2)[0] + 62.0 for i in names)
    share = np.clip(0.5 + 0.45 * noise(height, width, rng, 0.55), 0, 1)[:, :, None]
    light = 15.0 * noise(height, width, rng, 0.9)[:, :, None]
    return _rounded(one + (two - one) * share + light)


def photograph(photo: str | Path | Image.Image | NDArray[Any]) -> Texture:
    """Take a photograph as a texture, (height, width, 3) of 8-bit RGB.

    Args:
        photo: A file, a PIL image, or an array as `phosphene.image.as_photograph` takes it.

    Raises:
        ImageError: It is no photograph.
    """
    return np.array(as_photograph(photo), dtype=np.uint8)


def fitted(given: Texture, height: int, width: int) -> Texture:
    """Bring a texture to a size: crop the largest part of that form from its middle, and resample.

    Args:
        given: (any height, any width, 3), 8-bit RGB.
        height: In pixels.
        width: In pixels.

    Returns:
        (height, width, 3), 8-bit RGB, without aliasing where it becomes smaller.
    """
    if given.shape[:2] == (height, width):
        return given
    tall, wide = given.shape[:2]
    scale = min(tall / height, wide / width)
    left, top = (wide - width * scale) / 2, (tall - height * scale) / 2
    box = (left, top, left + width * scale, top + height * scale)
    resized = Image.fromarray(given).resize((width, height), Image.Resampling.BICUBIC, box=box)
    return np.asarray(resized)
