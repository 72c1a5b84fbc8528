"""A part of a set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from phosphene.errors import SettingError
from phosphene.transfer.benchmarks.records import Boxes, Photographs

AnySet = TypeVar("AnySet", bound=Photographs)


def selected(whole: AnySet, indices: Sequence[int] | NDArray[np.int64]) -> AnySet:
    """Take some photographs of a set, as a set of the same kind.

    Args:
        whole: The set; it is not copied.
        indices: Which, in the order they shall have.

    Raises:
        IndexError: There is no such number.
    """
    return cast(AnySet, _Selection(whole, np.asarray(indices, np.int64)))


def held_out(whole: AnySet, share: float, seed: int = 0) -> tuple[AnySet, AnySet]:
    """Part a set at random, in two of the same kind.

    Args:
        whole: The set.
        share: Of photographs that go to the second part; of those of one class each, of every
            class, one at least.
        seed: Of which.

    Raises:
        SettingError: A part would be empty, or a class has a single photograph.
    """
    if not 0 < share < 1:
        raise SettingError(
            f"a share of {share:g} cannot be held out: give more than 0, less than 1"
        )
    rng = np.random.default_rng([seed, 5])
    groups = {"set": np.arange(len(whole))}
    classes = getattr(whole, "class_of", None)
    if classes is not None and len(classes) == len(whole):
        groups = {
            f"class {whole.classes[k]}": np.flatnonzero(classes == k) for k in np.unique(classes)
        }
    kept: list[int] = []
    left: list[int] = []
    for what, members in groups.items():
        if len(members) < 2:
            raise SettingError(
                f"the {what} has {len(members)} photograph: two or more can be parted"
            )
        count = min(len(members) - 1, max(1, round(share * len(members))))
        order = rng.permutation(members).tolist()
        left += order[:count]
        kept += order[count:]
    return selected(whole, sorted(kept)), selected(whole, sorted(left))


class _Selection:
    """Some photographs of a set of any kind; it knows what the set knows."""

    def __init__(self, whole: Any, indices: NDArray[np.int64]) -> None:
        if len(indices) and not (0 <= indices.min() and indices.max() < len(whole)):
            raise IndexError(f"of {len(whole)} photographs, numbers go from 0 to {len(whole) - 1}")
        self._whole, self._indices = whole, indices
        self.classes, self.notes = tuple(whole.classes), tuple(whole.notes)
        for known in ("class_of", "present"):
            value = getattr(whole, known, None)
            if value is not None and len(value) == len(whole):
                setattr(self, known, value[indices])

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._indices)

    def name(self, index: int) -> str:
        """Say what to call one."""
        return str(self._whole.name(int(self._indices[index])))

    def origin(self, index: int) -> str:
        """Say where one comes from; its name, in a set that does not know."""
        origin = getattr(self._whole, "origin", self._whole.name)
        return str(origin(int(self._indices[index])))

    def path(self, index: int) -> Path | None:
        """Return the file of one; nothing, in a set without files."""
        path = getattr(self._whole, "path", None)
        return cast(Path, path(int(self._indices[index]))) if path is not None else None

    def image(self, index: int) -> Image.Image:
        """Read one."""
        return cast(Image.Image, self._whole.image(int(self._indices[index])))

    def boxes(self, index: int) -> Boxes:
        """Read the objects of one."""
        return cast(Boxes, self._whole.boxes(int(self._indices[index])))

    def labels(self, index: int) -> NDArray[np.uint8]:
        """Read the classes of one's pixels."""
        return cast(NDArray[np.uint8], self._whole.labels(int(self._indices[index])))
