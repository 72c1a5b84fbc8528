"""The colour wheel of Baker et al. (IJCV 2011), one pixel at a time, in double precision."""

from __future__ import annotations

import math

RY, YG, GC, CB, BM, MR = 15, 6, 4, 11, 13, 6


def wheel() -> list[tuple[int, int, int]]:
    """List the 55 colours as the benchmark's code makes them."""
    colors = []
    for i in range(RY):
        colors.append((255, 255 * i // RY, 0))
    for i in range(YG):
        colors.append((255 - 255 * i // YG, 255, 0))
    for i in range(GC):
        colors.append((0, 255, 255 * i // GC))
    for i in range(CB):
        colors.append((0, 255 - 255 * i // CB, 255))
    for i in range(BM):
        colors.append((255 * i // BM, 0, 255))
    for i in range(MR):
        colors.append((255, 0, 255 - 255 * i // MR))
    return colors


def color(x: float, y: float, largest: float) -> tuple[float, float, float]:
    """Colour one vector, in 0..255, before rounding down."""
    colors = wheel()
    fx, fy = x / largest, y / largest
    radius = math.sqrt(fx * fx + fy * fy)
    angle = math.atan2(-fy, -fx) / math.pi
    fk = (angle + 1.0) / 2.0 * (len(colors) - 1)
    k0 = int(fk)
    k1 = (k0 + 1) % len(colors)
    f = fk - k0
    found = []
    for b in range(3):
        c = (1 - f) * colors[k0][b] / 255 + f * colors[k1][b] / 255
        c = 1 - radius * (1 - c) if radius <= 1 else c * 0.75
        found.append(255 * c)
    return found[0], found[1], found[2]
