"""Which photographs are learned from, and which are tested with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import SettingError

Indices = NDArray[np.int64]
_OTHERS = 256
"""No byte of a name, so that a test set of its own is put in an order of its own."""


@dataclass(frozen=True, eq=False)
class Split:
    """Photographs of a split, class by class.

    Attributes:
        train: Numbers of those that are learned from, in the training set.
        test: Numbers of those that are tested with, in the test set.
    """

    train: Indices
    test: Indices


def split_of(
    class_of: Indices,
    classes: Sequence[str],
    count: int,
    tested: int | None,
    number: int,
    seed: int,
    test_class_of: Indices | None = None,
) -> Split:
    """Draw photographs of every class.

    They hang on the seed, the number, and the class's name and photographs alone: these are put in
    an order, of which the first are learned from, so that larger counts take in smaller ones, and
    the next tested with. These are the splits of `benchmarks.caltech.random_splits`.

    Args:
        class_of: (n,) of the photographs.
        classes: Their names.
        count: How many of each class are learned from.
        tested: With how many at most it is tested; all others if `None`.
        number: Of the split.
        seed: Of all splits.
        test_class_of: Of photographs that are only tested with; the others of the first if `None`.

    Raises:
        SettingError: A class has too few.
    """
    train: list[Indices] = []
    test: list[Indices] = []
    for at, name in enumerate(classes):
        own = _ordered(class_of, at, [seed, number, *name.encode()])
        if test_class_of is None:
            others = own[count:]
        else:
            others = _ordered(test_class_of, at, [seed, number, *name.encode(), _OTHERS])
        if len(own) < count or not len(others):
            raise SettingError(
                f"class {name!r} has {len(own)} photographs"
                f"{'' if test_class_of is None else f' and {len(others)} to test'}, which is too "
                f"few to learn from {count} and to be tested with others: learn from fewer, or "
                "leave the class out"
            )
        train.append(own[:count])
        test.append(others if tested is None else others[:tested])
    return Split(np.concatenate(train), np.concatenate(test))


def _ordered(class_of: Indices, number: int, seed: list[int]) -> Indices:
    return np.random.default_rng(seed).permutation(np.flatnonzero(class_of == number))
