"""MatConvNet's layers, place by place, as its manual says, on MATLAB's (h, w, c) maps."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float64]
Borders = tuple[int, int, int, int]


def conv(
    x: Map,
    filters: Map,
    biases: Map,
    stride: tuple[int, int] = (1, 1),
    pad: Borders = (0, 0, 0, 0),
    dilate: tuple[int, int] = (1, 1),
) -> Map:
    """Slide (kh, kw, depth, count) filters, unflipped; less depth than channels means groups."""
    height, width, channels = x.shape
    kh, kw, depth, count = filters.shape
    top, bottom, left, right = pad
    rows = (height + top + bottom - (dilate[0] * (kh - 1) + 1)) // stride[0] + 1
    columns = (width + left + right - (dilate[1] * (kw - 1) + 1)) // stride[1] + 1
    y = np.empty((rows, columns, count))
    per_group = count // (channels // depth)
    for i, j, k in np.ndindex(*y.shape):
        first = k // per_group * depth
        total = biases[k] if len(biases) else 0.0
        for u, v, d in np.ndindex(kh, kw, depth):
            row = i * stride[0] - top + u * dilate[0]
            column = j * stride[1] - left + v * dilate[1]
            if 0 <= row < height and 0 <= column < width:
                total += filters[u, v, d, k] * x[row, column, first + d]
        y[i, j, k] = total
    return y


def convt(
    x: Map,
    filters: Map,
    biases: Map,
    upsample: tuple[int, int] = (1, 1),
    crop: Borders = (0, 0, 0, 0),
    groups: int = 1,
) -> Map:
    """Put (kh, kw, count per group, depth) filters down where the map lies, and cut the borders."""
    height, width, channels = x.shape
    kh, kw, count, _ = filters.shape
    whole = np.zeros(
        (upsample[0] * (height - 1) + kh, upsample[1] * (width - 1) + kw, count * groups)
    )
    for i, j, d in np.ndindex(*x.shape):
        group = d // (channels // groups)
        for u, v, k in np.ndindex(kh, kw, count):
            place = i * upsample[0] + u, j * upsample[1] + v, group * count + k
            whole[place] += filters[u, v, k, d] * x[i, j, d]
    top, bottom, left, right = crop
    return (whole + biases)[top : whole.shape[0] - bottom, left : whole.shape[1] - right]


def pool(x: Map, method: str, size: tuple[int, int], stride: tuple[int, int], pad: Borders) -> Map:
    """Pool windows of which only the part on the map counts."""
    height, width, channels = x.shape
    top, bottom, left, right = pad
    rows = math.floor((height + top + bottom - size[0]) / stride[0]) + 1
    columns = math.floor((width + left + right - size[1]) / stride[1]) + 1
    y = np.empty((rows, columns, channels))
    for i, j, c in np.ndindex(*y.shape):
        seen = []
        for u, v in np.ndindex(*size):
            row, column = i * stride[0] - top + u, j * stride[1] - left + v
            if 0 <= row < height and 0 <= column < width:
                seen.append(x[row, column, c])
        y[i, j, c] = max(seen) if method == "max" else sum(seen) / len(seen)
    return y


def lrn(x: Map, size: int, kappa: float, alpha: float, beta: float) -> Map:
    """Normalize over channels; alpha is not divided by their number."""
    y = np.empty_like(x)
    for i, j, k in np.ndindex(*x.shape):
        first, last = k - (size - 1) // 2, k + math.ceil((size - 1) / 2)
        group = [t for t in range(first, last + 1) if 0 <= t < x.shape[2]]
        y[i, j, k] = x[i, j, k] * (kappa + alpha * sum(x[i, j, t] ** 2 for t in group)) ** -beta
    return y


def bnorm(x: Map, multipliers: Map, biases: Map, moments: Map) -> Map:
    """Normalize each channel by its (mean, sigma)."""
    y = np.empty_like(x)
    for i, j, k in np.ndindex(*x.shape):
        y[i, j, k] = multipliers[k] * (x[i, j, k] - moments[k, 0]) / moments[k, 1] + biases[k]
    return y
