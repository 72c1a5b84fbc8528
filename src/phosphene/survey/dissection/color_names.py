"""The eleven basic color names, from RGB by a rule.

A color has the name of the nearest of a few prototypes in CIELAB: for each name its focal color and
lighter, darker or duller ones that speakers of English would give the same name. Lightness counts
for less than hue and chroma, as names hang on it less, but for black, gray and white.

    distance^2 = (WEIGHT * dL)^2 + da^2 + db^2

Prototypes are our own, given as lightness, chroma and hue; colors are rounded to 5 bits a channel
before, so that naming a picture is one look into a table of 32,768 entries.

References:
    B. Berlin and P. Kay, *Basic Color Terms: Their Universality and Evolution*, 1969.
    IEC 61966-2-1 (sRGB) and CIE 15 (CIELAB), for white D65.

Departure from the paper: Network Dissection names colors by the table of J. van de Weijer et al.,
*Learning Color Names for Real-World Applications*, 2009, which was learned from photographs.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_WEIGHT = 0.7
# Lightness 0 to 100, chroma, hue in degrees (0 is a bluish red, 90 yellow, 180 green, 270 blue).
_PROTOTYPES: dict[str, tuple[tuple[float, float, float], ...]] = {
    "black": ((3, 0, 0), (13, 0, 0), (13, 5, 280), (12, 5, 60)),
    "white": ((100, 0, 0), (93, 0, 0), (93, 5, 90), (92, 5, 270)),
    "gray": (
        (30, 0, 0), (45, 0, 0), (60, 0, 0), (74, 0, 0), (40, 7, 260), (60, 7, 260),
        (60, 7, 90), (40, 6, 100),
    ),
    "red": ((53, 104, 40), (45, 65, 30), (35, 50, 28), (48, 75, 36), (25, 38, 25), (28, 64, 38)),
    "orange": ((67, 75, 62), (75, 75, 72), (63, 65, 58), (60, 85, 52)),
    "yellow": ((97, 97, 103), (88, 75, 92), (80, 72, 84), (88, 45, 96), (72, 62, 95)),
    "green": (
        (88, 119, 136), (46, 70, 136), (55, 50, 145), (30, 28, 135), (42, 30, 128), (55, 35, 120),
        (72, 40, 130), (60, 40, 165), (84, 45, 140), (20, 18, 135),
    ),
    "blue": (
        (32, 133, 306), (45, 50, 280), (30, 50, 290), (60, 35, 260), (75, 25, 245), (85, 14, 240),
        (20, 30, 285), (48, 22, 262), (65, 40, 225), (17, 60, 303),
    ),
    "purple": (
        (30, 70, 327), (40, 55, 313), (52, 38, 312), (25, 30, 318), (45, 30, 325), (68, 32, 312),
        (60, 110, 328),
    ),
    "pink": (
        (84, 24, 10), (74, 38, 0), (65, 55, 355), (70, 30, 20), (62, 38, 10), (58, 70, 355),
        (83, 14, 30),
    ),
    "brown": (
        (38, 40, 55), (45, 25, 65), (30, 25, 55), (22, 18, 55), (55, 24, 70), (42, 35, 68),
        (72, 26, 72), (36, 42, 50),
    ),
}  # fmt: skip
COLOR_NAMES: tuple[str, ...] = tuple(_PROTOTYPES)
_BITS = 5


def color_numbers(pixels: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Name the color of every pixel.

    Args:
        pixels: (..., 3) sRGB in 0 to 255.

    Returns:
        (...) indices into `COLOR_NAMES`.

    >>> COLOR_NAMES[int(color_numbers(np.array([230, 20, 30], np.uint8)))]
    'red'
    """
    r, g, b = np.moveaxis(pixels >> (8 - _BITS), -1, 0).astype(np.int32)
    found: NDArray[np.int32] = _table()[(r << 2 * _BITS) | (g << _BITS) | b]
    return found


def to_lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn (..., 3) sRGB in [0, 1] into CIELAB under D65."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    # White is what the matrix makes of (1, 1, 1), so that gray has no chroma at all.
    t = linear @ to_xyz.T / to_xyz.sum(1)
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


@lru_cache(maxsize=1)
def _table() -> NDArray[np.int32]:
    """Name every color of 5 bits a channel, at the middle of its cell; the ends are pure."""
    steps = np.arange(1 << _BITS) / ((1 << _BITS) - 1)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    lab = to_lab(grid)
    nearest = np.full(len(grid), np.inf)
    names = np.zeros(len(grid), np.int32)
    for index, prototypes in enumerate(_PROTOTYPES.values()):
        for lightness, chroma, hue in prototypes:
            angle = np.deg2rad(hue)
            a, b = chroma * np.cos(angle), chroma * np.sin(angle)
            off = lab - np.array([lightness, a, b])
            distance = (_WEIGHT * off[:, 0]) ** 2 + off[:, 1] ** 2 + off[:, 2] ** 2
            closer = distance < nearest
            nearest[closer], names[closer] = distance[closer], index
    return names
