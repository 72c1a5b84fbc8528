"""Painting: from surfaces in their order to pixels, and to the surface that each pixel shows.

Drawing happens at three times the size of the image, in whole drawn pixels. Nine drawn pixels make
one pixel: the image takes their mean, the masks the surface that most of them show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from phosphene.worlds.patterns import pattern, tones
from phosphene.worlds.polygons import Polygon, bounds

Pixels = npt.NDArray[np.uint8]

OVERSAMPLING = 3


@dataclass(frozen=True)
class Surface:
    """Polygons in pixels that share a color and a texture.

    Attributes:
        polygons: Arrays (n, 2) of corners (x, y).
        color: One of `COLORS`.
        texture: One of `TEXTURES`.
        part: The part of the main object that this is; empty for all else.
    """

    polygons: list[Polygon]
    color: str
    texture: str
    part: str = ""


def paint(
    surfaces: Sequence[Surface], height: int, width: int, rng: np.random.Generator
) -> tuple[Pixels, Pixels]:
    """Paint surfaces one over the other.

    Args:
        surfaces: In the order of painting, 128 at most; the first covers all.
        height: Of the image, in pixels.
        width: Of the image, in pixels.
        rng: Where tones, textures, light and grain come from.

    Returns:
        The image (h, w, 3), RGB in 0 to 255, and the index of the surface that each drawn pixel
        shows (h * 3, w * 3).
    """
    tall, wide = height * OVERSAMPLING, width * OVERSAMPLING
    canvas = Image.new("L", (wide, tall))
    pencil = ImageDraw.Draw(canvas)
    frames: list[tuple[int, int, int, int]] = []
    for index, surface in enumerate(surfaces):
        corners = [np.rint(p * OVERSAMPLING).astype(np.int64) for p in surface.polygons]
        for corner in corners:
            pencil.polygon(corner.ravel().tolist(), fill=index)
        left, top, right, bottom = bounds(corners)
        frames.append(
            (max(int(left), 0), max(int(top), 0),
             min(int(right) + 1, wide), min(int(bottom) + 1, tall))
        )  # fmt: skip
    drawn = np.array(canvas)
    shown = drawn * np.uint8(2)
    palette = np.zeros((2 * len(surfaces), 3), dtype=np.uint8)
    for index, surface in enumerate(surfaces):
        contrast = 0.22 + 0.2 * rng.random()
        palette[2 * index : 2 * index + 2] = np.rint(tones(surface.color, rng, contrast))
        left, top, right, bottom = frames[index]
        if surface.texture == "plain" or left >= right or top >= bottom:
            continue
        period = (5.0 + 4.5 * rng.random()) * OVERSAMPLING * min(height, width) / 96.0
        second = pattern(surface.texture, bottom - top, right - left, period, rng)
        window = (slice(top, bottom), slice(left, right))
        shown[window] += np.logical_and(second, drawn[window] == index)
    mean = np.asarray(Image.fromarray(palette.take(shown, axis=0)).reduce(OVERSAMPLING))
    return _light(mean, rng), drawn


def _light(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Lay light that falls off to one side, and a grain of at most 4 steps, on an image."""
    height, width = image.shape[:2]
    angle, fall, level = rng.random(3).tolist()
    x = (np.arange(width) / width - 0.5) * math.cos(2 * math.pi * angle)
    y = (np.arange(height) / height - 0.5) * math.sin(2 * math.pi * angle)
    gain = np.rint(256.0 * (0.9 + 0.14 * level + 0.4 * fall * (x[None, :] + y[:, None])))
    # Bytes split into two sums of halves: a triangular grain, and cheaper than normal numbers.
    bits = np.frombuffer(rng.bytes(image.size), dtype=np.uint8).reshape(image.shape)
    grain = (bits & 7).astype(np.int16) - (bits >> 5)
    lit = (image.astype(np.int32) * gain.astype(np.int32)[:, :, None] + 128) >> 8
    result: Pixels = np.clip(lit + (grain >> 1), 0, 255).astype(np.uint8)
    return result


def majority(drawn: Pixels, count: int) -> Pixels:
    """Say which surface most of a pixel's nine drawn pixels show; in a draw, the one painted first.

    Args:
        drawn: (h * 3, w * 3), indices of surfaces as `paint` gives them.
        count: How many surfaces there are.

    Returns:
        (h, w), indices of surfaces.
    """
    height, width = (n // OVERSAMPLING for n in drawn.shape)
    rows = drawn.reshape(height, OVERSAMPLING, width, OVERSAMPLING)
    tiles = rows.transpose(0, 2, 1, 3).reshape(height * width, OVERSAMPLING**2)
    result = tiles[:, 0].copy()
    mixed = np.flatnonzero((tiles != tiles[:, :1]).any(axis=1))
    votes = np.arange(len(mixed))[:, None] * count + tiles[mixed]
    tally = np.bincount(votes.ravel(), minlength=len(mixed) * count)
    result[mixed] = tally.reshape(len(mixed), count).argmax(axis=1)
    return result.reshape(height, width)
