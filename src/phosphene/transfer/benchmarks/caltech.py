"""Caltech-101 and Caltech-256, and random splits of so many photographs a class."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import numpy as np

from phosphene.errors import ImageError, SettingError
from phosphene.transfer.benchmarks.class_folders import class_folders
from phosphene.transfer.benchmarks.file_sets import SortedFiles
from phosphene.transfer.benchmarks.listing import folders_in
from phosphene.transfer.benchmarks.records import Sorted
from phosphene.transfer.benchmarks.selection import selected

FOLDERS = ("101_ObjectCategories", "256_ObjectCategories")
_GROUNDS = ("BACKGROUND_Google", "257.clutter")

AnySorted = TypeVar("AnySorted", bound=Sorted)


def open_caltech(folder: str | Path, split: str = "") -> SortedFiles:
    """Open Caltech-101 or Caltech-256, less the class of backgrounds.

    Of Caltech-101 `BACKGROUND_Google` is left out, of Caltech-256 `257.clutter`, as is usual: 101
    and 256 classes remain. Caltech-256's numbers are no part of the classes' names.

    Args:
        folder: `101_ObjectCategories` or `256_ObjectCategories`, or a folder that holds one.
        split: Must be empty: there is none; see `random_splits`.

    Raises:
        ImageError: It is not there.
        SettingError: A split was asked for.

    *Reference*: Fei-Fei, Fergus and Perona 2004, "Learning generative visual models from few
    training examples"; Griffin, Holub and Perona 2007, "Caltech-256 object category dataset".
    """
    if split:
        raise SettingError(
            f"Caltech has no split {split!r}: photographs to train with are drawn, so many a class"
        )
    folder = Path(folder)
    root = next((folder / name for name in FOLDERS if (folder / name).is_dir()), folder)
    names = folders_in(root)
    grounds = [name for name in names if name in _GROUNDS]
    kept = [name for name in names if name not in _GROUNDS]
    if not kept:
        raise ImageError(f"{folder} holds no Caltech: it needs a folder for each class")
    notes = [f"{ground} is left out: it is no class of objects" for ground in grounds]
    return class_folders(root, kept, [_called(name) for name in kept], notes)


def random_splits(
    whole: AnySorted,
    train: int = 30,
    test: int | None = 50,
    *,
    splits: int = 5,
    seed: int = 0,
) -> list[tuple[AnySorted, AnySorted]]:
    """Draw, several times, so many photographs of each class to train with, and test with others.

    Zeiler and Fergus take 15 or 30 a class of Caltech-101 and at most 50 others to test with, and
    15, 30, 45 or 60 of Caltech-256; accuracies are means over classes, then over splits. What is
    drawn of a class hangs on the seed, the number of the split, the class's name and how many
    photographs it has; and fewer to train with are some of the more.

    Args:
        whole: All photographs.
        train: Photographs a class to train with.
        test: Photographs a class to test with, at most; `None` for all others.
        splits: How many to draw.
        seed: Where random numbers come from.

    Returns:
        (train, test) of each split. No photograph is in both.

    Raises:
        SettingError: A class has too few photographs, or a number cannot be.

    *Reference*: Zeiler and Fergus 2014, section 5.2.
    """
    if train < 1 or splits < 1 or (test is not None and test < 1):
        raise SettingError(
            f"{splits} splits of {train} and {test} photographs a class cannot be: give 1 or more"
        )
    members = [np.flatnonzero(whole.class_of == c) for c in range(len(whole.classes))]
    least = min(range(len(members)), key=lambda c: len(members[c]))
    if len(members[least]) <= train:
        raise SettingError(
            f"{whole.classes[least]} has {len(members[least])} photographs: {train} a class to "
            f"train with leave none to test with; give {max(len(members[least]) - 1, 0)} at most"
        )
    found = []
    for number in range(splits):
        chosen: list[int] = []
        left: list[int] = []
        for name, these in zip(whole.classes, members, strict=True):
            order = np.random.default_rng([seed, number, *name.encode()]).permutation(these)
            end = len(order) if test is None else train + test
            chosen += sorted(order[:train].tolist())
            left += sorted(order[train:end].tolist())
        found.append((selected(whole, chosen), selected(whole, left)))
    return found


def _called(name: str) -> str:
    """Take the number off: `056.dog` is dog."""
    number, dot, rest = name.partition(".")
    return rest if dot and len(number) == 3 and number.isdigit() and rest else name
