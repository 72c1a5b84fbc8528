"""The texture term of the thesis (2018, eq. 5.8), written out."""

from __future__ import annotations

import numpy as np


def cross_correlation(code: np.ndarray) -> np.ndarray:
    """(c, h, w): sum over positions of the products of all pairs of channels."""
    channels, height, width = code.shape
    found = np.zeros((channels, channels))
    for c in range(channels):
        for d in range(channels):
            for u in range(height):
                for v in range(width):
                    found[c, d] += code[c, u, v] * code[d, u, v]
    return found


def texture_term(code: np.ndarray, wanted: np.ndarray) -> float:
    """The squared Frobenius distance, with w = 1 / || psi(wanted) ||^2."""
    target = cross_correlation(wanted)
    difference = cross_correlation(code) - target
    return float((difference**2).sum() / (target**2).sum())
