"""What is in front, as far as motion tells: a simple stand-in for uNLC.

Pathak et al. (CVPR 2017) teach a network by masks from uNLC, a graph-based segmentation of videos.
This is not uNLC: what does not move as most of the frame does counts as in front. The dominant
motion is affine, fitted by iteratively reweighted least squares with Geman & McClure's weights; the
threshold of the residual is Otsu's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phosphene.motion.flow import Flow

_ROUNDS = 20
_LEAST = 0.5
"""Pixels: what departs less from the dominant motion is never in front."""


def residual(flow: Flow) -> NDArray[np.float64]:
    """Find how far every pixel departs from the dominant affine motion: (h, w) in pixels.

    0 where the flow is not valid.
    """
    y, x = np.nonzero(flow.valid)
    found = np.zeros(flow.size)
    if len(y) < 3:
        return found
    h, w = flow.size
    place = np.stack((2 * x / max(w - 1, 1) - 1, 2 * y / max(h - 1, 1) - 1, np.ones(len(x))), 1)
    vectors = flow.vectors[y, x].astype(np.float64)
    # The median begins where a few fast pixels cannot pull it.
    off = np.linalg.norm(vectors - np.median(vectors, axis=0), axis=1)
    for _ in range(_ROUNDS):
        scale = max(1.4826 * float(np.median(off)), 0.1)
        weight = 1 / (1 + (off / scale) ** 2) ** 2
        theta = np.linalg.lstsq(
            place * np.sqrt(weight)[:, None], vectors * np.sqrt(weight)[:, None], rcond=None
        )[0]
        off = np.linalg.norm(vectors - place @ theta, axis=1)
    found[y, x] = off
    return found


def foreground(flow: Flow) -> NDArray[np.bool_]:
    """Say which pixels are in front: those that depart from the dominant motion.

    Args:
        flow: Of a frame.

    Returns:
        (h, w); nothing where all moves alike.
    """
    off = residual(flow)
    threshold = max(_otsu(off[flow.valid]), _LEAST)
    return (off > threshold) & flow.valid


def _otsu(values: NDArray[np.float64], bins: int = 256) -> float:
    """Return the threshold that parts values best (Otsu 1979); infinity where all are alike."""
    if not len(values) or values.max() == values.min():
        return np.inf
    counts, edges = np.histogram(values, bins)
    middles = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)[:-1].astype(np.float64)
    above = below[-1] + counts[-1] - below
    sums = np.cumsum(counts * middles)[:-1]
    total = float((counts * middles).sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (total - sums) / above) ** 2
    return float(edges[1 + int(np.nanargmax(between))])
