"""How much of a signal lies on the object.

The *share inside* of a map m and an object O (0 to 1 at every pixel) is `sum m^2 O / sum m^2`: the
energy on the object. A signal that knows nothing of the object has, on average, as much of its
energy there as of anything else that is spread as it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from phosphene.core.preprocessing import Frame
from phosphene.segmentation.truths import Truth

Shares = NDArray[np.float64]
"""(h, w): how much of each pixel, or of each cell of a grid, is object."""
GRID = 32
"""Cells along each axis of a coarse map."""
_OBJECT, _IGNORED = 1, 255


def object_of(truth: Truth, size: tuple[int, int] | None = None) -> NDArray[np.bool_] | None:
    """Return what is object of a photograph: all that any mask holds, else all boxes.

    Args:
        truth: What is known of the photograph.
        size: (h, w) of the photograph, for boxes.

    Returns:
        (h, w); `None` where nothing is known.
    """
    if truth.masks:
        shape = truth.masks[0].shape
        fits = [mask == _OBJECT for mask in truth.masks if mask.shape == shape]
        found: NDArray[np.bool_] = np.any(fits, 0)
        return found
    if not truth.boxes or size is None:
        return None
    filled = np.zeros(size, bool)
    for box in truth.boxes:
        x0, y0, x1, y1 = (max(0, round(number)) for number in box.corners)
        filled[y0:y1, x0:x1] = True
    return filled


def framed(whole: NDArray[np.bool_], frame: Frame) -> Shares:
    """Bring a mask of a photograph to what the network sees of it: the nearest pixel's.

    Args:
        whole: (h, w) over the photograph, at any resolution.
        frame: Which part the network sees.

    Returns:
        (h', w') 0 or 1; 0 beyond the photograph.
    """
    top, left, height, width = frame.box
    axes = []
    for start, count, resized, length in (
        (top, height, frame.resized[0], whole.shape[0]),
        (left, width, frame.resized[1], whole.shape[1]),
    ):
        places = np.floor((np.arange(start, start + count) + 0.5) * length / resized).astype(int)
        axes.append((np.clip(places, 0, length - 1), (places >= 0) & (places < length)))
    (rows, known_rows), (columns, known_columns) = axes
    found: Shares = whole[rows][:, columns].astype(np.float64)
    found *= known_rows[:, None] & known_columns[None]
    return found


def energy_of(values: Tensor) -> Shares:
    """Return the energy of a map (h, w), as shares of its sum; all 0 for one that is zero."""
    found = values.detach().double().cpu().nan_to_num(0.0, 0.0, 0.0).numpy()
    largest = np.abs(found).max(initial=0.0)
    if not largest > 0:
        return np.zeros_like(found)
    energy = (found / largest) ** 2
    shares: Shares = energy / energy.sum()
    return shares


def share_inside(energy: Shares, inside: Shares) -> float | None:
    """Return which share of an energy lies inside; `None` where there is none."""
    total = float(energy.sum())
    return float((energy * inside).sum()) / total if total > 0 else None


def summed(values: Shares, cells: int = GRID) -> Shares:
    """Sum a map (h, w) over the cells of a grid, (cells, cells) or fewer where it is small."""
    rows, columns = (min(cells, n) for n in values.shape)
    tops = np.arange(rows) * values.shape[0] // rows
    lefts = np.arange(columns) * values.shape[1] // columns
    found: Shares = np.add.reduceat(np.add.reduceat(values, tops, 0), lefts, 1)
    return found


def averaged_over(values: Shares, cells: int = GRID) -> Shares:
    """Average a map (h, w) over the cells of a grid."""
    found: Shares = summed(values, cells) / summed(np.ones_like(values), cells)
    return found
