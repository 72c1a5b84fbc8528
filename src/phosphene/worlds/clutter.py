"""What is in a scene beside its object: ground and sky, patches, and small shapes of no class."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from phosphene.worlds.polygons import Polygon, block, ellipse, polygon, ribbon, ring


def backdrop(height: int, width: int, rng: np.random.Generator) -> list[Polygon]:
    """Divide an image into one to three zones.

    Args:
        height: In pixels.
        width: In pixels.
        rng: Where the layout comes from.

    Returns:
        Polygons in pixels, in the order of painting; the first covers all.
    """
    zones = [block(-1.0, -1.0, width + 1.0, height + 1.0)]
    kind = rng.random()
    if kind < 0.6:
        level, tilt, swell, phase = rng.random(4).tolist()
        t = np.linspace(-0.05, 1.05, 25)
        wave = 0.05 * swell * np.sin(2 * math.pi * (1.5 * t + phase))
        y = height * (0.35 + 0.45 * level + (tilt - 0.5) * 0.35 * (t - 0.5) + wave)
        line = np.stack([t * width, y], axis=1)
        corner = polygon((width * 1.05, height + 1.0), (-0.05 * width, height + 1.0))
        zones.append(np.concatenate([line, corner]))
    if kind > 0.35:
        x, y, reach_x, reach_y, turn = rng.random(5).tolist()
        theta = np.linspace(0.0, 2 * math.pi, 12, endpoint=False)
        reach = 0.6 + 0.5 * rng.random(12)
        patch_x = width * (x + (0.2 + 0.25 * reach_x) * reach * np.cos(theta + turn))
        patch_y = height * (y + (0.2 + 0.25 * reach_y) * reach * np.sin(theta + turn))
        zones.append(np.stack([patch_x, patch_y], axis=1))
    return zones


def _disc(rng: np.random.Generator) -> list[Polygon]:
    return [ellipse(0.0, 0.0, 1.0, 0.6 + 0.4 * rng.random())]


def _triangle(rng: np.random.Generator) -> list[Polygon]:
    return [polygon((-1.0, 0.8), (1.0, 0.8), (rng.random() - 0.5, -1.0))]


def _square(rng: np.random.Generator) -> list[Polygon]:
    high = 0.5 + 0.5 * rng.random()
    return [block(-1.0, -high, 1.0, high)]


def _bar(rng: np.random.Generator) -> list[Polygon]:
    thin = 0.1 + 0.12 * rng.random()
    return [block(-2.2, -thin, 2.2, thin)]


def _cross(rng: np.random.Generator) -> list[Polygon]:
    return [block(-1.0, -0.3, 1.0, 0.3), block(-0.3, -1.0, 0.3, 1.0)]


def _ring(rng: np.random.Generator) -> list[Polygon]:
    return [ring(0.0, 0.0, (1.0, 1.0), 0.3 + 0.25 * rng.random())]


def _star(rng: np.random.Generator) -> list[Polygon]:
    points = 2 * (4 + int(rng.random() * 4))
    theta = np.linspace(0.0, 2 * math.pi, points, endpoint=False)
    radius = np.where(np.arange(points) % 2, 0.5, 1.1)
    return [np.stack([radius * np.cos(theta), radius * np.sin(theta)], axis=1)]


def _wave(rng: np.random.Generator) -> list[Polygon]:
    t = np.linspace(-2.0, 2.0, 25)
    return [ribbon(np.stack([t, 0.4 * np.sin(t * (2.0 + 2.0 * rng.random()))], axis=1), 0.3)]


def _moon(rng: np.random.Generator) -> list[Polygon]:
    outer = ellipse(0.0, 0.0, 1.0, 1.0, arc=(-60.0, 240.0))
    inner = ellipse(0.0, -0.45, 0.75, 0.75, arc=(200.0, -20.0))
    return [np.concatenate([outer, inner])]


_SHAPES: tuple[Callable[[np.random.Generator], list[Polygon]], ...] = (
    _disc, _triangle, _square, _bar, _cross, _ring, _star, _wave, _moon,
)  # fmt: skip


def blob(rng: np.random.Generator, x: float, y: float, side: float) -> list[Polygon]:
    """Draw a small shape that is of no class.

    Args:
        rng: Where form, size and angle come from.
        x: Middle, in pixels.
        y: Middle, in pixels.
        side: The image's shorter side in pixels; a shape's radius is 3 to 10 hundredths of it.

    Returns:
        Polygons in pixels.
    """
    shape = _SHAPES[int(rng.random() * len(_SHAPES))](rng)
    angle, size = rng.random(2).tolist()
    c, s = math.cos(2 * math.pi * angle), math.sin(2 * math.pi * angle)
    matrix = np.array([[c, s], [-s, c]]) * side * (0.03 + 0.07 * size)
    return [p @ matrix + np.array([x, y]) for p in shape]
