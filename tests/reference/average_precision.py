"""Average precision by its three definitions, threshold by threshold."""

from __future__ import annotations

from fractions import Fraction

Scores = list[float]
Present = list[int]
Point = tuple[Fraction, Fraction]


def curve(scores: Scores, present: Present, total: int | None = None) -> list[Point]:
    """(recall, precision) at every distinct score, the highest first; -1 does not count."""
    known = [(s, p) for s, p in zip(scores, present, strict=True) if p != -1]
    there = sum(p for _, p in known) if total is None else total
    points = []
    for threshold in sorted({s for s, _ in known}, reverse=True):
        chosen = [p for s, p in known if s >= threshold]
        points.append((Fraction(sum(chosen), there), Fraction(sum(chosen), len(chosen))))
    return points


def by_sum(points: list[Point]) -> float:
    area, before = Fraction(0), Fraction(0)
    for recall, precision in points:
        area += (recall - before) * precision
        before = recall
    return float(area)


def by_eleven_points(points: list[Point]) -> float:
    """VOC 2007: the best precision at or above each of eleven recalls."""
    area = Fraction(0)
    for tenth in range(11):
        best = Fraction(0)
        for recall, precision in points:
            if recall >= Fraction(tenth, 10) and precision > best:
                best = precision
        area += best / 11
    return float(area)


def by_all_points(points: list[Point]) -> float:
    """VOC 2010: the area under the envelope, which falls from left to right."""
    recalls = [Fraction(0), *(r for r, _ in points), Fraction(1)]
    envelope = [Fraction(0), *(p for _, p in points), Fraction(0)]
    for at in range(len(envelope) - 2, -1, -1):
        envelope[at] = max(envelope[at], envelope[at + 1])
    area = Fraction(0)
    for at in range(1, len(recalls)):
        if recalls[at] != recalls[at - 1]:
            area += (recalls[at] - recalls[at - 1]) * envelope[at]
    return float(area)


DEFINITIONS = {"sum": by_sum, "11-point": by_eleven_points, "all-point": by_all_points}
