"""Masks to polygons, along the edges of pixels, so that filling them gives the same mask again.

Pixels that touch by a corner alone belong to polygons of their own. COCO's polygons know no holes:
what belongs to any of an object's polygons belongs to the object. So the border of a hole is joined
to that around it by a seam, which goes in and comes back along itself: what a border passes twice
is not turned over, and COCO's own code, like ours (`truths.polygons`), fills the polygon to the
same pixels. Who draws the polygon will see the seam as a line.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phosphene.segmentation.region import Mask, components

Corners = NDArray[np.int64]


def polygons_of(mask: Mask) -> list[list[int]]:
    """Trace the outlines of a mask.

    Args:
        mask: (h, w), True for object.

    Returns:
        A polygon for each 4-connected component, in the order of reading: x, y, x, y, ... of its
        corners, clockwise, in pixels; pixel (row, column) reaches from x = column to column + 1,
        and y = row to row + 1.
    """
    labels, count = components(mask, corners=False)
    outer: list[Corners] = [np.empty((0, 2), np.int64)] * count
    holes: list[list[Corners]] = [[] for _ in outer]
    for border in _borders(mask):
        x, y = border[0]
        # The first corner in the order of reading has the component, or the hole, right below.
        if mask[y, x]:
            outer[labels[y, x] - 1] = border
        else:
            holes[labels[y - 1, x] - 1].append(border[::-1])
    return [_joined(*both).ravel().tolist() for both in zip(outer, holes, strict=True)]


def _joined(outer: Corners, holes: list[Corners]) -> Corners:
    """Take holes into the border around them, by seams to its corner nearest to their last one."""
    near = [int(np.square(outer - hole[-1]).sum(1).argmin()) for hole in holes]
    way, at = [], 0
    for number in np.argsort(near, kind="stable"):
        hole = holes[number]
        way += [outer[at : near[number] + 1], hole[-1:], hole]
        at = near[number]
    return np.concatenate([*way, outer[at:]])


def _borders(mask: Mask) -> list[Corners]:
    """Find the borders of a mask, each (n, 2) of x and y, from its first corner to the right.

    Borders run straight between corners, so that in each row of corners the first is joined to the
    second, the third to the fourth and so on; and in each column. Where two pixels of the object
    touch by a corner, there are two corners, one for each pixel.
    """
    wide = np.pad(mask, 1)
    up_left, up_right, left, right = wide[:-1, :-1], wide[:-1, 1:], wide[1:, :-1], wide[1:, 1:]
    odd = up_left ^ up_right ^ left ^ right
    falling, rising = up_left & right & ~up_right & ~left, up_right & left & ~up_left & ~right
    y, x = np.nonzero(odd | falling | rising)
    copies = np.where(odd[y, x], 1, 2)
    y, x, twice = np.repeat(y, copies), np.repeat(x, copies), np.repeat(copies == 2, copies)
    # Of two corners the first is that on the left; it belongs to the pixel above it where the
    # object falls from left to right, and to that below where it rises.
    second = np.zeros(len(y), np.int64)
    second[1:] = twice[1:] & (y[1:] == y[:-1]) & (x[1:] == x[:-1])
    lower = np.where(falling[y, x], second, 1 - second)
    across = _paired(np.lexsort((second, x, y)))
    down = _paired(np.lexsort((lower, y, x)))
    borders, met = [], np.zeros(len(y), np.bool_)
    for first in range(len(y)):
        if met[first]:
            continue
        way, at = [], first
        while not met[at]:
            other = across[at]
            met[at] = met[other] = True
            way += [at, other]
            at = down[other]
        borders.append(np.stack([x[way], y[way]], 1))
    return borders


def _paired(order: NDArray[np.intp]) -> list[int]:
    """Return what each is joined to: the first in an order to the second, and so on."""
    joined = np.empty_like(order)
    joined[order[0::2]], joined[order[1::2]] = order[1::2], order[0::2]
    found: list[int] = joined.tolist()
    return found
