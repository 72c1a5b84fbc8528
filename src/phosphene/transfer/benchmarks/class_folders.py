"""Any folder of photographs in which each class has a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from phosphene.errors import ImageError, SettingError, nearest
from phosphene.transfer.benchmarks.file_sets import SortedFiles
from phosphene.transfer.benchmarks.listing import (
    are,
    folders_in,
    many,
    photographs_in,
    some,
)


def open_class_folders(folder: str | Path, split: str = "") -> SortedFiles:
    """Open a folder per class: `FOLDER/CLASS/...`, or `FOLDER/SPLIT/CLASS/...`.

    Classes are in the order of the alphabet. All photographs below a class's folder are its.

    Args:
        folder: The folder.
        split: Which of the folders in it has the folders of classes; the folder itself if empty.

    Raises:
        SettingError: There is no such split.
        ImageError: There is no folder, or no photograph in it; or photographs lie beside the
            folders of classes.
    """
    folder = Path(folder)
    if split:
        if split not in (there := folders_in(folder)):
            hint = nearest(split, there) or f": there are {some(there) or 'none'}"
            raise SettingError(f"{folder} has no split {split!r}{hint}")
        folder = folder / split
    return class_folders(folder, folders_in(folder))


def class_folders(
    folder: Path,
    names: Sequence[str],
    classes: Sequence[str] | None = None,
    notes: Sequence[str] = (),
) -> SortedFiles:
    """Open folders of one class each.

    Args:
        folder: Where they lie.
        names: Names of the folders; one that is not there is a class without photographs.
        classes: What to call the classes; as the folders if not given.
        notes: What a person should know, beside what is found.

    Raises:
        ImageError: There is no photograph in them, or one beside them.
    """
    own, _ = photographs_in(folder)
    if own and names:
        raise ImageError(
            f"{folder} holds photographs ({some(own)}) beside folders ({some(names)}): give each "
            "class a folder, and nothing beside"
        )
    files: list[str] = []
    counts: list[int] = []
    others: list[str] = []
    for name in names:
        found, rest = _below(folder, name) if (folder / name).is_dir() else ([], [])
        files += found
        others += rest
        counts.append(len(found))
    if not files:
        raise ImageError(f"{folder} holds no photographs in folders, one folder a class")
    notes = list(notes)
    called = tuple(names if classes is None else classes)
    if others:
        count = many(len(others), "file")
        notes.append(f"{count} {are(len(others))} no photograph: {some(others)}")
    none = [name for name, count in zip(called, counts, strict=True) if not count]
    if none:
        notes.append(f"no photograph is of {some(none)}")
    return SortedFiles(folder, files, called, np.repeat(np.arange(len(names)), counts), notes)


def _below(folder: Path, name: str) -> tuple[list[str], list[str]]:
    """List the photographs and the other files below a folder, by paths from `folder`."""
    found, rest = photographs_in(folder / name)
    files, others = [f"{name}/{file}" for file in found], [f"{name}/{file}" for file in rest]
    for inner in folders_in(folder / name):
        more, further = _below(folder, f"{name}/{inner}")
        files += more
        others += further
    return files, others
