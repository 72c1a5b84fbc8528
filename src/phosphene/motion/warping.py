"""Carrying a frame along flow, and what it tells about the flow.

Backward warping takes each pixel of the first frame to where its vector ends in the second, and
reads off there, bilinearly between the four pixels around. With the true flow the first frame comes
back, except where it is hidden in the second.

Written with NumPy: OpenCV's `remap` rounds places to 1/32 pixel, and so adds an error of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import FlowError
from phosphene.motion.flow import Flow, Mask

Values = NDArray[np.float32]


def warped(image: Any, flow: Flow) -> tuple[Values, Mask]:
    """Bring the second frame back to the first.

    Args:
        image: (h, w) or (h, w, c), the second frame, or anything else with a value for each pixel.
        flow: From the first frame to the second, of the same size.

    Returns:
        Float32 of the shape of `image`, and (h, w), where it was inside: the flow is valid and ends
        within the frame, that is not beyond the centres of its outermost pixels. 0 elsewhere.

    Raises:
        FlowError: The sizes differ.
    """
    values = np.asarray(image)
    if values.ndim not in (2, 3) or values.shape[:2] != flow.size:
        raise FlowError(
            f"an image of shape {values.shape} cannot be warped by flow of {flow.size}: give the "
            "second frame in the same size"
        )
    rows, columns, across, down, inside = _places(flow)
    flat = values.reshape(values.shape[0] * values.shape[1], -1).astype(np.float32, copy=False)
    height, width = flow.size
    start = rows * width + columns
    right, below = (columns < width - 1).astype(np.int64), (rows < height - 1) * width
    across, down = across[:, None], down[:, None]
    above = flat[start] * (1 - across) + flat[start + right] * across
    under = flat[start + below] * (1 - across) + flat[start + below + right] * across
    result = np.zeros((height * width, flat.shape[1]), np.float32)
    result[inside.ravel()] = above * (1 - down) + under * down
    return result.reshape(values.shape), inside


def _places(flow: Flow) -> tuple[NDArray[np.int64], NDArray[np.int64], Values, Values, Mask]:
    """Find where vectors end: row and column of the pixel above left, and the parts beyond it."""
    height, width = flow.size
    # In double precision: a float32 x near 1000 has steps of 6e-5 pixel.
    x = np.arange(width, dtype=np.float64) + flow.vectors[:, :, 0]
    y = np.arange(height, dtype=np.float64)[:, None] + flow.vectors[:, :, 1]
    inside = flow.valid & (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    x, y = x[inside], y[inside]
    columns, rows = x.astype(np.int64), y.astype(np.int64)
    across, down = (x - columns).astype(np.float32), (y - rows).astype(np.float32)
    return rows, columns, across, down, inside


def consistent(
    forward: Flow, backward: Flow, relative: float = 0.01, absolute: float = 0.5
) -> Mask:
    """Find pixels that the flow there and back again returns to themselves.

    With b the backward flow where the forward vector f ends, read off bilinearly, a pixel passes if

        |f + b|^2 < relative (|f|^2 + |b|^2) + absolute

    (Sundaram, Brox and Keutzer, *Dense Point Trajectories by GPU-accelerated Large Displacement
    Optical Flow*, ECCV 2010). What is hidden in the second frame mostly fails.

    Args:
        forward: From the first frame to the second.
        backward: From the second to the first.
        relative: Share of the squared lengths that may be amiss.
        absolute: What may be amiss besides, in squared pixels.

    Returns:
        (h, w); false also where a vector ends outside, and where a flow that is read is not valid.

    Raises:
        FlowError: The sizes differ.
    """
    if forward.size != backward.size:
        raise FlowError(
            f"flow of {forward.size} there and of {backward.size} back: give the same size"
        )
    back, inside = warped(backward.vectors, forward)
    if not backward.valid.all():
        share, _ = warped(backward.valid, forward)
        inside = inside & (share > 1 - 1e-6)
    f, b = forward.vectors.astype(np.float64), back.astype(np.float64)
    amiss = ((f + b) ** 2).sum(2)
    allowed = relative * ((f**2).sum(2) + (b**2).sum(2)) + absolute
    passes: Mask = inside & (amiss < allowed)
    return passes


def residual(first: Any, second: Any, flow: Flow) -> Values:
    """Measure how much the first frame differs from the second, brought back.

    Args:
        first: (h, w) or (h, w, c), the first frame.
        second: The second, in the same shape and scale.
        flow: From the first to the second.

    Returns:
        (h, w), mean absolute difference over channels, in the frames' own scale; NaN where the flow
        ends outside or is not valid.

    Raises:
        FlowError: The shapes differ.
    """
    before, after = np.asarray(first), np.asarray(second)
    if before.shape != after.shape:
        raise FlowError(
            f"frames of shapes {before.shape} and {after.shape} cannot be compared: give the same"
        )
    back, inside = warped(after, flow)
    difference = np.abs(back - before.astype(np.float32)).reshape(*flow.size, -1).mean(2)
    return np.where(inside, difference, np.float32(np.nan))
