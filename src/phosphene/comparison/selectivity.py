"""How well a unit's response tells images with a concept from those without.

The area under the curve of true over false positives is the share of pairs, one image with the
concept and one without, of which the first responds more (Mann-Whitney),

    AUC = (#{x > y} + #{x = y} / 2) / (n m),

1/2 for a unit that knows nothing. Average precision ranks all images by response and takes the mean
of the precision at each image that has the concept; images of one response stand in one step, whose
precision is that of its end.

That a unit that knows nothing has an AUC beyond a limit by chance is told by the normal
approximation of the Mann-Whitney statistic: its deviation is sqrt((n + m + 1) / (12 n m)).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def auc(values: Floats, has: Bools) -> Floats:
    """Return the area under the curve of each unit.

    Args:
        values: (n, c) responses of images.
        has: (n,) which of them have the concept: some, and not all.

    Returns:
        (c,) 0 to 1.

    >>> auc(np.array([[1.0], [2.0], [2.0], [5.0]]), np.array([False, False, True, True]))
    array([0.875])
    """
    found = np.empty(values.shape[1])
    n, m = int(has.sum()), int((~has).sum())
    for unit, column in enumerate(values.T):
        _, which, counts = np.unique(column, return_inverse=True, return_counts=True)
        ends = np.cumsum(counts)
        ranks = (ends - (counts - 1) / 2)[which.reshape(-1)]
        found[unit] = (ranks[has].sum() - n * (n + 1) / 2) / (n * m)
    return found


def average_precision(values: Floats, has: Bools) -> Floats:
    """Return the average precision of each unit, (c,); as for `auc`.

    >>> average_precision(np.array([[3.0], [2.0], [1.0]]), np.array([True, False, True]))
    array([0.83333333])
    """
    found = np.empty(values.shape[1])
    positives = int(has.sum())
    for unit, column in enumerate(values.T):
        order = np.argsort(-column, kind="stable")
        ranked, hits = column[order], np.cumsum(has[order])
        last = np.append(ranked[1:] != ranked[:-1], True)
        taken, right = np.flatnonzero(last) + 1, hits[last]
        gained = np.diff(right, prepend=0)
        found[unit] = float((gained * right / taken).sum()) / positives
    return found


def by_chance(n: int, m: int) -> float:
    """Return the deviation of the AUC of a unit that knows nothing.

    Args:
        n: Images with the concept.
        m: Images without.

    >>> round(by_chance(10, 10), 3)
    0.132
    """
    return math.sqrt((n + m + 1) / (12 * n * m))
