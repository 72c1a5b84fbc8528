"""Regions of a mask: the largest one, its box, and where both lie on the photograph.

Boxes are (x0, y0, x1, y1) in pixels: left and top are the first inside, right and bottom the first
outside, so that the box of a single pixel has a width of 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from phosphene.core.preprocessing import Frame

Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]


def components(mask: Mask, corners: bool = True) -> tuple[NDArray[np.int32], int]:
    """Number the connected components of a mask.

    Args:
        mask: (h, w).
        corners: Whether pixels that touch by a corner alone are connected (8-connected components)
            or not (4-connected ones).

    Returns:
        (h, w), 0 outside the mask and else the number of the component, counted from 1 in the
        order of reading; and how many there are.
    """
    height, width = mask.shape
    # Runs of pixels in rows, and which of them touch one in the row below.
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    labels = np.zeros((height, width), np.int32)
    if not len(rows):
        return labels, 0
    # All rows in one line, two pixels apart, so that no run touches one of another row in it.
    row = width + 2
    first, last = rows * row + starts, rows * row + ends
    lowest = np.searchsorted(last, first + row, "left" if corners else "right")
    beyond = np.searchsorted(first, last + row, "right" if corners else "left")
    touching = np.maximum(beyond - lowest, 0)
    upper = np.repeat(np.arange(len(rows)), touching)
    within = np.arange(len(upper)) - np.repeat(np.cumsum(touching) - touching, touching)
    least = _joined(len(rows), upper, np.repeat(lowest, touching) + within)
    _, numbers = np.unique(least, return_inverse=True)
    labels[mask] = np.repeat(numbers + 1, ends - starts)
    return labels, int(numbers.max()) + 1


def _joined(count: int, one: NDArray[np.intp], other: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return for each of `count` nodes the least node it is joined to by the given pairs."""
    parents = np.arange(count)
    while True:
        a, b = parents[one], parents[other]
        apart = a != b
        if not apart.any():
            return parents
        one, other, a, b = one[apart], other[apart], a[apart], b[apart]
        np.minimum.at(parents, np.maximum(a, b), np.minimum(a, b))
        while (grand := parents[parents]).tobytes() != parents.tobytes():
            parents = grand


def largest_component(mask: Mask) -> Mask:
    """Keep the largest 8-connected component of a mask (h, w), the first of several as large."""
    labels, count = components(mask)
    if count < 2:
        return mask.copy()
    kept: Mask = labels == 1 + int(np.bincount(labels[mask])[1:].argmax())
    return kept


def without_holes(mask: Mask) -> Mask:
    """Fill what a mask (h, w) encloses: background from which no way leads to the image's edge.

    As the object is connected over corners, the background is not.
    """
    outside, _ = components(np.pad(~mask, 1, constant_values=True), corners=False)
    filled: Mask = outside[1:-1, 1:-1] != outside[0, 0]
    return filled


def tight_box(mask: Mask) -> Box | None:
    """Return the smallest box around a mask (h, w), or `None` around nothing."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def on_photograph(mask: Mask, frame: Frame) -> Mask:
    """Bring a mask to the photograph it was cut from.

    Args:
        mask: (h, w) over the part of the resized photograph that the frame's box says.
        frame: Where that is.

    Returns:
        (H, W), the photograph's own size; each pixel takes the label of the one that its middle
        lies in, and is no object where the mask does not reach.
    """
    (height, width), (tall, wide), (top, left, *_) = frame.photograph, frame.resized, frame.box
    ys = np.floor((np.arange(height) + 0.5) * tall / height).astype(np.intp) - top
    xs = np.floor((np.arange(width) + 0.5) * wide / width).astype(np.intp) - left
    inside_y, inside_x = (ys >= 0) & (ys < mask.shape[0]), (xs >= 0) & (xs < mask.shape[1])
    found = np.zeros((height, width), np.bool_)
    found[np.ix_(inside_y, inside_x)] = mask[np.ix_(ys[inside_y], xs[inside_x])]
    return found


def drawn_over(photograph: Image.Image, mask: Mask, box: Box | None) -> Image.Image:
    """Draw a mask and its box over a photograph: what is no object is pale and gray."""
    pixels = np.asarray(photograph, np.float32)
    gray = pixels.mean(-1, keepdims=True) * 0.45 + 128
    shown = np.where(mask[..., None], pixels, gray)
    outline = mask & ~_eroded(mask)
    shown[outline] = (255, 140, 0)
    if box is not None:
        x0, y0, x1, y1 = box
        thick = max(1, min(mask.shape) // 150)
        frame = np.zeros(mask.shape, np.bool_)
        frame[y0:y1, x0:x1] = True
        frame[y0 + thick : y1 - thick, x0 + thick : x1 - thick] = False
        shown[frame] = (20, 60, 255)
    return Image.fromarray(np.rint(shown.clip(0, 255)).astype(np.uint8))


def _eroded(mask: Mask) -> Mask:
    wide = np.pad(mask, 1)
    core: Mask = wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]
    return core
