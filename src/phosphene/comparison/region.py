"""A part of a picture, and which positions of a layer's map look at it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phosphene.core.preprocessing import Frame
from phosphene.errors import ImageError, SettingError
from phosphene.survey.facts import LayerFacts

Bools = NDArray[np.bool_]
Box = tuple[float, float, float, float]
"""(top, left, bottom, right) in pixels of the network's input, edges at half numbers."""


@dataclass(frozen=True)
class Region:
    """A rectangle of a photograph, in its pixels: x to the right, y down.

    Attributes:
        left: First column.
        top: First row.
        right: The column behind the last.
        bottom: The row behind the last.
    """

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def parse(cls, text: str) -> Region:
        """Read `x0,y0,x1,y1`.

        Raises:
            SettingError: It is no rectangle.

        >>> Region.parse("10,20,50,40")
        Region(left=10, top=20, right=50, bottom=40)
        """
        parts = text.split(",")
        if len(parts) == 4 and all(part.strip().isdecimal() for part in parts):
            found = cls(*map(int, parts))
            if found.left < found.right and found.top < found.bottom:
                return found
        raise SettingError(
            f"{text!r} is no region: give x0,y0,x1,y1 in pixels of the picture, as 120,40,260,180, "
            "with x0 < x1 and y0 < y1"
        )

    def on(self, frame: Frame, name: str) -> Box:
        """Find the region on what a network sees of the photograph.

        Raises:
            ImageError: Nothing of it is there.
        """
        (ph, pw), (rh, rw) = frame.photograph, frame.resized
        top, left, height, width = frame.box
        box = (
            max(self.top * rh / ph - top, 0.0),
            max(self.left * rw / pw - left, 0.0),
            min(self.bottom * rh / ph - top, height),
            min(self.right * rw / pw - left, width),
        )
        if box[0] >= box[2] or box[1] >= box[3]:
            y, x, h, w = (round(value) for value in frame.on_photograph())
            raise ImageError(
                f"the region {self} is no part of what the network sees of {name} ({pw}x{ph}): its "
                f"crop is {x},{y},{x + w},{y + h}"
            )
        return box

    def __str__(self) -> str:
        return f"{self.left},{self.top},{self.right},{self.bottom}"


def looking_at(fact: LayerFacts, box: Box | None) -> Bools:
    """Tell which positions of a map have the middle of their field in a box.

    Args:
        fact: The layer.
        box: The part of the input; all of it if `None`.

    Returns:
        (h, w); of a box that no middle lies in, the one position nearest to its own middle.
    """
    if box is None:
        return np.ones((fact.height, fact.width), np.bool_)
    chosen = []
    for axis, count in enumerate((fact.height, fact.width)):
        k = np.arange(count, dtype=np.float64)
        middle = (k + 0.5) * fact.input_size[axis] / count
        if fact.field is not None and min(fact.field.stride) > 0:
            middle = fact.field.centre[axis] + k * fact.field.stride[axis] + 0.5
        low, high = box[axis], box[axis + 2]
        inside = (middle >= low) & (middle < high)
        if not inside.any():
            inside[np.abs(middle - (low + high) / 2).argmin()] = True
        chosen.append(inside)
    return np.outer(chosen[0], chosen[1])
