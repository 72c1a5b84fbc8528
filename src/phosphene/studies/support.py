r"""How far a signal reaches: its support, and how it falls off.

The *support* of a map is where it is above 0. Its *effective side* is that of the smallest square
around the middle of the unit's field that holds 95 % of the energy (the sum of squares): with d the
larger of a pixel's distances to the middle along rows and columns, `2 d95 + 1`, where the pixels
with d <= d95 hold it. The *fall-off* is the mean magnitude over rings of equal d; a Gaussian

    ln m(d) = ln m(0) - d^2 / (2 sigma^2)

is fitted to it by least squares (effective receptive fields are said to be Gaussian: Luo et al.,
"Understanding the Effective Receptive Field in Deep Convolutional Neural Networks", NIPS 2016).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from phosphene.studies.similarity import Box

HELD = 0.95
"""Share of the energy inside the effective side."""
RINGS = 24
"""Rings between the middle and the edge of the field."""
_Floats = NDArray[np.float64]


def renormalised(signal: Tensor, power: float = 0.1) -> Tensor:
    """Lift what is weak: sign(x) |x|^0.1 (Mahendran & Vedaldi, ECCV 2016, figure 5)."""
    return signal.sign() * signal.abs() ** power


def extent(values: Tensor) -> tuple[int, int, int, int] | None:
    """Return the smallest box (top, left, height, width) that holds all of a map above 0.

    Args:
        values: (h, w), non-negative; what is not finite counts as 0.

    Returns:
        The box; `None` for a map that is zero everywhere.
    """
    above = _floats(values) > 0
    rows, columns = np.flatnonzero(above.any(1)), np.flatnonzero(above.any(0))
    if not rows.size:
        return None
    top, left = int(rows[0]), int(columns[0])
    return top, left, int(rows[-1]) - top + 1, int(columns[-1]) - left + 1


def effective_side(values: Tensor, middle: tuple[float, float], held: float = HELD) -> float | None:
    """Return the side of the square around a place that holds a share of a map's energy, pixels.

    Args:
        values: (h, w), a map of magnitudes.
        middle: (y, x) of the place, pixels; between two of them for fields of even size.
        held: Which share.

    Returns:
        The side; `None` for a map that is zero everywhere.
    """
    energy = _energy(values)
    total = energy.sum()
    if not total > 0:
        return None
    d = distances(values, middle).ravel()
    order = np.argsort(d, kind="stable")
    sums = np.cumsum(energy.ravel()[order])
    place = int(np.searchsorted(sums, held * total * (1 - 1e-12)))
    return float(2 * d[order][min(place, len(sums) - 1)] + 1)


def inside(values: Tensor, box: Box) -> float | None:
    """Return which share of a map's energy lies in a box; `None` for one that is zero."""
    energy = _energy(values)
    total = float(energy.sum())
    if not total > 0:
        return None
    top, left, height, width = box
    y, x = np.arange(energy.shape[0])[:, None], np.arange(energy.shape[1])[None]
    within = (y >= top) & (y <= top + height - 1) & (x >= left) & (x <= left + width - 1)
    return float(energy[within].sum()) / total


def fall_off(
    values: Tensor, middle: tuple[float, float], reach: float, rings: int = RINGS
) -> list[float | None]:
    """Return the mean magnitude of rings around a place.

    Args:
        values: (h, w), a map of magnitudes.
        middle: (y, x) of the place.
        reach: How far the last ring reaches, pixels.
        rings: How many there are, equally wide.

    Returns:
        A number for each ring; `None` for those without a pixel.
    """
    found = _floats(values)
    number = np.minimum(distances(values, middle) / reach * rings, rings).astype(int)
    counts = np.bincount(number.ravel(), minlength=rings + 1)[:rings]
    sums = np.bincount(number.ravel(), found.ravel(), minlength=rings + 1)[:rings]
    return [float(s / n) if n else None for s, n in zip(sums, counts, strict=True)]


def gaussian(profile: list[float | None], reach: float) -> tuple[float, float] | None:
    """Fit a Gaussian to a fall-off.

    Args:
        profile: As `fall_off` returns it; rings of magnitude 0 are left out.
        reach: How far the last ring reaches, pixels.

    Returns:
        sigma in pixels (infinite for what does not fall), and the share of the variance of ln m
        that the fit explains; `None` for fewer than three rings.
    """
    points = [
        (((i + 0.5) * reach / len(profile)) ** 2, math.log(m))
        for i, m in enumerate(profile)
        if m is not None and m > 0
    ]
    if len(points) < 3:
        return None
    x, y = np.array(points).T
    dx, dy = x - x.mean(), y - y.mean()
    slope = float(dx @ dy / (dx @ dx))
    spread = float(dy @ dy)
    explained = slope * float(dx @ dy) / spread if spread > 0 else 1.0
    return (math.sqrt(-1 / (2 * slope)) if slope < 0 else math.inf), explained


def distances(values: Tensor, middle: tuple[float, float]) -> _Floats:
    """Return (h, w): of every pixel the larger of its distances to a place along the two axes."""
    height, width = int(values.shape[-2]), int(values.shape[-1])
    y = np.abs(np.arange(height) - middle[0])[:, None]
    x = np.abs(np.arange(width) - middle[1])[None]
    apart: _Floats = np.maximum(y, x)
    return apart


def _floats(values: Tensor) -> _Floats:
    found: _Floats = values.detach().double().cpu().nan_to_num(0.0, 0.0, 0.0).numpy()
    return found


def _energy(values: Tensor) -> _Floats:
    found = _floats(values)
    # Random weights make signals so small that their squares would be 0.
    largest = np.abs(found).max(initial=0.0)
    return (found / largest) ** 2 if largest > 0 else found
