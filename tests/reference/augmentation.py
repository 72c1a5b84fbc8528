"""Augmentation by the formulas, pixel by pixel, in double precision."""

from __future__ import annotations

import numpy as np


def weights(start: float, side: float, size: int, length: int) -> np.ndarray:
    """Of every output pixel the weights of the input's, (size, length), not yet normalised.

    The triangle has its peak at `start + (j + 1/2) side / size`, pixels having their middles at
    p + 1/2, and reaches as far as a pixel of the coarser grid.
    """
    found = np.zeros((size, length))
    reach = max(1.0, side / size)
    for j in range(size):
        centre = start + (j + 0.5) * side / size
        for p in range(length):
            found[j, p] = max(0.0, 1 - abs(p + 0.5 - centre) / reach)
    return found


def shown(values, valid, left, top, side, size):
    """Resample (h, w, c) in a square window: (size, size, c), and how much of the weight is valid.

    Loops over all output pixels; weights are divided by the sum of the valid pixels' ones.
    """
    height, width, channels = values.shape
    down, across = weights(top, side, size, height), weights(left, side, size, width)
    result, share = np.zeros((size, size, channels)), np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            weight = np.outer(down[i], across[j])
            share[i, j] = (weight * valid).sum() / weight.sum()
            if share[i, j]:
                used = weight * valid
                result[i, j] = (used[:, :, None] * values).sum((0, 1)) / used.sum()
    return result, share


def hue_turned(rgb, turn: float) -> list[float]:
    """Turn the hue of one colour, its largest and smallest value being kept.

    The hexcone of Smith (SIGGRAPH 1978): the hue says in which sixth of the turn a colour lies, and
    how far in it the middle one of its values has come from one end to the other.
    """
    high, low = max(rgb), min(rgb)
    chroma = high - low
    if chroma == 0:
        return list(rgb)
    red, green, blue = rgb
    if high == red:
        hue = ((green - blue) / chroma) % 6
    elif high == green:
        hue = (blue - red) / chroma + 2
    else:
        hue = (red - green) / chroma + 4
    hue = (hue + 6 * turn) % 6
    middle = low + chroma * (1 - abs(hue % 2 - 1))
    order = [
        (high, middle, low),
        (middle, high, low),
        (low, high, middle),
        (low, middle, high),
        (middle, low, high),
        (high, low, middle),
    ]
    return list(order[int(hue)])


def recolored(pixels, brightness: float, contrast: float, hue: float) -> np.ndarray:
    """Brightness, contrast about each channel's mean, hue, clamp."""
    colors = pixels.astype(np.float64) / 255 + brightness
    for channel in range(3):
        mean = colors[:, :, channel].mean()
        colors[:, :, channel] = (colors[:, :, channel] - mean) * contrast + mean
    for i in range(colors.shape[0]):
        for j in range(colors.shape[1]):
            colors[i, j] = hue_turned(colors[i, j].tolist(), hue)
    return colors.clip(0, 1)
