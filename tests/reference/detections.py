"""Detections of one class matched to objects and scored as VOC's development kit does, by loops.

Boxes are (left, top, right, bottom) edges here and pixels, first and last inside, there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Box = tuple[float, float, float, float]


def listed(found: Any, class_: int) -> list[tuple[int, float, Box]]:
    """List the detections of a class: (photograph, score, box)."""
    own = found[found.classes == class_]
    return [
        (int(p), float(s), tuple(box))
        for p, s, box in zip(own.photographs, own.scores, own.corners, strict=True)
    ]


def objects_of(truth: Sequence[Any], class_: int) -> dict[int, list[tuple[Box, bool]]]:
    """List the objects of a class in each photograph: (box, whether it is difficult)."""
    return {
        number: [
            (tuple(box), bool(difficult))
            for box, c, difficult in zip(one.corners, one.classes, one.difficult, strict=True)
            if c == class_
        ]
        for number, one in enumerate(truth)
    }


def iou(one: Box, other: Box) -> float:
    """In pixels, with the kit's + 1."""
    a = (one[0], one[1], one[2] - 1, one[3] - 1)
    b = (other[0], other[1], other[2] - 1, other[3] - 1)
    w = min(a[2], b[2]) - max(a[0], b[0]) + 1
    h = min(a[3], b[3]) - max(a[1], b[1]) + 1
    if w <= 0 or h <= 0:
        return 0.0
    both = w * h
    return both / (
        (a[2] - a[0] + 1) * (a[3] - a[1] + 1) + (b[2] - b[0] + 1) * (b[3] - b[1] + 1) - both
    )


def verdicts(
    detections: list[tuple[int, float, Box]], objects: dict[int, list[tuple[Box, bool]]]
) -> tuple[list[str], int]:
    """Go down (photograph, score, box): "right", "wrong" or "not counted"; and count objects."""
    total = sum(not difficult for own in objects.values() for _, difficult in own)
    found: set[tuple[int, int]] = set()
    said = []
    for photograph, _, box in sorted(detections, key=lambda d: -d[1]):
        best, at = 0.0, -1
        for j, (other, _) in enumerate(objects.get(photograph, [])):
            if iou(box, other) > best:
                best, at = iou(box, other), j
        if best < 0.5:
            said.append("wrong")
        elif objects[photograph][at][1]:
            said.append("not counted")
        elif (photograph, at) in found:
            said.append("wrong")
        else:
            found.add((photograph, at))
            said.append("right")
    return said, total


def curve(said: list[str], total: int) -> list[tuple[float, float]]:
    """Recall and precision behind every detection that counts."""
    points, right, wrong = [], 0, 0
    for verdict in said:
        right += verdict == "right"
        wrong += verdict == "wrong"
        if right + wrong:
            points.append((right / total, right / (right + wrong)))
    return points


def eleven_point(points: list[tuple[float, float]]) -> float:
    total = 0.0
    for tenth in range(11):
        reached = [p for r, p in points if r >= tenth / 10 - 1e-12]
        total += max(reached, default=0.0) / 11
    return total


def all_point(points: list[tuple[float, float]]) -> float:
    area, before = 0.0, 0.0
    for k, (recall, _) in enumerate(points):
        area += (recall - before) * max(p for _, p in points[k:])
        before = recall
    return area


def suppressed(boxes: list[Box], scores: list[float], overlap: float) -> list[int]:
    """Greedy non-maximum suppression."""
    order = sorted(range(len(boxes)), key=lambda i: -scores[i])
    kept: list[int] = []
    for i in order:
        if all(iou(boxes[i], boxes[j]) <= overlap for j in kept):
            kept.append(i)
    return kept
