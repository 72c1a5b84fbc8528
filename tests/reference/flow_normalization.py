"""Equations 3.8 and 4.10 of Mahendran's thesis, number by number."""

from __future__ import annotations

import math


def component(f: float, m: float) -> float:
    """Equation 3.8."""
    sign = (f > 0) - (f < 0)
    return sign * min(1.0, math.log(abs(f) + 1) / math.log(m + 1))


def magnitude(x: float, y: float, m: float) -> float:
    """Equation 4.10."""
    return min(1.0, math.log(math.sqrt(x * x + y * y) + 1) / math.log(m + 1))
