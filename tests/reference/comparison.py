"""Orientation, pairs, and nearest mean codes, value by value."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def orientation(image: Floats, bins: int) -> tuple[float, list[float]]:
    """Share of horizontal energy and histogram of (c, h, w), pixel by pixel."""
    channels, height, width = image.shape
    horizontal = total = 0.0
    histogram = [0.0] * bins
    for c in range(channels):
        for y in range(1, height - 1):
            for x in range(1, width - 1):
                gx = image[c, y, x + 1] - image[c, y, x - 1]
                gy = image[c, y + 1, x] - image[c, y - 1, x]
                energy = gx * gx + gy * gy
                horizontal += gy * gy
                total += energy
                angle = (math.degrees(math.atan2(gy, gx)) + 90) % 180
                histogram[round(angle / (180 / bins)) % bins] += energy
    return horizontal / total, [value / total for value in histogram]


def auc(values: list[float], has: list[bool]) -> float:
    """Share of pairs in which the image with the concept is the higher one."""
    won = 0.0
    pairs = 0
    for x, x_has in zip(values, has, strict=True):
        for y, y_has in zip(values, has, strict=True):
            if x_has and not y_has:
                pairs += 1
                won += 1.0 if x > y else 0.5 if x == y else 0.0
    return won / pairs


def nearest(
    codes: list[Floats],
    labels: list[list[set[int]]],
    code: Floats,
    numbers: list[int],
    without: int,
) -> int:
    """Which concept's standardized mean code has the largest cosine with a code's.

    codes: (c, positions) of each image; labels: the concepts at each position of each image.
    """
    channels = len(code)
    rows = [image[:, p] for image in codes for p in range(image.shape[1])]
    sets = [own for image in labels for own in image]
    mean = [sum(row[c] for row in rows) / len(rows) for c in range(channels)]
    deviation = [
        math.sqrt(sum((row[c] - mean[c]) ** 2 for row in rows) / len(rows)) for c in range(channels)
    ]
    used = [c for c in range(channels) if c != without and deviation[c] > 0]
    z = [(code[c] - mean[c]) / deviation[c] for c in used]
    best, winner = -2.0, 0
    for number in numbers:
        own = [row for row, names in zip(rows, sets, strict=True) if number in names]
        if not own:
            continue
        d = [(sum(row[c] for row in own) / len(own) - mean[c]) / deviation[c] for c in used]
        length = math.sqrt(sum(v * v for v in d)) * math.sqrt(sum(v * v for v in z))
        cosine = sum(a * b for a, b in zip(d, z, strict=True)) / length
        if cosine > best:
            best, winner = cosine, number
    return winner
