"""Cameras: from points of space to pixels, and from the pixels of a plane back to its points.

The camera looks along z; x runs to the right and y down, as in the image. The middle of the frame
is ((w - 1) / 2, (h - 1) / 2), as pixels have their centres at whole numbers.

A point (X, Y, Z) is seen at

    orthographic:  (x, y) = middle + focal * (X, Y)
    perspective:   (x, y) = middle + focal * (X, Y) / Z

On a plane, whose points are origin + u * across + v * down, both are a homography of (u, v): its
3 x 3 matrix takes (u, v, 1) to the pixel times a third coordinate, which is 1 or Z.

Reference:
    R. Hartley and A. Zisserman, *Multiple View Geometry in Computer Vision*, 2nd ed., 2004,
    sections 6.1, 6.3 and 8.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import SettingError

Numbers = NDArray[np.float64]

SMALLEST = 16
LARGEST = 4096


@dataclass(frozen=True)
class Camera:
    """How space comes to the frame.

    Attributes:
        size: (h, w) of the frame, in pixels, 16 to 4096 each.
        focal: Orthographic: pixels to a unit of length. Perspective: pixels to a unit of length at
            a distance of one.
        projection: `"orthographic"` or `"perspective"`.

    Raises:
        SettingError: A size, focal length or projection that cannot be.
    """

    size: tuple[int, int]
    focal: float
    projection: Literal["orthographic", "perspective"] = "perspective"

    def __post_init__(self) -> None:
        given = self.size if isinstance(self.size, tuple) else ()
        fits = [isinstance(n, int | np.integer) and SMALLEST <= n <= LARGEST for n in given]
        if fits != [True, True]:
            raise SettingError(
                f"frames of size {self.size} were asked for: give height and width in whole "
                f"pixels, {SMALLEST} to {LARGEST} each"
            )
        if not (math.isfinite(self.focal) and self.focal > 0):
            raise SettingError(f"the focal length {self.focal} cannot be: give pixels, above 0")
        if self.projection not in ("orthographic", "perspective"):
            raise SettingError(
                f"there is no projection {self.projection!r}: take 'orthographic' or 'perspective'"
            )

    @property
    def middle(self) -> tuple[float, float]:
        """(x, y) of the frame's middle, in pixels."""
        return (self.size[1] - 1) / 2, (self.size[0] - 1) / 2

    def project(self, points: Numbers) -> Numbers:
        """Give the pixels (..., 2), x first, at which points (..., 3) are seen."""
        flat: Numbers = self.focal * points[..., :2]
        if self.projection == "perspective":
            flat = flat / points[..., 2:]
        flat = flat + np.array(self.middle)
        return flat

    def homographies(self, across: Numbers, down: Numbers, origin: Numbers) -> Numbers:
        """Give the matrices that take points of planes to pixels.

        Args:
            across: (n, 3), from (u, v) = (0, 0) to (1, 0) of each plane.
            down: (n, 3), from (0, 0) to (0, 1).
            origin: (n, 3), at (0, 0).

        Returns:
            (n, 3, 3). The determinant is positive where the plane shows the side from which
            across, turned clockwise by a right angle, is down; negative where it shows the other.
        """
        space = np.stack([across, down, origin], axis=-1)
        (x, y), third = self.middle, np.array([0.0, 0.0, 1.0])
        if self.projection == "perspective":
            return np.array([[self.focal, 0, x], [0, self.focal, y], third]) @ space
        matrices = np.empty_like(space)
        matrices[:, 0] = self.focal * space[:, 0] + x * third
        matrices[:, 1] = self.focal * space[:, 1] + y * third
        matrices[:, 2] = third
        return matrices
