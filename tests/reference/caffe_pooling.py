"""Caffe's pooling and within-channel normalization, place by place, as its description says."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def pooled_size(size: int, kernel: int, stride: int, pad: int) -> int:
    """Round up, then drop a last window that starts beyond the image and its leading padding."""
    count = math.ceil((size + 2 * pad - kernel) / stride) + 1
    if pad and (count - 1) * stride >= size + pad:
        count -= 1
    return count


def pool(
    x: NDArray[np.float64],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pad: tuple[int, int],
    method: str,
) -> NDArray[np.float64]:
    """Pool (c, h, w). An average divides by the places of the window within image and padding."""
    channels, *size = x.shape
    height, width = (pooled_size(*each) for each in zip(size, kernel, stride, pad, strict=True))
    y = np.empty((channels, height, width))
    for c in range(channels):
        for i in range(height):
            for j in range(width):
                top, left = i * stride[0] - pad[0], j * stride[1] - pad[1]
                bottom = min(top + kernel[0], size[0] + pad[0])
                right = min(left + kernel[1], size[1] + pad[1])
                inside = [
                    x[c, row, column]
                    for row in range(max(top, 0), min(bottom, size[0]))
                    for column in range(max(left, 0), min(right, size[1]))
                ]
                if method == "MAX":
                    y[c, i, j] = max(inside)
                else:
                    y[c, i, j] = sum(inside) / ((bottom - top) * (right - left))
    return y


def within_channel_lrn(
    x: NDArray[np.float64], size: int, alpha: float, beta: float
) -> NDArray[np.float64]:
    """Normalize (c, h, w) by the mean square of the places around, zeros outside of the map."""
    y = np.empty_like(x)
    reach = size // 2
    for c, i, j in np.ndindex(*x.shape):
        total = 0.0
        for row in range(i - reach, i + reach + 1):
            for column in range(j - reach, j + reach + 1):
                if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
                    total += x[c, row, column] ** 2
        y[c, i, j] = x[c, i, j] * (1 + alpha * total / size**2) ** -beta
    return y


def across_channels_lrn(
    x: NDArray[np.float64], size: int, alpha: float, beta: float, k: float
) -> NDArray[np.float64]:
    """Normalize (c, h, w) by the squares of the channels around, alpha divided by their number."""
    y = np.empty_like(x)
    for c, i, j in np.ndindex(*x.shape):
        first, last = max(c - size // 2, 0), min(c + size // 2, x.shape[0] - 1)
        total = sum(x[other, i, j] ** 2 for other in range(first, last + 1))
        y[c, i, j] = x[c, i, j] / (k + alpha / size * total) ** beta
    return y
