"""Spectra of filters, frequency by frequency and pixel by pixel, in float64."""

from __future__ import annotations

import cmath
import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def power(filter_: Floats, grid: int) -> Floats:
    """|W(f)|^2 summed over channels, on a grid x grid of frequencies: plain sums."""
    channels, height, width = filter_.shape
    found = np.zeros((grid, grid))
    for v in range(grid):
        for u in range(grid):
            for c in range(channels):
                total = 0j
                for y in range(height):
                    for x in range(width):
                        angle = -2 * math.pi * (v * y + u * x) / grid
                        total += filter_[c, y, x] * cmath.exp(1j * angle)
                found[v, u] += abs(total) ** 2
    return found


def frequency(index: int, grid: int) -> float:
    """Cycles per pixel of an entry of the grid, from -1/2 to 1/2."""
    return (index if index < (grid + 1) // 2 else index - grid) / grid


def shares(filter_: Floats, grid: int, stride: int) -> dict[str, float]:
    """The shares that `phosphene.survey.diagnosis.filters.spectra` tells, of one filter."""
    p = power(filter_, grid)
    found = dict.fromkeys(("low", "mid", "high", "above"), 0.0)
    seen = seen_above = 0.0
    for v in range(grid):
        for u in range(grid):
            fy, fx = frequency(v, grid), frequency(u, grid)
            r = math.hypot(fy, fx)
            band = "low" if r < 1 / 8 else "high" if r > 1 / 4 else "mid"
            found[band] += p[v, u] / p.sum()
            outside = max(abs(fy), abs(fx)) > 1 / (2 * stride) + 1e-9
            found["above"] += outside * p[v, u] / p.sum()
            if r > 0:
                seen += p[v, u] / r**2
                seen_above += outside * p[v, u] / r**2
    found["alias"] = seen_above / seen
    return found


def twin_cosine(one: Floats, other: Floats) -> float:
    """Cosine of two filters, each less its mean."""
    a = [float(x) for x in (one - one.mean()).ravel()]
    b = [float(x) for x in (other - other.mean()).ravel()]
    inner = sum(x * y for x, y in zip(a, b, strict=True))
    return inner / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
