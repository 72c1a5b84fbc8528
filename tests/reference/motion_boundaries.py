"""Motion boundaries, by looking at every pixel and all around it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def motion_boundaries(
    vectors: NDArray[np.floating], valid: NDArray[np.bool_], jump: float, reach: int
) -> NDArray[np.bool_]:
    """Look around each pixel for two neighbours whose vectors differ by more than a jump."""
    height, width = valid.shape

    def jumps(i: int, j: int) -> bool:
        for a, b in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
            if 0 <= a < height and 0 <= b < width and valid[i, j] and valid[a, b]:
                x, y = (
                    float(p) - float(q) for p, q in zip(vectors[i, j], vectors[a, b], strict=True)
                )
                if math.hypot(x, y) > jump:
                    return True
        return False

    found = np.zeros((height, width), bool)
    for i in range(height):
        for j in range(width):
            for a in range(max(0, i - reach), min(height, i + reach + 1)):
                for b in range(max(0, j - reach), min(width, j + reach + 1)):
                    found[i, j] |= jumps(a, b)
    return found
