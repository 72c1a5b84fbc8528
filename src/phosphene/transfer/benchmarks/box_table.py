"""Boxes of many photographs, brought inside their photographs while they are collected."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phosphene.transfer.benchmarks.listing import many, some
from phosphene.transfer.benchmarks.records import Boxes


class BoxTable:
    """Boxes, one photograph's after the other's.

    Attributes:
        counts: How many each photograph has.
        sizes: Width and height of each photograph; 0 where nobody knows.
    """

    def __init__(self) -> None:
        self.counts: list[int] = []
        self.sizes: list[tuple[int, int]] = []
        self._names: list[str] = []
        self._corners: list[tuple[float, float, float, float]] = []
        self._classes: list[int] = []
        self._difficult: list[bool] = []
        self._clipped: dict[str, int] = {}
        self._outside: dict[str, int] = {}

    def begin(self, name: str, size: tuple[int, int]) -> None:
        """Go on to the next photograph.

        Args:
            name: What to call it.
            size: Its width and height, pixels; 0 where nobody knows.
        """
        self._names.append(name)
        self.counts.append(0)
        self.sizes.append(size)

    def add(self, corners: tuple[float, float, float, float], class_: int, difficult: bool) -> None:
        """Add an object of this photograph.

        What of its box lies outside the photograph is cut off; a box of which nothing is left is
        left out.

        Args:
            corners: x0, y0, x1, y1 as `Boxes.corners` has them.
            class_: Its class.
            difficult: Whether it does not count when detections are scored.
        """
        name, (width, height) = self._names[-1], self.sizes[-1]
        x0, y0, x1, y1 = corners
        if width and height:
            x0, x1 = (min(max(x, 0.0), float(width)) for x in (x0, x1))
            y0, y1 = (min(max(y, 0.0), float(height)) for y in (y0, y1))
        if x0 >= x1 or y0 >= y1:
            self._outside[name] = self._outside.get(name, 0) + 1
            return
        if (x0, y0, x1, y1) != tuple(corners):
            self._clipped[name] = self._clipped.get(name, 0) + 1
        self._corners.append((x0, y0, x1, y1))
        self._classes.append(class_)
        self._difficult.append(difficult)
        self.counts[-1] += 1

    def boxes(self) -> Boxes:
        """Return all boxes."""
        corners: NDArray[np.float64] = np.array(self._corners, np.float64).reshape(-1, 4)
        return Boxes(corners, np.array(self._classes, np.int64), np.array(self._difficult, bool))

    def notes(self, classes: tuple[str, ...]) -> list[str]:
        """Say what was cut off and left out, and which classes have no object."""
        notes = []
        for what, found in (
            ("reaching beyond the photograph clipped", self._clipped),
            (
                "wholly outside the photograph, or empty, left out",
                self._outside,
            ),
        ):
            if found:
                boxes = many(sum(found.values()), "box", "boxes")
                notes.append(f"{boxes} {what}: in {some(list(found))}")
        counted = np.array(self._classes, np.int64)[~np.array(self._difficult, bool)]
        counts = np.bincount(counted, minlength=len(classes))
        none = [name for name, count in zip(classes, counts.tolist(), strict=True) if not count]
        if none:
            notes.append(f"no object that counts is of {some(none)}")
        return notes
