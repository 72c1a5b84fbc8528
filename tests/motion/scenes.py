"""Frames that move by what is known: smooth noise, read off elsewhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def texture(height: int, width: int, seed: int = 0) -> Pixels:
    """Draw (h, w, 3) noise, smooth over a few pixels."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(height + 12, width + 12, 3))
    for axis in (0, 1):
        for _ in range(2):
            noise = sum(np.roll(noise, s, axis) for s in range(-3, 4))
    noise = noise[6:-6, 6:-6]
    return np.clip(127 + 55 * noise / noise.std(), 0, 255).astype(np.uint8)


def moved(height: int, width: int, dx: int, dy: int, seed: int = 0) -> tuple[Pixels, Pixels]:
    """Give two frames, between which everything moves by whole pixels."""
    margin = max(abs(dx), abs(dy))
    big = texture(height + 2 * margin, width + 2 * margin, seed)
    first = big[margin : margin + height, margin : margin + width]
    top, left = margin - dy, margin - dx
    return first.copy(), big[top : top + height, left : left + width].copy()
