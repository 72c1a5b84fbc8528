"""Scores of masks, boxes and maps, slow and literal: pixels in sets, loops over thresholds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

Pixel = tuple[int, int]


def resized(values: Any, size: tuple[int, int]) -> list[list[Any]]:
    """Nearest neighbour: the pixel in whose area the new pixel's center lies."""
    height, width = len(values), len(values[0])

    def at(i: int, old: int, new: int) -> int:
        return math.floor((Fraction(i) + Fraction(1, 2)) * old / new)

    return [
        [values[at(i, height, size[0])][at(j, width, size[1])] for j in range(size[1])]
        for i in range(size[0])
    ]


def pixels(mask: Any, truth: Any, ignore: int | None) -> tuple[set[Pixel], set[Pixel], set[Pixel]]:
    """Foreground of the mask, of the truth, and all pixels that count."""
    found = resized(mask, (len(truth), len(truth[0])))
    counted = {
        (i, j)
        for i in range(len(truth))
        for j in range(len(truth[0]))
        if ignore is None or truth[i][j] != ignore
    }
    return (
        {(i, j) for i, j in counted if found[i][j] != 0},
        {(i, j) for i, j in counted if truth[i][j] != 0},
        counted,
    )


def accuracy(mask: Any, truth: Any, ignore: int | None = 255) -> float:
    found, true, counted = pixels(mask, truth, ignore)
    return len(counted - (found ^ true)) / len(counted) if counted else math.nan


def iou(mask: Any, truth: Any, ignore: int | None = 255) -> float:
    found, true, _ = pixels(mask, truth, ignore)
    return len(found & true) / len(found | true) if true else math.nan


def box_iou(one: Sequence[int], other: Sequence[int]) -> float:
    """Boxes of whole numbers, with their last pixels inside, as sets of pixels."""
    a, b = (
        {(x, y) for x in range(x0, x1 + 1) for y in range(y0, y1 + 1)}
        for x0, y0, x1, y1 in (one, other)
    )
    return len(a & b) / len(a | b)


def f_of(chosen: set[Pixel], true: set[Pixel], beta2: float) -> float:
    right = len(chosen & true)
    if not right:
        return 0.0
    precision, recall = right / len(chosen), right / len(true)
    return (1 + beta2) * precision * recall / (beta2 * precision + recall)


def curves(map_: Any, truth: Any, ignore: int | None = 255) -> list[tuple[float, float]]:
    """Precision and recall at 0, 1/255, ..., 1."""
    _, true, counted = pixels(map_, truth, ignore)
    found = []
    for level in range(256):
        chosen = {(i, j) for i, j in counted if map_[i][j] >= level / 255}
        right = len(chosen & true)
        found.append((right / len(chosen) if chosen else 0.0, right / len(true)))
    return found


def points_at(point: Pixel, truth: Any, tolerance: float) -> bool:
    return any(
        math.dist(point, (i, j)) <= tolerance
        for i in range(len(truth))
        for j in range(len(truth[0]))
        if truth[i][j] not in (0, 255)
    )


def decoded(counts: Sequence[int], size: tuple[int, int]) -> Any:
    """A mask from its runs, pixel by pixel, down the columns."""
    mask = np.zeros(size, dtype=np.uint8)
    place, value = 0, 0
    for count in counts:
        for _ in range(count):
            mask[place % size[0], place // size[0]] = value
            place += 1
        value = 1 - value
    return mask


def filled(polygon: Sequence[float], size: tuple[int, int]) -> Any:
    """A polygon, by walking its border in fifths of pixels, as COCO's code does."""
    corners = [
        (int(5 * polygon[i] + 0.5), int(5 * polygon[i + 1] + 0.5))
        for i in range(0, len(polygon), 2)
    ]
    border: list[Pixel] = []
    for start, end in zip(corners, corners[1:] + corners[:1], strict=True):
        wide, tall = abs(end[0] - start[0]), abs(end[1] - start[1])
        long = 0 if wide >= tall else 1
        (low, high) = (start, end) if start[long] <= end[long] else (end, start)
        slope = (high[1 - long] - low[1 - long]) / max(wide, tall, 1)
        points = []
        for step in range(max(wide, tall) + 1):
            other = int(low[1 - long] + slope * step + 0.5)
            points.append((low[0] + step, other) if long == 0 else (other, low[1] + step))
        border += points if low == start else points[::-1]

    mask = np.zeros(size, dtype=np.uint8)
    for (ua, va), (ub, vb) in pairwise(border):
        for column in range(size[1]):
            # From the third fifth of the column to its fourth, or back.
            if {ua, ub} == {5 * column + 2, 5 * column + 3}:
                for row in range(size[0]):
                    if 5 * row + 2 >= min(va, vb):
                        mask[row, column] = 1 - mask[row, column]
    return mask
