"""The priors of natural pre-images, pixel by pixel from their formulas."""

from __future__ import annotations

import numpy as np


def bounded_range(x: np.ndarray, alpha: float, bound: float) -> float:
    """(c, h, w): mean over pixels of (norm over channels / B) ** alpha."""
    _, height, width = x.shape
    total = 0.0
    for v in range(height):
        for u in range(width):
            norm = np.sqrt(sum(float(value) ** 2 for value in x[:, v, u]))
            total += (norm / bound) ** alpha
    return total / (height * width)


def total_variation(x: np.ndarray, beta: float, typical: float) -> float:
    """(c, h, w): forward differences, zero at the last column and row, channels outside."""
    channels, height, width = x.shape
    total = 0.0
    for k in range(channels):
        for v in range(height):
            for u in range(width):
                dx = x[k, v, u + 1] - x[k, v, u] if u + 1 < width else 0.0
                dy = x[k, v + 1, u] - x[k, v, u] if v + 1 < height else 0.0
                total += (dx**2 + dy**2) ** (beta / 2)
    return total / (height * width * typical**beta)


def descend(gradient, x, eta, decay, radius, steps):  # type: ignore[no-untyped-def]
    """Algorithm 1 for one image (c, h, w), the projection pixel by pixel."""
    squares, momentum = np.zeros_like(x), np.zeros_like(x)
    for _ in range(steps):
        g = gradient(x)
        squares = decay * squares + g**2
        momentum = decay * momentum - g / (1 / eta + np.sqrt(squares))
        x = x + momentum
        for v in range(x.shape[1]):
            for u in range(x.shape[2]):
                norm = np.sqrt((x[:, v, u] ** 2).sum())
                if norm > radius:
                    x[:, v, u] *= radius / norm
    return x
