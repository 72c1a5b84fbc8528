"""The Fourier parameterisation from its formula: a sum of waves at every pixel."""

from __future__ import annotations

import cmath
import math

import numpy as np

COLORS = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])


def image(
    theta: np.ndarray, width: int, mean: np.ndarray, decay: float, decorrelated: bool
) -> np.ndarray:
    """One theta (c, H, W // 2 + 1, 2) to x (c, H, W); the other half plane is the conjugate."""
    channels, height, half, _ = theta.shape
    plane = np.zeros((channels, height, width))
    for k in range(channels):
        for row in range(height):
            for column in range(half):
                vertical = (row if row <= height / 2 else row - height) / height
                frequency = max(math.hypot(vertical, column / width), 1 / max(height, width))
                scale = math.sqrt(height * width) / 4 / frequency**decay
                value = scale * complex(*theta[k, row, column])
                # Columns 0 and W / 2 are their own mirror image; all others stand for two.
                twice = 1 if column == 0 or 2 * column == width else 2
                for v in range(height):
                    for u in range(width):
                        turn = row * v / height + column * u / width
                        wave = cmath.exp(2j * math.pi * turn)
                        plane[k, v, u] += twice * (value * wave).real / (height * width)
    if decorrelated:
        longest = max(math.sqrt(sum(COLORS[:, j] ** 2)) for j in range(3))
        plane = np.tensordot(COLORS / longest, plane, 1)
    return 255 * (1 / (1 + np.exp(-plane)) - mean[:, None, None])
