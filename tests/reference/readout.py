"""The linear readout of foreground, formula by formula, one pixel at a time."""

from __future__ import annotations

import math

Rows = list[list[float]]


def bilinear(values: Rows, x: float, y: float) -> float:
    """Read a map between its positions; off it, on its rim."""
    h, w = len(values), len(values[0])
    x, y = min(max(x, 0.0), w - 1.0), min(max(y, 0.0), h - 1.0)
    left, top = min(int(x), w - 1), min(int(y), h - 1)
    right, below = min(left + 1, w - 1), min(top + 1, h - 1)
    a, b = x - left, y - top
    above = (1 - a) * values[top][left] + a * values[top][right]
    return (1 - b) * above + b * ((1 - a) * values[below][left] + a * values[below][right])


def standardized(rows: Rows, by: Rows) -> Rows:
    n, made = len(by), [list(row) for row in rows]
    for k in range(len(by[0])):
        mean = sum(row[k] for row in by) / n
        deviation = math.sqrt(sum((row[k] - mean) ** 2 for row in by) / n) or 1.0
        for row in made:
            row[k] = (row[k] - mean) / deviation
    return made


def regression(rows: Rows, front: list[bool], c: float, steps: int = 20000) -> list[float]:
    """Minimize by plain gradient descent; the bias is the last weight."""
    d, n = len(rows[0]), len(rows)
    weights = {kind: n / (2 * sum(each is kind for each in front)) for kind in (True, False)}
    found = [0.0] * (d + 1)
    rate = 1 / (1 + c * 0.25 * sum(weights[f] * (1 + sum(x * x for x in r)) for r, f in
                                   zip(rows, front, strict=True)))  # fmt: skip
    for _ in range(steps):
        slope = [*found[:d], 0.0]
        for row, is_front in zip(rows, front, strict=True):
            y = 1 if is_front else -1
            z = sum(w * x for w, x in zip(found, row, strict=False)) + found[d]
            pull = -c * weights[is_front] * y / (1 + math.exp(y * z))
            for k, x in enumerate([*row, 1.0]):
                slope[k] += pull * x
        found = [w - rate * g for w, g in zip(found, slope, strict=True)]
        if max(abs(g) for g in slope) < 1e-7:
            break
    return found


def scored(rows: Rows, weights: list[float]) -> list[float]:
    return [sum(w * x for w, x in zip(weights, row, strict=False)) + weights[-1] for row in rows]


def average_precision(scores: list[float], front: list[bool]) -> float:
    total, recall = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        chosen = [f for s, f in zip(scores, front, strict=True) if s >= threshold]
        now = sum(chosen) / sum(front)
        total += (now - recall) * sum(chosen) / len(chosen)
        recall = now
    return total


def iou(scores: list[float], front: list[bool], threshold: float) -> float:
    both = sum(s >= threshold and f for s, f in zip(scores, front, strict=True))
    either = sum(s >= threshold or f for s, f in zip(scores, front, strict=True))
    return both / either


def threshold(scores: list[float], front: list[bool]) -> float:
    return max(sorted(scores, reverse=True), key=lambda t: iou(scores, front, t))
