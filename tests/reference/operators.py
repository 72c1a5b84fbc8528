"""Operators on one image, (c, H, W), pixel by pixel."""

from __future__ import annotations

import math

import numpy as np


def blur(x: np.ndarray, sigma: float) -> np.ndarray:
    """A weighted mean of all pixels within round(4 sigma), mirrored with the last pixel twice."""
    radius = math.floor(4 * sigma + 0.5)
    _, height, width = x.shape
    out = np.zeros_like(x)
    for v in range(height):
        for u in range(width):
            total = 0.0
            for dy in range(-radius, radius + 1):
                for dx in range(-radius, radius + 1):
                    weight = math.exp(-(dy**2 + dx**2) / (2 * sigma**2))
                    out[:, v, u] += weight * x[:, _mirror(v + dy, height), _mirror(u + dx, width)]
                    total += weight
            out[:, v, u] /= total
    return out


def clip_small_norm(x: np.ndarray, share: float) -> np.ndarray:
    return _clip(x, lambda v, u: math.sqrt(sum(a**2 for a in x[:, v, u])), share)


def clip_small_contribution(x: np.ndarray, gradient: np.ndarray, share: float) -> np.ndarray:
    return _clip(x, lambda v, u: abs(sum(x[:, v, u] * gradient[:, v, u])), share)


def _clip(x, worth, share):  # type: ignore[no-untyped-def]
    _, height, width = x.shape
    values = [[worth(v, u) for u in range(width)] for v in range(height)]
    least, out = np.percentile(values, 100 * share), x.copy()
    for v in range(height):
        for u in range(width):
            if values[v][u] < least:
                out[:, v, u] = 0
    return out


def _mirror(place: int, length: int) -> int:
    while not 0 <= place < length:
        place = -1 - place if place < 0 else 2 * length - 1 - place
    return place
