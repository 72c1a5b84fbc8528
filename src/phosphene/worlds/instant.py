"""A moment of a world in motion: a frame, and what is known exactly of it and of the next.

Pixels have their centres at whole numbers, x to the right and y down: the pixel in row i and column
j lies at (x, y) = (j, i).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Instant:
    """A frame of a world in motion.

    Attributes:
        image: (h, w, 3), 8-bit RGB.
        flow: (h, w, 2) float64: how far, in pixels, the point of the world that is seen at a
            pixel's centre moves until the next frame, (x, y). Exact, also where it goes out of
            sight.
        objects: (h, w) int32: which object is seen at a pixel's centre; 0 is the background.
        parts: (h, w) int32: which part of it (the face of a cube), numbered over all objects of
            the world from 1; 0 is the background.
        occluded: (h, w): the point seen here is not seen in the next frame, as something else is
            before it, it has turned away, or it has left the frame.
    """

    image: NDArray[np.uint8]
    flow: NDArray[np.float64]
    objects: NDArray[np.int32]
    parts: NDArray[np.int32]
    occluded: NDArray[np.bool_]
