"""What is known of the photographs of a set: classes, boxes, or the class of every pixel.

A photograph is read when it is asked for. Sets may be sent to other processes, so that they hold
paths and small arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from phosphene.errors import SettingError

UNKNOWN = 255
"""Label of pixels that do not count."""


class Photographs(Protocol):
    """Photographs that have names.

    Attributes:
        classes: Names of the classes.
        notes: What a person should know of the set: files that are missing or left over, ...
    """

    classes: tuple[str, ...]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        """Return how many there are."""

    def name(self, index: int) -> str:
        """Say what to call one, without reading it."""

    def image(self, index: int) -> Image.Image:
        """Read one, RGB, upright.

        Raises:
            ImageError: It cannot be read.
        """


class Sorted(Photographs, Protocol):
    """Photographs of one class each.

    Attributes:
        class_of: (n,) int64.
    """

    class_of: NDArray[np.int64]


class Tagged(Photographs, Protocol):
    """Photographs in which several classes may be present.

    Attributes:
        present: (n, classes) int8: 1 where a class is present, 0 where it is not, -1 where it does
            not count (VOC: present as "difficult" objects alone).
    """

    present: NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Boxes:
    """Objects in a photograph.

    Attributes:
        corners: (n, 4) float64: x of the left edge, y of the upper, x of the right, y of the lower,
            in pixels from the photograph's own upper left edge, so that a box around the whole of
            a w x h photograph is (0, 0, w, h).
        classes: (n,) int64.
        difficult: (n,) bool: whether an object does not count when detections are scored.
    """

    corners: NDArray[np.float64]
    classes: NDArray[np.int64]
    difficult: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.classes)


class Boxed(Photographs, Protocol):
    """Photographs with boxes around their objects."""

    def boxes(self, index: int) -> Boxes:
        """Read the objects of one.

        Raises:
            ImageError: What is known of it cannot be read.
        """


class Labelled(Photographs, Protocol):
    """Photographs the class of whose every pixel is known; class 0 is the ground."""

    def labels(self, index: int) -> NDArray[np.uint8]:
        """Read the classes of one's pixels: (h, w), `UNKNOWN` where they do not count.

        Raises:
            ImageError: They cannot be read, or do not fit the photograph.
        """


class InMemory:
    """Photographs in memory, with whatever is known of them: a set of every kind.

    Args:
        images: The photographs, RGB.
        classes: Names of the classes.
        class_of: (n,), for `Sorted`.
        present: (n, classes), for `Tagged`.
        boxes: Of each, for `Boxed`.
        labels: (h, w) of each, for `Labelled`.
        names: What to call them; numbers if not given.

    Raises:
        SettingError: There are not as many of all.
    """

    def __init__(
        self,
        images: Sequence[Image.Image],
        classes: Sequence[str],
        *,
        class_of: Sequence[int] | None = None,
        present: NDArray[np.int8] | None = None,
        boxes: Sequence[Boxes] | None = None,
        labels: Sequence[NDArray[np.uint8]] | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        for given in (class_of, present, boxes, labels, names):
            if given is not None and len(given) != len(images):
                raise SettingError(
                    f"{len(images)} photographs and what is known of {len(given)} do not fit: "
                    "give as many of both"
                )
        self.classes, self.notes = tuple(classes), ()
        self._images, self._names = list(images), list(names or map(str, range(len(images))))
        self._boxes, self._labels = list(boxes or ()), list(labels or ())
        self.class_of = np.array([] if class_of is None else class_of, np.int64)
        self.present = np.zeros((0, len(classes)), np.int8) if present is None else present

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._images)

    def name(self, index: int) -> str:
        """Say what to call one."""
        return self._names[index]

    def image(self, index: int) -> Image.Image:
        """Return one."""
        return self._images[index]

    def boxes(self, index: int) -> Boxes:
        """Return the objects of one."""
        return self._boxes[index]

    def labels(self, index: int) -> NDArray[np.uint8]:
        """Return the classes of one's pixels."""
        return self._labels[index]
