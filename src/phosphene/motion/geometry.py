"""Flow of a picture that is flipped, resized or cropped: vectors change with the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import FlowError
from phosphene.motion.flow import Flow

_HALF = np.float32(0.5 - 1e-5)


def flipped(flow: Flow) -> Flow:
    """Mirror left and right: x changes its sign."""
    vectors = flow.vectors[:, ::-1] * np.array([-1, 1], np.float32)
    return Flow(vectors, np.ascontiguousarray(flow.valid[:, ::-1]))


def cropped(flow: Flow, top: int, left: int, height: int, width: int) -> Flow:
    """Cut out a rectangle; vectors stay as they are, also those that leave it.

    Args:
        flow: What to cut from.
        top: First row.
        left: First column.
        height: Rows.
        width: Columns.

    Raises:
        FlowError: It reaches beyond the flow, or is empty.
    """
    rows, columns = flow.size
    fits = 0 <= top <= top + height <= rows and 0 <= left <= left + width <= columns
    if not fits or height < 1 or width < 1:
        raise FlowError(
            f"{height} x {width} pixels from row {top}, column {left} cannot be cut out of flow of "
            f"{rows} x {columns}"
        )
    part = np.s_[top : top + height, left : left + width]
    return Flow(np.ascontiguousarray(flow.vectors[part]), np.ascontiguousarray(flow.valid[part]))


def resized(flow: Flow, size: tuple[int, int]) -> Flow:
    """Resize flow bilinearly, and scale its vectors by as much as the picture grows on each axis.

    A new pixel (X, Y) lies at x = (X + 1/2) w/W - 1/2 and likewise y of the old grid, clamped to
    its outermost centres, and is the mean of the four old pixels around with bilinear weights,
    taken over those that are valid. It is valid if they carry at least half of the weight.

    As with any bilinear resizing, going far below half the size skips pixels.

    Args:
        flow: What to resize.
        size: New (height, width).

    Raises:
        FlowError: A side is not positive.
    """
    height, width = size
    if height < 1 or width < 1:
        raise FlowError(f"flow cannot be resized to {size}: give (height, width) in pixels")
    rows, columns = flow.size
    scale = np.array([width / columns, height / rows], np.float32)
    if (rows, columns) == (height, width):
        return flow
    if flow.valid.all():
        vectors = _bilinear(flow.vectors, size)
        return Flow(vectors * scale, np.ones(size, np.bool_))
    weight = _bilinear(flow.valid.astype(np.float32), size)
    # Vectors are 0 where they are not valid, and so add nothing to the sum.
    sums = _bilinear(flow.vectors, size)
    valid = weight >= _HALF
    share = np.where(valid, weight, np.float32(1))
    vectors = np.where(valid[:, :, None], sums / share[:, :, None] * scale, np.float32(0))
    return Flow(vectors, valid)


def _bilinear(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Resize (h, w) or (h, w, c), an axis at a time, where it shrinks most first."""
    across = _along(values.shape[1], size[1])
    down = _along(values.shape[0], size[0])
    result = values
    if size[0] * values.shape[1] <= values.shape[0] * size[1]:
        result = _blended(_blended(result, 0, *down), 1, *across)
    else:
        result = _blended(_blended(result, 1, *across), 0, *down)
    return result


def _along(old: int, new: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Find the two old places around each new one, and the weight of the second."""
    place = ((np.arange(new) + 0.5) * (old / new) - 0.5).clip(0, old - 1)
    first = place.astype(np.int64)
    second = np.minimum(first + 1, old - 1)
    return first, second, (place - first).astype(np.float32)


def _blended(
    values: NDArray[np.float32],
    axis: int,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    part: NDArray[np.float32],
) -> NDArray[np.float32]:
    shape = [1] * values.ndim
    shape[axis] = len(part)
    low, high = values.take(first, axis), values.take(second, axis)
    high -= low
    high *= part.reshape(shape)
    high += low
    return high
