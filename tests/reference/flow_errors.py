"""Errors of flow, vector by vector, from the formulas."""

from __future__ import annotations

import math
from collections.abc import Sequence

Vector = tuple[float, float]


def errors(found: Sequence[Vector], truth: Sequence[Vector]) -> dict[str, float]:
    """Return the mean endpoint error, mean angle, share of outliers, shares within."""
    ends, angles, outliers = [], [], 0
    for (u, v), (s, t) in zip(found, truth, strict=True):
        end = math.sqrt((u - s) ** 2 + (v - t) ** 2)
        dot = u * s + v * t + 1
        lengths = math.sqrt(u * u + v * v + 1) * math.sqrt(s * s + t * t + 1)
        ends.append(end)
        angles.append(math.degrees(math.acos(max(-1.0, min(1.0, dot / lengths)))))
        outliers += end > 3 and end / math.sqrt(s * s + t * t) > 0.05 if (s or t) else end > 3
    count = len(ends)
    return {
        "mean": sum(ends) / count,
        "angle": sum(angles) / count,
        "outliers": outliers / count,
        "within_1": sum(end <= 1 for end in ends) / count,
        "within_3": sum(end <= 3 for end in ends) / count,
        "within_5": sum(end <= 5 for end in ends) / count,
    }
