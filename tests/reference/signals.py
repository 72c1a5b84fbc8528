"""Numbers about signals, pixel by pixel and pair by pair, straight from their definitions."""

from __future__ import annotations

import math
from collections.abc import Sequence

Map = Sequence[Sequence[float]]


def similarity(a: Map, b: Map, box: tuple[float, float, float, float]) -> float:
    """Pearson's correlation of two maps over the pixels of a box (top, left, height, width)."""
    pairs = [
        (a[y][x], b[y][x])
        for y in range(len(a))
        for x in range(len(a[0]))
        if box[0] <= y <= box[0] + box[2] - 1 and box[1] <= x <= box[1] + box[3] - 1
    ]
    mean_a = sum(p for p, _ in pairs) / len(pairs)
    mean_b = sum(q for _, q in pairs) / len(pairs)
    both = one = other = 0.0
    for p, q in pairs:
        both += (p - mean_a) * (q - mean_b)
        one += (p - mean_a) ** 2
        other += (q - mean_b) ** 2
    return both / math.sqrt(one * other)


def effective_side(a: Map, middle: tuple[float, float], held: float) -> float:
    """Side of the smallest square around a place that holds a share of the energy."""
    total = sum(value**2 for row in a for value in row)
    reach = 0.0
    while True:  # fields have their middles on pixels or half way between two
        inside = sum(
            value**2
            for y, row in enumerate(a)
            for x, value in enumerate(row)
            if abs(y - middle[0]) <= reach and abs(x - middle[1]) <= reach
        )
        if inside >= held * total * (1 - 1e-12):
            return 2 * reach + 1
        reach += 0.5


def fall_off(a: Map, middle: tuple[float, float], reach: float, rings: int) -> list[float | None]:
    """Mean of square rings of equal width around a place."""
    found: list[float | None] = []
    for ring in range(rings):
        low, high = ring * reach / rings, (ring + 1) * reach / rings
        members = [
            value
            for y, row in enumerate(a)
            for x, value in enumerate(row)
            if low <= max(abs(y - middle[0]), abs(x - middle[1])) < high
        ]
        found.append(sum(members) / len(members) if members else None)
    return found


def share_inside(a: Map, inside: Map) -> float:
    """Share of the energy where an object is."""
    total = on_it = 0.0
    for row, masks in zip(a, inside, strict=True):
        for value, mask in zip(row, masks, strict=True):
            total += value**2
            on_it += value**2 * mask
    return on_it / total


def matched(shares: Map) -> list[float]:
    """Of S_ij, signal i on object j, what the own one has more than a fit to the others expects.

    The fit `m + a_i + b_j` to all with i != j is found by descent, one number at a time.
    """
    n = len(shares)
    a, b = [0.0] * n, [0.0] * n
    for _ in range(3000):
        for i in range(n):
            others = [j for j in range(n) if j != i]
            a[i] = sum(shares[i][j] - b[j] for j in others) / (n - 1)
        for j in range(n):
            others = [i for i in range(n) if i != j]
            b[j] = sum(shares[i][j] - a[i] for i in others) / (n - 1)
    return [shares[i][i] - a[i] - b[i] for i in range(n)]
