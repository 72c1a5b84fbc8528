"""Means that stream: a value at a time, over classes, and merged from several processes.

Sums are kept exactly, as a few floats that do not overlap, so that a mean does not depend on the
order of the images, nor on how they were shared out before merging.

*Reference*: Shewchuk 1997, "Adaptive precision floating-point arithmetic", for the exact sum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass
class Mean:
    """The mean of the values added so far.

    Attributes:
        parts: Floats whose exact sum is the sum of the values.
        count: How many values were added.
        left_out: How many were undefined (NaN) and are not part of the mean.
    """

    parts: tuple[float, ...] = ()
    count: int = 0
    left_out: int = 0

    def add(self, value: float) -> None:
        """Add a value; NaN is left out, and counted as such."""
        if math.isnan(value):
            self.left_out += 1
            return
        self.parts = _plus(self.parts, float(value))
        self.count += 1

    def __add__(self, other: Mean) -> Mean:
        """Return the mean of both together; neither changes."""
        parts = self.parts
        for part in other.parts:
            parts = _plus(parts, part)
        return Mean(parts, self.count + other.count, self.left_out + other.left_out)

    @property
    def value(self) -> float:
        """The mean; NaN as long as nothing was added."""
        return math.fsum(self.parts) / self.count if self.count else math.nan


@dataclass
class ClassMeans:
    """Means by class, and over classes.

    Attributes:
        classes: The mean of each class, by its name.
    """

    classes: dict[str, Mean] = field(default_factory=dict)

    def add(self, value: float, class_: str = "") -> None:
        """Add the value of one image, which is of a class."""
        self.classes.setdefault(class_, Mean()).add(value)

    def __add__(self, other: ClassMeans) -> ClassMeans:
        """Return the means of both together; neither changes."""
        names = dict.fromkeys((*self.classes, *other.classes))
        none = Mean()
        return ClassMeans(
            {name: self.classes.get(name, none) + other.classes.get(name, none) for name in names}
        )

    @property
    def pooled(self) -> Mean:
        """The mean over images, whatever their class."""
        return sum(self.classes.values(), start=Mean())

    @property
    def per_image(self) -> float:
        """The mean over images; NaN if there are none."""
        return self.pooled.value

    @property
    def per_class(self) -> float:
        """The mean over classes of each class's mean; NaN if there are none.

        A class of which every image was left out has no mean and is left out too.
        """
        over = Mean()
        for mean in self.classes.values():
            over.add(mean.value)
        return over.value

    @property
    def left_out(self) -> int:
        """How many images were left out."""
        return sum(mean.left_out for mean in self.classes.values())


def _plus(parts: tuple[float, ...], value: float) -> tuple[float, ...]:
    """Add a float to a sum kept as parts, losing nothing."""
    kept = []
    for part in parts:
        if abs(value) < abs(part):
            value, part = part, value
        total = value + part
        error = part - (total - value)
        if error:
            kept.append(error)
        value = total
    return (*kept, value)
