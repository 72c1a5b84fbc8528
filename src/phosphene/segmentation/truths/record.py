"""What is known to be in a photograph: masks, boxes, classes; and sets of that, read one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import PhospheneError

Mask = NDArray[np.uint8]
"""(h, w): 0 background, 1 foreground, 255 to be ignored."""

OnError = Callable[[str, PhospheneError], None]


@dataclass(frozen=True)
class Box:
    """A box around an object, as everywhere in `segmentation`.

    Whatever its file says, pixels are counted from 0, and the box ends with the first ones outside:
    it is x1 - x0 wide and y1 - y0 high.

    Attributes:
        label: The object's class.
        x0: First column.
        y0: First row.
        x1: First column to its right.
        y1: First row below it.
        difficult: Whether those who drew it say it is hard to tell.
    """

    label: str
    x0: float
    y0: float
    x1: float
    y1: float
    difficult: bool = False

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """The numbers x0, y0, x1, y1."""
        return self.x0, self.y0, self.x1, self.y1


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known about one photograph.

    Attributes:
        name: What to call it.
        photo: The photograph's file, or its (h, w, 3) pixels of 8 bits where a set holds them.
        masks: Masks of what is to be found. They are alternatives: of several annotators, or of
            several objects of which any will do.
        boxes: The objects' boxes.
        classes: The classes it is counted under; the first one in averages by class.
    """

    name: str
    photo: Path | NDArray[np.uint8]
    masks: tuple[Mask, ...] = ()
    boxes: tuple[Box, ...] = ()
    classes: tuple[str, ...] = ()


class Truths(Sequence[Truth]):
    """A set of truths, of which each is read at the moment it is asked for.

    Args:
        names: What each is called.
        read: Reads the truth of a number.
        numbers: Which of them are part of the set; all if None.
    """

    def __init__(
        self,
        names: Sequence[str],
        read: Callable[[int], Truth],
        numbers: Sequence[int] | None = None,
    ) -> None:
        self._names = names
        self._read = read
        self._numbers = range(len(names)) if numbers is None else numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int | slice) -> Any:
        """Read one truth; of a slice, return the smaller set without reading it."""
        if isinstance(index, slice):
            return Truths(self._names, self._read, self._numbers[index])
        return self._read(self._numbers[index])

    def __iter__(self) -> Iterator[Truth]:
        return (self._read(number) for number in self._numbers)

    @property
    def names(self) -> tuple[str, ...]:
        """What each is called, found without reading them."""
        return tuple(self._names[number] for number in self._numbers)

    def each(self, on_error: OnError) -> Iterator[Truth]:
        """Read all that can be read.

        Args:
            on_error: Takes the name of a truth that cannot be read, and the error.
        """
        for number in self._numbers:
            try:
                truth = self._read(number)
            except PhospheneError as error:
                on_error(self._names[number], error)
            else:
                yield truth
