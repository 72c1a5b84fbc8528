"""Crops of photographs, as the protocol trains and tests with.

Two programs stand behind the numbers that are compared, and crop in two ways:

`"padded"`, Larsson's, which the thesis used: the photograph is scaled by s ~ U[low, high], black is
put around it where it is smaller than the crop, and the crop lies anywhere in it.

`"inside"`, Kraehenbuehl's: the crop is scaled. It covers s times as many pixels each way,
s ~ U[min(low, m), m], m = min(high, h / crop, w / crop), so that it never leaves the photograph
and is never padded; it lies anywhere in it.

Departure from both: scaling down is antialiased, which bilinear interpolation alone is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Way = Literal["padded", "inside"]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Cropping:
    """How crops are drawn.

    Attributes:
        size: (h, w) of a crop.
        scales: Least and largest scale.
        mirror: Whether half of them are mirrored.
        way: Of the two above.
    """

    size: tuple[int, int]
    scales: tuple[float, float] = (0.5, 2.0)
    mirror: bool = True
    way: Way = "padded"

    def __call__(self, photograph: Image.Image, rng: np.random.Generator) -> Pixels:
        """Crop a photograph: (h, w, 3), RGB in 0 to 255.

        As many random numbers are drawn whatever the sizes, so that networks of other inputs see
        crops of the same places.
        """
        scale, across, down, turn = rng.random(4).tolist()
        padded = self.way == "padded"
        crop = (self._padded if padded else self._inside)(photograph, scale, across, down)
        return crop[:, ::-1].copy() if self.mirror and turn < 0.5 else crop

    def _padded(self, photograph: Image.Image, scale: float, across: float, down: float) -> Pixels:
        factor = self.scales[0] + (self.scales[1] - self.scales[0]) * scale
        (height, width), (wide, high) = self.size, photograph.size
        scaled = max(1, int(high * factor)), max(1, int(wide * factor))
        top, row, rows = _along(height, scaled[0], down)
        left, column, columns = _along(width, scaled[1], across)
        y, x = high / scaled[0], wide / scaled[1]
        box = (left * x, top * y, (left + columns) * x, (top + rows) * y)
        part = _resized(photograph, (columns, rows), box)
        if (rows, columns) == self.size:
            return part
        crop = np.zeros((*self.size, 3), np.uint8)
        crop[row : row + rows, column : column + columns] = part
        return crop

    def _inside(self, photograph: Image.Image, scale: float, across: float, down: float) -> Pixels:
        (height, width), (wide, high) = self.size, photograph.size
        most = min(self.scales[1], high / height, wide / width)
        least = min(self.scales[0], most)
        factor = least + (most - least) * scale
        left, top = across * (wide - factor * width), down * (high - factor * height)
        right, bottom = min(wide, left + factor * width), min(high, top + factor * height)
        return _resized(photograph, (width, height), (max(0, left), max(0, top), right, bottom))


def _along(crop: int, photograph: int, place: float) -> tuple[int, int, int]:
    """Lay a crop along one axis: where it begins there, where that is in it, and how much."""
    if photograph < crop:
        return 0, (crop - photograph) // 2, photograph
    return int(place * (photograph - crop + 1)), 0, crop


def _resized(
    photograph: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float]
) -> Pixels:
    # Rounding may lead out of the photograph by its last digit.
    wide, high = photograph.size
    held = (box[0], box[1], min(box[2], wide), min(box[3], high))
    return np.asarray(photograph.resize(size, Image.Resampling.BILINEAR, held), np.uint8).copy()
