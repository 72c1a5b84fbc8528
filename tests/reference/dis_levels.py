"""The pyramid of OpenCV's DIS, by halving."""

from __future__ import annotations

import math


def coarsest(height: int, width: int) -> int:
    """Count halvings.

    The shorter side must hold a patch of 8 in the coarsest level; the longer is, at the level
    taken, nearest to 4 patches in octaves, so that a quarter of it is a patch.
    """
    fits, short = 0, min(height, width)
    while short // 16:
        short //= 2
        fits += 1
    reach = math.floor(math.log2(max(height, width) / 32) + 0.5)
    return max(0, min(fits, reach))
