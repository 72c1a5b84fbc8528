"""The surfaces of a drawn world: eleven colors that languages have words for, and seven textures.

A surface has one named color and one named texture. A texture is a two-tone pattern over the plane,
so that a pixel's color is either the surface's first tone or its second, and the name of the color
holds for both. Colors are the basic color terms of Berlin and Kay.

Reference:
    B. Berlin and P. Kay, *Basic Color Terms: Their Universality and Evolution*, 1969.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Tone = npt.NDArray[np.float64]

_COLORS: dict[str, tuple[int, int, int]] = {
    "black": (40, 38, 46),
    "white": (243, 240, 232),
    "gray": (142, 146, 152),
    "red": (205, 46, 54),
    "orange": (238, 130, 38),
    "yellow": (247, 208, 70),
    "green": (70, 156, 86),
    "blue": (52, 108, 194),
    "purple": (128, 76, 166),
    "pink": (242, 152, 184),
    "brown": (132, 86, 54),
}
COLORS: tuple[str, ...] = tuple(_COLORS)


def tones(color: str, rng: np.random.Generator, contrast: float) -> tuple[Tone, Tone]:
    """Draw the two tones of a surface.

    Args:
        color: One of `COLORS`.
        rng: Where the jitter comes from.
        contrast: How far the second tone lies from the first, 0 to 1 of the way to black or white.

    Returns:
        Two RGB triples (3,), 0 to 255, the second lighter where the first is dark and darker
        where it is light.
    """
    jitter = (rng.random(3) - 0.5) * 26.0 + (rng.random() - 0.5) * 22.0
    first = np.clip(np.asarray(_COLORS[color], dtype=np.float64) + jitter, 0.0, 255.0)
    # A coin decides for middling colors, so that no color gives its texture's polarity away.
    dark = float(first @ np.array([0.3, 0.59, 0.11])) + (rng.random() - 0.5) * 160.0 < 125.0
    goal = 255.0 if dark else 0.0
    return first, first + (goal - first) * contrast


def _fraction(x: Plane) -> Plane:
    # Several times as fast as np.mod, and textures are most of a scene's cost.
    return x - np.floor(x)


def _plain(u: Plane, v: Plane, rng: np.random.Generator) -> Mask:
    return np.zeros(np.broadcast_shapes(u.shape, v.shape), dtype=np.bool_)


def _striped(u: Plane, v: Plane, rng: np.random.Generator) -> Mask:
    result: Mask = _fraction(u) < 0.5
    return result


def _dotted(u: Plane, v: Plane, rng: np.random.Generator) -> Mask:
    across, along = _fraction(u) - 0.5, _fraction(v) - 0.5
    result: Mask = across * across + along * along < 0.1
    return result


def _checked(u: Plane, v: Plane, rng: np.random.Generator) -> Mask:
    return np.logical_xor(_fraction(u) < 0.5, _fraction(v) < 0.5)


def _gridded(u: Plane, v: Plane, rng: np.random.Generator) -> Mask:
    return np.logical_or(_fraction(u) < 0.24, _fraction(v) < 0.24)


def _zigzagged(u: Plane, v: Plane, rng: np.random.Generator) -> Mask:
    bend = np.abs(_fraction(v * 0.7) - 0.5)
    result: Mask = _fraction(u + bend * 1.2) < 0.5
    return result


def _noisy(u: Plane, v: Plane, rng: np.random.Generator) -> Mask:
    # Cells of 4 drawn pixels, a little more than one pixel of the finished image.
    height, width = np.broadcast_shapes(u.shape, v.shape)
    cells = rng.random((height // 4 + 1, width // 4 + 1), dtype=np.float32) < 0.42
    return cells.repeat(4, axis=0)[:height].repeat(4, axis=1)[:, :width]


_TEXTURES: dict[str, Callable[[Plane, Plane, np.random.Generator], Mask]] = {
    "plain": _plain,
    "striped": _striped,
    "dotted": _dotted,
    "checked": _checked,
    "gridded": _gridded,
    "zigzagged": _zigzagged,
    "noisy": _noisy,
}
TEXTURES: tuple[str, ...] = tuple(_TEXTURES)


def pattern(texture: str, height: int, width: int, period: float, rng: np.random.Generator) -> Mask:
    """Draw a texture over a rectangle, at a random angle and phase.

    Args:
        texture: One of `TEXTURES`.
        height: Rows, in drawn pixels.
        width: Columns, in drawn pixels.
        period: Length of one repeat, in drawn pixels.
        rng: Where angle, phase and noise come from.

    Returns:
        (height, width), true where the surface shows its second tone.
    """
    angle = rng.random() * math.pi
    phase_u, phase_v = rng.random(2).tolist()
    x = np.arange(width, dtype=np.float32)[None, :] / period
    y = np.arange(height, dtype=np.float32)[:, None] / period
    cosine, sine = math.cos(angle), math.sin(angle)
    u = (x * cosine + phase_u) + y * sine
    v = (y * cosine + phase_v) - x * sine
    return _TEXTURES[texture](u.astype(np.float32), v.astype(np.float32), rng)
