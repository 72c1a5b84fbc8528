"""Mean IoU, pixel by pixel: by its own words, and as torchmetrics and the VOC devkit write it."""

from __future__ import annotations

from collections.abc import Sequence

IGNORED = 255


def by_class(truth: Sequence[int], found: Sequence[int], classes: int) -> list[float | None]:
    """Intersection over union of the sets of pixels of every class; `None` for 0 / 0."""
    scores: list[float | None] = []
    for each in range(classes):
        there = {i for i, t in enumerate(truth) if t == each}
        told = {i for i, f in enumerate(found) if f == each and truth[i] != IGNORED}
        either = there | told
        scores.append(len(there & told) / len(either) if either else None)
    return scores


def mean_iou(truth: Sequence[int], found: Sequence[int], classes: int) -> float:
    known = [score for score in by_class(truth, found, classes) if score is not None]
    return sum(known) / len(known)


def accuracy(truth: Sequence[int], found: Sequence[int]) -> float:
    pairs = [(t, f) for t, f in zip(truth, found, strict=True) if t != IGNORED]
    return sum(t == f for t, f in pairs) / len(pairs)


def jaccard_index(truth: Sequence[int], found: Sequence[int], classes: int) -> float:
    """torchmetrics.JaccardIndex("multiclass", average="macro", ignore_index=255).

    Pixels to be ignored are dropped, confmat[t, f] counts the others; a class's index is its entry
    on the diagonal over the sums of its row and column less that entry, 0 where that is 0; classes
    without any pixel have the weight 0 in the mean, all others 1.
    """
    confmat = [[0] * classes for _ in range(classes)]
    for t, f in zip(truth, found, strict=True):
        if t != IGNORED:
            confmat[t][f] += 1
    total = weights = 0.0
    for c in range(classes):
        row, column = sum(confmat[c]), sum(line[c] for line in confmat)
        union = row + column - confmat[c][c]
        index = confmat[c][c] / union if union else 0.0
        weight = 1.0 if row + column else 0.0
        total += weight * index
        weights += weight
    return total / weights


def devkit(truth: Sequence[int], found: Sequence[int], classes: int) -> list[float | None]:
    """VOCevalseg: gtjresj / (gtj + resj - gtjresj) of counts; MATLAB has NaN for 0 / 0."""
    confcounts: dict[tuple[int, int], int] = {}
    for t, f in zip(truth, found, strict=True):
        if t < IGNORED:
            confcounts[t, f] = confcounts.get((t, f), 0) + 1
    scores: list[float | None] = []
    for j in range(classes):
        gtj = sum(n for (t, _), n in confcounts.items() if t == j)
        resj = sum(n for (_, f), n in confcounts.items() if f == j)
        gtjresj = confcounts.get((j, j), 0)
        union = gtj + resj - gtjresj
        scores.append(gtjresj / union if union else None)
    return scores
