"""Numbers of the sanity controls from their formulas, pixel by pixel and sample by sample."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

Map = list[list[float]]


def flat(values: Map) -> list[float]:
    return [value for row in values for value in row]


def ranks(values: Sequence[float]) -> list[float]:
    """1-based, equal values sharing the mean of their places."""
    found = []
    for value in values:
        less = sum(other < value for other in values)
        same = sum(other == value for other in values)
        found.append(less + (same + 1) / 2)
    return found


def spearman(a: Map, b: Map) -> float:
    """Spearman's correlation of all pixels."""
    one, other = ranks(flat(a)), ranks(flat(b))
    n = len(one)
    mean_one, mean_other = sum(one) / n, sum(other) / n
    top = sum((p - mean_one) * (q - mean_other) for p, q in zip(one, other, strict=True))
    left = sum((p - mean_one) ** 2 for p in one)
    right = sum((q - mean_other) ** 2 for q in other)
    return top / math.sqrt(left * right)


def ssim(a: Map, b: Map) -> float:
    """Structural similarity of maps in [0, 1], where the window lies in the image."""
    kernel = [math.exp(-((k / 1.5) ** 2) / 2) for k in range(-5, 6)]
    weights = [[p * q / sum(kernel) ** 2 for q in kernel] for p in kernel]
    found = []
    for y in range(5, len(a) - 5):
        for x in range(5, len(a[0]) - 5):
            mean_a = mean_b = square_a = square_b = both = 0.0
            for i in range(11):
                for j in range(11):
                    p, q = a[y + i - 5][x + j - 5], b[y + i - 5][x + j - 5]
                    w = weights[i][j]
                    mean_a += w * p
                    mean_b += w * q
                    square_a += w * p * p
                    square_b += w * q * q
                    both += w * p * q
            var_a, var_b = square_a - mean_a**2, square_b - mean_b**2
            covariance = both - mean_a * mean_b
            c1, c2 = 0.01**2, 0.03**2
            found.append(
                (2 * mean_a * mean_b + c1)
                * (2 * covariance + c2)
                / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
            )
    return sum(found) / len(found)


def removal_curve(
    image: list[Map], other: list[Map], map_: Map, steps: int, says: Callable[[list[Map]], float]
) -> list[float]:
    """What is said of an image whose pixels are replaced, the largest of a map first; no ties."""
    height, width = len(map_), len(map_[0])
    places = [(map_[y][x], y, x) for y in range(height) for x in range(width)]
    places.sort(reverse=True)
    found = []
    for step in range(steps + 1):
        now = [[row[:] for row in channel] for channel in image]
        for _, y, x in places[: round(height * width * step / steps)]:
            for c, channel in enumerate(other):
                now[c][y][x] = channel[y][x]
        found.append(says(now))
    return found


def trapezoids(values: Sequence[float]) -> float:
    width = 1 / (len(values) - 1)
    return sum(width * (a + b) / 2 for a, b in pairwise(values))


def infidelity(
    phi: Sequence[float],
    x: Sequence[float],
    perturbations: Sequence[Sequence[float]],
    f: Callable[[Sequence[float]], float],
    scale: float = 1.0,
) -> float:
    """E[(I . Phi - (f(x) - f(x - I)))^2], definition 2.1, of `scale` times Phi."""
    total = 0.0
    for taken in perturbations:
        said = sum(scale * p * i for p, i in zip(phi, taken, strict=True))
        drop = f(x) - f([v - i for v, i in zip(x, taken, strict=True)])
        total += (said - drop) ** 2
    return total / len(perturbations)


def least_infidelity(
    phi: Sequence[float],
    x: Sequence[float],
    perturbations: Sequence[Sequence[float]],
    f: Callable[[Sequence[float]], float],
) -> float:
    """The least over scales of at least 0, by dividing an interval into three."""
    low, high = 0.0, 100.0
    for _ in range(200):
        a, b = low + (high - low) / 3, high - (high - low) / 3
        if infidelity(phi, x, perturbations, f, a) < infidelity(phi, x, perturbations, f, b):
            high = b
        else:
            low = a
    return infidelity(phi, x, perturbations, f, (low + high) / 2)


def max_sensitivity(phi: Sequence[float], around: Sequence[Sequence[float]]) -> float:
    """max |Phi(y) - Phi(x)| / |Phi(x)|."""
    length = math.sqrt(sum(p * p for p in phi))
    return max(
        math.sqrt(sum((q - p) ** 2 for p, q in zip(phi, near, strict=True))) / length
        for near in around
    )
