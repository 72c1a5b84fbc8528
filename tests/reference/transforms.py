"""What the network sees of a canvas, pixel by pixel."""

from __future__ import annotations

import math

import numpy as np


def sample(x: np.ndarray, size: tuple[int, int], matrix: np.ndarray) -> np.ndarray:
    """(b, c, H, W) through a 3 x 3 map about the middles: four neighbors, the border repeated."""
    _, _, height, width = x.shape
    out = np.zeros((*x.shape[:2], *size))
    for v in range(size[0]):
        for u in range(size[1]):
            seen = np.array([u - (size[1] - 1) / 2, v - (size[0] - 1) / 2, 1])
            column, row, _ = matrix @ seen + np.array([(width - 1) / 2, (height - 1) / 2, 0])
            column, row = min(max(column, 0), width - 1), min(max(row, 0), height - 1)
            left, top = math.floor(column), math.floor(row)
            for dy in (0, 1):
                for dx in (0, 1):
                    share = (1 - abs(row - top - dy)) * (1 - abs(column - left - dx))
                    if share > 0:
                        out[:, :, v, u] += share * x[:, :, top + dy, left + dx]
    return out
