"""Spearman's rank correlation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def ranks(values: NDArray[np.floating]) -> Floats:
    """Rank each column of (n, c), from 0; equal values share their mean rank."""
    found = np.empty(values.shape)
    for column in range(values.shape[1]):
        _, inverse, counts = np.unique(values[:, column], return_inverse=True, return_counts=True)
        last = np.cumsum(counts)
        found[:, column] = (last - (counts + 1) / 2)[inverse]
    return found


def rank_correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> Floats:
    """Return Spearman's rank correlation of each column of two (n, c): (c,).

    NaN where a column has one value only, as a dead unit's.
    """
    a, b = ranks(one), ranks(other)
    a, b = a - a.mean(0), b - b.mean(0)
    length = np.sqrt((a * a).sum(0) * (b * b).sum(0))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.where(length > 0, (a * b).sum(0) / length, np.nan)
    return found
