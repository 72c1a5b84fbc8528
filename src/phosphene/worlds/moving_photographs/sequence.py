"""A sequence of moving photographs: layers one before the other, and what is known of every pixel.

What is at a pixel's centre p belongs to the nearest layer k whose alpha there, interpolated
bilinearly, is 1/2 or more. It moves by

    flow(p) = A_k(t + 1) A_k(t)^-1 p - p,

where A_k(t) is the affine map from the layer to the frame. It is occluded where the point it moves
to lies outside the frame's area, [-1/2, w - 1/2] x [-1/2, h - 1/2], or where a nearer layer's alpha
at that point is 1/2 or more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import SettingError
from phosphene.worlds.instant import Instant
from phosphene.worlds.moving_photographs.affine import Points
from phosphene.worlds.moving_photographs.layer import OUTLINE, Layer


@dataclass(frozen=True, eq=False)
class MovingPhotographs:
    """A background and things that move before it.

    Attributes:
        layers: From the farthest, the background, to the nearest; their number in `objects` and
            `parts` is their place here.
        size: (h, w) of a frame, in pixels.
        names: Where the things come from.
    """

    layers: tuple[Layer, ...]
    size: tuple[int, int]
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.layers[0].maps) - 1

    def __iter__(self) -> Iterator[Instant]:
        return (self.instant(t) for t in range(len(self)))

    def instant(self, t: int) -> Instant:
        """Draw a frame, and say what is known of it.

        Args:
            t: Its number, from 0; the last one has a flow too, until the frame that would follow.

        Raises:
            SettingError: There is no such frame.
        """
        if not 0 <= t < len(self):
            raise SettingError(f"there is no frame {t}: frames go from 0 to {len(self) - 1}")
        image, objects = self._drawn(t)
        points = _centres(*self.size)
        after = np.empty_like(points)
        occluded = np.zeros(self.size, np.bool_)
        for number, layer in enumerate(self.layers):
            own = objects == number
            after[own] = moved = layer.moved(t, points[own])
            hidden = np.zeros(len(moved), np.bool_)
            for nearer in self.layers[number + 1 :]:
                hidden |= nearer.covers(t + 1, moved)
            occluded[own] = hidden | ~self._inside(moved)
        return Instant(image, after - points, objects, objects.copy(), occluded)

    def _inside(self, points: Points) -> NDArray[np.bool_]:
        high, wide = self.size
        x, y = points[..., 0], points[..., 1]
        inside: NDArray[np.bool_]
        inside = (x >= -0.5) & (x <= wide - 0.5) & (y >= -0.5) & (y <= high - 0.5)
        return inside

    def _drawn(self, t: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        high, wide = self.size
        x, y = np.arange(wide, dtype=np.float64), np.arange(high, dtype=np.float64)
        canvas = self.layers[0].color(t, x, y)
        objects = np.zeros(self.size, np.int32)
        for number, layer in enumerate(self.layers[1:], 1):
            rows, columns = layer.window(t, self.size)
            seen = layer.color(t, x[columns], y[rows])
            under = canvas[rows, columns]
            under += (seen[..., :3] - under) * seen[..., 3:]
            objects[rows, columns][seen[..., 3] >= OUTLINE] = number
        image: NDArray[np.uint8] = np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
        return image, objects


def _centres(high: int, wide: int) -> Points:
    x, y = np.meshgrid(np.arange(wide, dtype=np.float64), np.arange(high, dtype=np.float64))
    return np.stack([x, y], axis=-1)
