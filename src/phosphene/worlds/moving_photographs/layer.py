"""A layer of a world: a picture that moves as a whole.

A picture has `DENSITY` pixels for one of the frame, and was spread over as much as a pixel of the
frame gathers (`gathered`). So a pixel is what the picture is at its centre, interpolated
bilinearly: that is neither jagged, nor does it matter where between the picture's pixels it falls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phosphene.worlds.moving_photographs.affine import Affine, Points

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]
Line = NDArray[np.float64]
Window = tuple[slice, slice]

DENSITY = 2.0
"""Pixels of a layer for one of the frame, each way, where it is not enlarged or shrunk."""
OUTLINE = 0.5
"""The alpha from which on a point belongs to a thing."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A picture, and where it is at every time.

    Attributes:
        texture: (h, w, 3), a picture that is seen all over; or (h, w, 4), with an alpha in 0 to 1
            that is 0 at its border.
        maps: From its pixels to the frame's, by time.
    """

    texture: Plane
    maps: tuple[Affine, ...]

    def color(self, t: int, x: Line, y: Line) -> Plane:
        """Look at it at the points of a grid in the frame.

        Args:
            t: The time.
            x: (w,), of the grid's columns.
            y: (h,), of its rows.

        Returns:
            (h, w, c), interpolated bilinearly; where it is not, its border.
        """
        back = self.maps[t].inverse()
        (a, b), (c, d) = back.linear.tolist()
        left, top = back.shift.tolist()
        across = a * x + (b * y + left)[:, None]
        return _bilinear(self.texture, across, c * x + (d * y + top)[:, None])

    def covers(self, t: int, points: Points) -> Mask:
        """Tell whether it is seen at points (..., 2) of the frame, if nothing is before it."""
        if self.texture.shape[2] == 3:
            return np.ones(points.shape[:-1], dtype=np.bool_)
        high, wide = self.texture.shape[:2]
        there = self.maps[t].inverse()(points)
        x, y = there[..., 0], there[..., 1]
        # Most points are far away, and telling so is quick.
        covered: Mask = (x > 0) & (x < wide - 1) & (y > 0) & (y < high - 1)
        alpha = _bilinear(self.texture[:, :, 3:], x[covered], y[covered])
        covered[covered] = alpha[:, 0] >= OUTLINE
        return covered

    def moved(self, t: int, points: Points) -> Points:
        """Say where what is at points (..., 2) of the frame will be at the next time."""
        return self.maps[t + 1].after(self.maps[t].inverse())(points)

    def window(self, t: int, size: tuple[int, int]) -> Window:
        """Return the rows and columns of a frame of size (h, w) that it may be seen in."""
        high, wide = self.texture.shape[:2]
        corners = self.maps[t](
            np.array([[x, y] for x in (0.0, wide - 1.0) for y in (0.0, high - 1.0)])
        )
        (left, top), (right, bottom) = np.floor(corners.min(0)) - 1, np.ceil(corners.max(0)) + 2
        rows = (int(np.clip(n, 0, size[0])) for n in (top, bottom))
        columns = (int(np.clip(n, 0, size[1])) for n in (left, right))
        return slice(*rows), slice(*columns)


def gathered(texture: Plane) -> Plane:
    """Give every pixel of a picture (h, w, c) what a pixel of the frame gathers around it.

    The kernel is (1 2 1) / 4 along both axes: nothing of what would flicker is left, and one half
    of the finest that a frame can show.
    """
    for axis in (0, 1):
        ends = [(1, 1) if n == axis else (0, 0) for n in range(3)]
        padded = np.moveaxis(np.pad(texture, ends, "edge"), axis, 0)
        mean: Plane = np.float32(0.25) * (padded[:-2] + padded[2:]) + np.float32(0.5) * padded[1:-1]
        texture = np.moveaxis(mean, 0, axis)
    return np.ascontiguousarray(texture)


def _bilinear(texture: Plane, x: Points, y: Points) -> Plane:
    high, wide, channels = texture.shape
    x = np.clip(x, 0, wide - 1)
    y = np.clip(y, 0, high - 1)
    left = np.minimum(x.astype(np.int64), wide - 2)
    top = np.minimum(y.astype(np.int64), high - 2)
    across = (x - left).astype(np.float32)[..., None]
    down = (y - top).astype(np.float32)[..., None]
    flat = texture.reshape(high * wide, channels)
    at = top * wide + left
    upper: Plane = flat.take(at, 0)
    upper += (flat.take(at + 1, 0) - upper) * across
    at += wide
    lower: Plane = flat.take(at, 0)
    lower += (flat.take(at + 1, 0) - lower) * across
    lower -= upper
    lower *= down
    upper += lower
    return upper
