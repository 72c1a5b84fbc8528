"""Warping, consistency and resizing of flow, pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Known = NDArray[np.bool_]


def warped(image: Array, flow: Array, valid: Known) -> Array:
    """Read (h, w, c) where vectors end; NaN outside."""
    height, width, channels = image.shape
    result = np.full(image.shape, np.nan)
    for i in range(height):
        for j in range(width):
            if not valid[i, j]:
                continue
            x, y = j + float(flow[i, j, 0]), i + float(flow[i, j, 1])
            if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
                continue
            for c in range(channels):
                total = 0.0
                for row in range(height):
                    for column in range(width):
                        weight = max(0.0, 1 - abs(x - column)) * max(0.0, 1 - abs(y - row))
                        if weight:
                            total += weight * float(image[row, column, c])
                result[i, j, c] = total
    return result


def consistent(
    forward: Array,
    valid: Known,
    backward: Array,
    back_valid: Known,
    relative: float,
    absolute: float,
) -> Known:
    """Sundaram, Brox and Keutzer, ECCV 2010, equation 5."""
    back = warped(np.where(back_valid[:, :, None], backward, np.nan), forward, valid)
    result = np.zeros(valid.shape, bool)
    for i in range(valid.shape[0]):
        for j in range(valid.shape[1]):
            fx, fy = (float(v) for v in forward[i, j])
            bx, by = (float(v) for v in back[i, j])
            if math.isnan(bx) or math.isnan(by):
                continue
            amiss = (fx + bx) ** 2 + (fy + by) ** 2
            result[i, j] = amiss < relative * (fx**2 + fy**2 + bx**2 + by**2) + absolute
    return result


def resized(flow: Array, valid: Known, size: tuple[int, int]) -> tuple[Array, Known]:
    """Resize with bilinear weights over valid pixels, and scale the vectors."""
    rows, columns = valid.shape
    height, width = size
    vectors, known = np.zeros((height, width, 2)), np.zeros(size, bool)
    for i in range(height):
        for j in range(width):
            x = min(max((j + 0.5) * columns / width - 0.5, 0), columns - 1)
            y = min(max((i + 0.5) * rows / height - 0.5, 0), rows - 1)
            total, u, v = 0.0, 0.0, 0.0
            for row in range(rows):
                for column in range(columns):
                    weight = max(0.0, 1 - abs(x - column)) * max(0.0, 1 - abs(y - row))
                    if weight and valid[row, column]:
                        total += weight
                        u += weight * float(flow[row, column, 0])
                        v += weight * float(flow[row, column, 1])
            if total >= 0.5 - 1e-9:
                known[i, j] = True
                vectors[i, j] = u / total * width / columns, v / total * height / rows
    return vectors, known
