"""Polygons to masks, as COCO's own code fills them, pixel by pixel the same.

The border is walked in fifths of pixels: corners are rounded to them, and each edge becomes points
one fifth apart along its longer side. Where the border passes the middle of a column of pixels
(from the third fifth to the fourth), it turns over all pixels below whose center is not above it.
What is turned over an odd number of times is inside, so that a border that comes back along itself
may cut out a hole.

*Reference*: the COCO API's `maskApi`, by P. Dollár and T.-Y. Lin, for the rule; the filling itself
is ours, all edges at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import FormatError
from phosphene.segmentation.truths.record import Mask

_FIFTHS = 5
_LONGEST = 2**24


def fill(polygon: Sequence[float], size: tuple[int, int]) -> Mask:
    """Fill one polygon.

    Args:
        polygon: x, y, x, y, ... of its corners in pixels, at least three; closed by itself. Pixel
            (row, column) reaches from x = column to column + 1, and y = row to row + 1.
        size: (h, w) of the mask.

    Returns:
        (h, w) of 0 and 1.

    Raises:
        FormatError: Its border is longer than any photograph's could be.
    """
    height, width = size
    corners = np.asarray(polygon, dtype=np.float64).reshape(-1, 2)
    u, v = _border(np.trunc(_FIFTHS * corners + 0.5).astype(np.int64))
    steps = np.flatnonzero(u[1:] != u[:-1])
    # A step from one column of fifths to the next, at its upper end.
    left, top = np.minimum(u[steps], u[steps + 1]), np.minimum(v[steps], v[steps + 1])
    column, fifth = np.divmod(left, _FIFTHS)
    middle = (fifth == _FIFTHS // 2) & (column >= 0) & (column < width)
    # The first pixel whose center is at the middle of fifth `top`, or below.
    row = np.clip(-((_FIFTHS // 2 - top[middle]) // _FIFTHS), 0, height)
    turns = np.zeros((height + 1, width), dtype=np.int32)
    np.add.at(turns, (row, column[middle]), 1)
    return (turns[:height].cumsum(0) % 2).astype(np.uint8)


def fill_all(polygons: Iterable[Sequence[float]], size: tuple[int, int]) -> Mask:
    """Fill the parts of one object: what belongs to any polygon belongs to it."""
    mask = np.zeros(size, dtype=np.uint8)
    for polygon in polygons:
        mask |= fill(polygon, size)
    return mask


def _border(corners: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Walk around corners (n, 2) in whole numbers: the points' x and y, each (m,)."""
    start, end = corners, np.roll(corners, -1, axis=0)
    reach = np.abs(end - start)
    length, flat = reach.max(1), reach[:, 0] >= reach[:, 1]
    if length.sum() > _LONGEST:
        raise FormatError(
            f"a polygon has a border of {length.sum() // _FIFTHS} pixels: it is damaged"
        )
    edge = np.repeat(np.arange(len(corners)), length + 1)
    began = np.repeat(np.cumsum(length + 1) - length - 1, length + 1)
    along = np.arange(edge.size) - began

    # The shorter side is rounded as seen from the end at which the longer one is less, whichever
    # way the border goes: edges that two polygons share must not leave gaps.
    rows, long = np.arange(len(corners)), np.where(flat, 0, 1)
    back = start[rows, long] > end[rows, long]
    low, high = np.where(back[:, None], end, start), np.where(back[:, None], start, end)
    slope = (high - low)[rows, 1 - long] / np.maximum(length, 1)
    step = np.where(back[edge], length[edge] - along, along)
    longer = low[rows, long][edge] + step
    shorter = np.trunc(low[rows, 1 - long][edge] + slope[edge] * step + 0.5).astype(np.int64)
    lies = flat[edge]
    return np.where(lies, longer, shorter), np.where(lies, shorter, longer)
