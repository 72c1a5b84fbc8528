"""Losses of grouping by flow, pixel by pixel: masks (L, h, w), flow (2, h, w)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def smooth_l1(x: float) -> float:
    return 0.5 * x * x if abs(x) < 1 else abs(x) - 0.5


def pixels(flow: Array) -> list[tuple[int, int]]:
    return [(y, x) for y in range(flow.shape[1]) for x in range(flow.shape[2])]


def constant(masks: Array, flow: Array) -> float:
    total = 0.0
    for mask in masks:
        weight = sum(mask[u] for u in pixels(flow))
        for component in flow:
            mean = sum(mask[u] * component[u] for u in pixels(flow)) / weight
            total += sum(mask[u] * (component[u] - mean) ** 2 for u in pixels(flow))
    return total / len(pixels(flow))


def affine_models(masks: Array, flow: Array) -> list[Array]:
    """theta of every region, by the normal equations in pixel coordinates: (6,) each."""
    found = []
    for mask in masks:
        rows, values, weights = [], [], []
        for y, x in pixels(flow):
            rows += [[x, y, 1, 0, 0, 0], [0, 0, 0, x, y, 1]]
            values += [flow[0, y, x], flow[1, y, x]]
            weights += [mask[y, x]] * 2
        big, m = np.array(rows, dtype=float), np.diag(weights)
        found.append(np.linalg.inv(big.T @ m @ big) @ big.T @ m @ np.array(values))
    return found


def affine(masks: Array, flow: Array, reading: str) -> float:
    models = affine_models(masks, flow)
    total = 0.0
    for y, x in pixels(flow):
        each = [(t[0] * x + t[1] * y + t[2], t[3] * x + t[4] * y + t[5]) for t in models]
        for c in (0, 1):
            if reading == "mixed":
                made = sum(mask[y, x] * e[c] for mask, e in zip(masks, each, strict=True))
                total += smooth_l1(made - flow[c, y, x])
            else:
                total += sum(
                    mask[y, x] * smooth_l1(e[c] - flow[c, y, x])
                    for mask, e in zip(masks, each, strict=True)
                )
    return total / len(pixels(flow))


def rigid(masks: Array, flow: Array, knee: float = 1) -> float:
    total = 0.0
    for mask in masks:
        rows, weights = [], []
        for y, x in pixels(flow):
            a, b = x + flow[0, y, x], y + flow[1, y, x]
            rows.append([a * x, a * y, a, b * x, b * y, b, x, y, 1])
            weights.append(math.sqrt(mask[y, x]))
        # Of M^(1/2) A the right singular vector to the smallest singular value (4.7).
        beta = np.linalg.svd(np.array(weights)[:, None] * np.array(rows))[2][-1]
        matrix = beta.reshape(3, 3)
        for y, x in pixels(flow):
            a, b = x + flow[0, y, x], y + flow[1, y, x]
            off = np.array([a, b, 1]) @ matrix @ np.array([x, y, 1])
            total += mask[y, x] * smooth_l1(float(off) / knee) * knee
    return total / len(pixels(flow))


def entropy(masks: Array, flow: Array, bins: int, largest: float) -> float:
    total = 0.0
    for mask in masks:
        held = [0.0] * bins
        for u in pixels(flow):
            length = math.hypot(flow[0][u], flow[1][u])
            share = min(1.0, math.log(length + 1) / math.log(largest + 1))
            held[min(bins - 1, int(bins * share))] += mask[u]
        weight = sum(held)
        total -= weight * sum(h / weight * math.log(h / weight) for h in held if h > 0)
    return total / len(pixels(flow))
