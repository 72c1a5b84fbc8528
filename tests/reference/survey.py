"""What the collectors of a survey find, written out plainly, over all codes at once, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def top_patches(
    codes: Sequence[Array], keys: Sequence[int], channel: int, count: int
) -> list[tuple[int, float, tuple[int, int]]]:
    """Sort all images by their largest activation; codes are (c, h, w) each."""
    rows = []
    for code, key in zip(codes, keys, strict=True):
        best, at = -math.inf, (-1, -1)
        for y, line in enumerate(code[channel]):
            for x, value in enumerate(line):
                if value > best:
                    best, at = float(value), (y, x)
        rows.append((-best, key, at))
    return [(key, -value, at) for value, key, at in sorted(rows)[:count]]


def statistics(codes: Sequence[Array], keys: Sequence[int], channel: int) -> dict[str, float]:
    """Go through all values of a channel."""
    values = [float(v) for code in codes for v in code[channel].ravel()]
    mean = math.fsum(values) / len(values)
    largest = max(values)
    images = [k for code, k in zip(codes, keys, strict=True) if code[channel].max() == largest]
    return {
        "count": len(values),
        "mean": mean,
        "variance": math.fsum((v - mean) ** 2 for v in values) / len(values),
        "minimum": min(values),
        "maximum": largest,
        "image": min(images),
        "positive": sum(v > 0 for v in values) / len(values),
        "active": sum(bool((code[channel] > 0).any()) for code in codes) / len(codes),
    }


def quantile(values: Array, level: Fraction) -> float:
    """Find the least value that at most a share of 1 - level of all values lies above."""
    for candidate in sorted(set(values.tolist())):
        above = sum(v > candidate for v in values.tolist())
        if above <= (1 - level) * len(values):
            return float(candidate)
    raise ValueError("there are no values")


def correlation(codes: Sequence[Array]) -> Array:
    """Correlate the largest activations of images, channel by channel."""
    peaks = np.array([code.reshape(len(code), -1).max(1) for code in codes], np.float64)
    c = peaks.shape[1]
    found = np.zeros((c, c))
    for i in range(c):
        for j in range(c):
            a, b = peaks[:, i] - peaks[:, i].mean(), peaks[:, j] - peaks[:, j].mean()
            size = math.sqrt(float(a @ a) * float(b @ b))
            found[i, j] = float(a @ b) / size if size else 0.0
    return found


def crop(image: Array, box: tuple[int, int, int, int], fill: float) -> Array:
    """Cut (top, left, height, width) out of (c, h, w), pixel by pixel, with `fill` beyond it."""
    top, left, height, width = box
    cut = np.full((image.shape[0], height, width), fill)
    for y in range(height):
        for x in range(width):
            if 0 <= top + y < image.shape[1] and 0 <= left + x < image.shape[2]:
                cut[:, y, x] = image[:, top + y, left + x]
    return cut
