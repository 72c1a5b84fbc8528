"""Network Dissection, literally: loops over images, units, concepts and pixels, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def centred_places(count, labels, pixels, centre, stride):
    """Where receptive-field centres lie on label pixels, pixels being squares."""
    return [round((centre + k * stride + 0.5) * labels / pixels - 0.5, 9) for k in range(count)]


def original_places(count, labels, pixels, offset, size, step):
    """The original's whole label pixels."""
    r = round(pixels / labels)
    return [(offset + size // 2) // r + k * (step // r) for k in range(count)]


def plain_places(count, labels):
    """The places of a plain resize."""
    return [round((k + 0.5) * labels / count - 0.5, 9) for k in range(count)]


def between(places: Sequence[float], at: float) -> list[tuple[int, float]]:
    """Which places a pixel lies between, and how much it takes of each."""
    if at <= places[0]:
        return [(0, 1.0)]
    if at >= places[-1]:
        return [(len(places) - 1, 1.0)]
    left = max(k for k in range(len(places)) if places[k] <= at)
    if left == len(places) - 1:
        return [(left, 1.0)]
    t = (at - places[left]) / (places[left + 1] - places[left])
    return [(left, 1.0 - t), (left + 1, t)]


def upsampled(code: np.ndarray, ys: Sequence[float], xs: Sequence[float], size: tuple[int, int]):
    """Interpolate one map, (h, w), bilinearly, constant beyond its ends."""
    out = np.zeros(size)
    for i in range(size[0]):
        for j in range(size[1]):
            for y, wy in between(ys, i):
                for x, wx in between(xs, j):
                    out[i, j] += wy * wx * float(code[y, x])
    return out


def counts(codes, thresholds, labels, whole, primary, categories, ys, xs, size, lite):
    """Count by the definitions.

    Args:
        codes: (images, units, h, w).
        thresholds: (units,).
        labels: For each image a list of (sh, sw) maps of numbers.
        whole: For each image a list of numbers.
        primary: Category of each number.
        categories: How many there are.
        ys: Places of the map's rows on label pixels.
        xs: Places of its columns.
        size: (sh, sw).
        lite: NetDissect-Lite's way to count active pixels.

    Returns:
        Intersections (units, numbers), active (units, categories), truth (numbers,), and IoU.
    """
    units, numbers = len(thresholds), len(primary)
    met = np.zeros((units, numbers), np.int64)
    active = np.zeros((units, categories), np.int64)
    truth = np.zeros(numbers, np.int64)
    for image, maps in enumerate(labels):
        held = set()
        for number in range(1, numbers):
            own = sum(int((m == number).sum()) for m in maps)
            own += size[0] * size[1] * whole[image].count(number)
            truth[number] += own
            if own:
                held.add(primary[number])
        for unit in range(units):
            # Less the threshold first: the same in real numbers, and exact where all is equal.
            over = codes[image, unit].astype(np.float64) - float(thresholds[unit])
            mask = upsampled(over, ys, xs, size) > 0
            reached = set()
            for number in range(1, numbers):
                own = sum(int(((m == number) & mask).sum()) for m in maps)
                own += int(mask.sum()) * whole[image].count(number)
                met[unit, number] += own
                if own or (number in whole[image]):
                    reached.add(primary[number])
            for category in reached if lite else held:
                active[unit, category] += int(mask.sum())
    iou = np.zeros((units, numbers))
    for unit in range(units):
        for number in range(1, numbers):
            union = active[unit, primary[number]] + truth[number] - met[unit, number]
            iou[unit, number] = met[unit, number] / union if union else 0.0
    return met, active, truth, iou


def threshold(values: np.ndarray, level: float) -> float:
    """The smallest of `values` that at most a share `level` of them exceeds."""
    ordered = sorted(values.ravel().tolist())
    return ordered[max(0, math.ceil(len(ordered) * (1 - level)) - 1)]
