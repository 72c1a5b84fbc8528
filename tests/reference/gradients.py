"""The gradient histograms of the thesis's figure 5.6, pixel by pixel."""

from __future__ import annotations

import math

import numpy as np

SOBEL_RIGHT = ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1))
SOBEL_DOWN = ((-1, -2, -1), (0, 0, 0), (1, 2, 1))


def gray_of(pixels: np.ndarray) -> list[list[int]]:
    """(h, w, 3) -> rows of 8-bit gray, by the coefficients of MATLAB's rgb2gray."""
    return [
        [
            math.floor(
                0.298936021293775 * int(r) + 0.587043074451121 * int(g) + 0.114020904255104 * int(b)
                + 0.5
            )
            for r, g, b in row
        ]
        for row in pixels
    ]  # fmt: skip


def gradients(pixels: np.ndarray):  # type: ignore[no-untyped-def]
    """Yield (right, down) at every pixel, in gray levels per pixel."""
    gray = gray_of(pixels)
    height, width = len(gray), len(gray[0])
    for v in range(height):
        for u in range(width):
            right = down = 0
            for i in range(3):
                for j in range(3):
                    row = min(max(v + i - 1, 0), height - 1)
                    column = min(max(u + j - 1, 0), width - 1)
                    right += SOBEL_RIGHT[i][j] * gray[row][column]
                    down += SOBEL_DOWN[i][j] * gray[row][column]
            yield right / 8, down / 8


def orientation_histogram(pixels: np.ndarray) -> list[float]:
    """(h, w, 3) uint8 -> 18 shares over edges -180:20:180, right-closed, the first closed twice."""
    counts = [0.0] * 18
    for right, down in gradients(pixels):
        degrees = math.degrees(math.atan2(-down, right))
        for k in range(18):
            low, high = -180 + 20 * k, -160 + 20 * k
            if low < degrees <= high or (k == 0 and degrees == low):
                counts[k] += math.hypot(right, down)
    total = sum(counts)
    return [count / total if total else 0.0 for count in counts]


def magnitude_histogram(pixels: np.ndarray) -> list[float]:
    """(h, w, 3) uint8 -> 91 shares over edges 0:2:182, right-closed, the first closed twice."""
    counts = [0.0] * 91
    for right, down in gradients(pixels):
        size = math.hypot(right, down)
        for k in range(91):
            if 2 * k < size <= 2 * k + 2 or (k == 0 and size == 0):
                counts[k] += 1
    return [count / sum(counts) for count in counts]


def stretch(pixels: np.ndarray) -> np.ndarray:
    low, high = int(pixels.min()), int(pixels.max())
    out = pixels.copy()
    if low < high:
        for index in np.ndindex(*pixels.shape):
            out[index] = math.floor((int(pixels[index]) - low) * 255 / (high - low) + 0.5)
    return out


def intersection(one: list[float], other: list[float]) -> float:
    return sum(min(a, b) for a, b in zip(one, other, strict=True))
