"""A square window of a frame at another size: of the picture, of the flow, of labels.

All of them are resampled once, straight from what was stored, by the same map: the pixel in row i
and column j of an output of side n shows the place

    x = left + (j + 1/2) / k - 1/2,    y = top + (i + 1/2) / k - 1/2

of the frame, k = n / side being the factor by which it is enlarged; flipped, j counts from the
right. The filter is a triangle, as wide as a pixel of the coarser of the two grids: bilinear
interpolation where the window is enlarged, with antialiasing where it is shrunk. (A pixel's own
area counts from half a pixel before its centre, so that windows are given by their edges.)

Vectors are multiplied by k, and x negated where the window is flipped. Where flow is not valid it
has no weight: the weights of the valid pixels are divided by their sum, and where they make up less
than half of the whole the result is not valid either.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from phosphene.motion.flow import Flow
from phosphene.motion.pair import Pixels

_HALF = 0.5


@dataclass(frozen=True)
class Window:
    """A square of a frame, and the size it is shown at.

    Attributes:
        left: Of its left edge, pixels from the frame's.
        top: Of its upper edge.
        side: Of the square, pixels of the frame.
        size: Pixels it is shown at.
        flipped: Whether left and right change places.
    """

    left: float
    top: float
    side: float
    size: int
    flipped: bool = False

    @property
    def factor(self) -> float:
        """By how much it is enlarged."""
        return self.size / self.side

    def image(self, pixels: Pixels) -> Pixels:
        """Show it of a frame, (h, w, 3) 8-bit RGB: (size, size, 3)."""
        return np.ascontiguousarray(self._turned(self._resampled(pixels)))

    def flow(self, flow: Flow) -> Flow:
        """Show it of a frame's flow, in pixels of the output."""
        rows, columns = self._seen(flow.size)
        valid = weight = None
        if not flow.valid[rows, columns].all():
            # Vectors are 0 where they are not valid, and add nothing.
            weight = self._resampled(flow.valid.view(np.uint8).astype(np.float32))
            valid = weight >= _HALF
            weight = np.where(valid, weight, np.inf)
        shown = np.empty((2, self.size, self.size), np.float32)  # as tensors have it
        across = -self.factor if self.flipped else self.factor
        for component, factor in enumerate((across, self.factor)):
            values = self._resampled(flow.vectors[:, :, component])
            values = values if weight is None else values / weight
            np.multiply(self._turned(values), np.float32(factor), out=shown[component])
        everywhere = np.ones((self.size, self.size), np.bool_)
        known = everywhere if valid is None else self._turned(valid)
        return Flow(np.moveaxis(shown, 0, 2), known)

    def labels(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Show it of a map of labels, (h, w): of each output pixel the one at its centre."""
        centres = (np.arange(self.size) + 0.5) / self.factor
        rows, columns = (
            np.clip(np.floor(start + centres).astype(np.intp), 0, length - 1)
            for start, length in zip((self.top, self.left), labels.shape, strict=True)
        )
        shown: NDArray[Any] = self._turned(labels[rows[:, None], columns])
        return shown

    def _seen(self, frame: tuple[int, ...]) -> tuple[slice, slice]:
        """Return the rows and columns that the filter reaches."""
        reach = max(1.0, 1 / self.factor) + 1
        rows, columns = (
            slice(max(0, floor(start - reach)), min(length, ceil(start + self.side + reach)))
            for start, length in zip((self.top, self.left), frame, strict=False)
        )
        return rows, columns

    def _resampled(self, given: NDArray[Any]) -> NDArray[Any]:
        """Resample 8-bit RGB or one channel of float32; what lies outside has no weight."""
        rows, columns = self._seen(given.shape)
        part = given[rows, columns]
        left, top = self.left - columns.start, self.top - rows.start
        box = (
            max(left, 0),
            max(top, 0),
            min(left + self.side, part.shape[1]),
            min(top + self.side, part.shape[0]),
        )
        size = (self.size, self.size)
        return np.asarray(Image.fromarray(part).resize(size, Image.Resampling.BILINEAR, box=box))

    def _turned(self, shown: Any) -> Any:
        return shown[:, ::-1] if self.flipped else shown
