"""Boxes: what brings one to another, and which of many say the same.

A box is (left, top, right, bottom) in pixels from the photograph's own upper left edge, so that it
is right - left wide. VOC's development kit and py-faster-rcnn name the first and the last pixel
*inside* and add 1 wherever they take a width; with edges there is nothing to add, and the numbers
are theirs exactly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phosphene.transfer.scores.detections import overlaps

Floats = NDArray[np.float64]

# py-faster-rcnn's, so that no box grows beyond 1000/16 times its size.
_LARGEST_GROWTH = float(np.log(1000 / 16))


def offsets(boxes: Floats, goals: Floats) -> Floats:
    """Say how to get from boxes to others (Girshick et al., CVPR 2014, appendix C).

    (x* - x) / w, (y* - y) / h, log(w* / w), log(h* / h), of middles, widths and heights.

    Args:
        boxes: (n, 4).
        goals: (n, 4), the box that each is to become. No box may be empty.

    Returns:
        (n, 4).
    """
    middle, size = _middle_and_size(boxes)
    to, large = _middle_and_size(goals)
    return np.concatenate([(to - middle) / size, np.log(large / size)], axis=1)


def moved(boxes: Floats, by: Floats) -> Floats:
    """Bring boxes to where offsets say: what `offsets` came from.

    py-faster-rcnn forgets to take 1 from the last pixel here, so that its boxes are a pixel larger.

    Args:
        boxes: (n, 4).
        by: (n, 4) or (n, k, 4), offsets.

    Returns:
        As many boxes as offsets, in their shape.
    """
    middle, size = _middle_and_size(boxes)
    if by.ndim == 3:
        middle, size = middle[:, None], size[:, None]
    to = middle + by[..., :2] * size
    half = 0.5 * size * np.exp(np.minimum(by[..., 2:], _LARGEST_GROWTH))
    return np.concatenate([to - half, to + half], axis=-1)


def clipped(boxes: Floats, width: float, height: float) -> Floats:
    """Cut off what lies outside a photograph; a box wholly outside is empty then."""
    return np.clip(boxes, 0, np.array([width, height, width, height], np.float64))


def mirrored(boxes: Floats, width: float) -> Floats:
    """Return where boxes are when left and right of the photograph are swapped."""
    swapped = boxes.copy()
    swapped[:, 0], swapped[:, 2] = width - boxes[:, 2], width - boxes[:, 0]
    return swapped


def kept(boxes: Floats, smallest: float) -> NDArray[np.int64]:
    """Return which boxes are no repetition of an earlier one, and not tiny.

    Args:
        boxes: (n, 4). Those that are the same when rounded to whole pixels are one.
        smallest: Least width and height, pixels.

    Returns:
        Their numbers, in order.
    """
    _, first = np.unique(np.rint(boxes), axis=0, return_index=True)
    sides: Floats = boxes[:, 2:] - boxes[:, :2]
    # What touches itself nowhere has no offsets, however small boxes may be.
    large = (sides.min(1) >= smallest) & (sides.min(1) > 0)
    return np.sort(first[large[first]]).astype(np.int64)


def suppressed(boxes: Floats, scores: NDArray[np.floating], overlap: float) -> NDArray[np.int64]:
    """Leave one of the boxes that say the same: greedy non-maximum suppression.

    The best box is kept, and all that overlap it by more than so much are gone; of those that
    remain again the best, until there are none.

    Args:
        boxes: (n, 4).
        scores: (n,).
        overlap: IoU that two kept boxes may have at most.

    Returns:
        Which are kept, best first; of equal scores the earlier box goes first.
    """
    boxes = np.asarray(boxes, np.float64)
    left = np.argsort(-np.asarray(scores), kind="stable")
    found = []
    while len(left):
        best, left = left[0], left[1:]
        found.append(best)
        left = left[overlaps(boxes[best : best + 1], boxes[left])[0] <= overlap]
    return np.array(found, np.int64)


def _middle_and_size(boxes: Floats) -> tuple[Floats, Floats]:
    boxes = np.asarray(boxes, np.float64)
    return (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
