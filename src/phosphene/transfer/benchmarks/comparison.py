"""What two sets have in common that should not, and have not that they should."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from phosphene.errors import ImageError, SettingError
from phosphene.transfer.benchmarks.listing import are, many, some
from phosphene.transfer.benchmarks.records import Photographs


def overlap(train: Photographs, test: Photographs, *, contents: bool = False) -> tuple[str, ...]:
    """Name the photographs that are in both of two sets.

    Photographs in files are the same if their files are: `train/cat/1.jpg` and `test/cat/1.jpg` are
    not. Others are the same if their names are, as VOC's are in VOC's segmentation and in SBD.

    Args:
        train: One set.
        test: The other, which they are named by, in its order.
        contents: Whether files of the same bytes are the same as well. That takes the sizes of all
            files, and reads those that have the size of another.

    Raises:
        ImageError: With `contents`: a file cannot be read.

    >>> from PIL import Image
    >>> from phosphene.transfer.benchmarks.records import InMemory
    >>> photos = [Image.new("RGB", (8, 8))] * 2
    >>> overlap(InMemory(photos, [], names=["a", "b"]), InMemory(photos, [], names=["b", "c"]))
    ('b',)
    """
    mine, known = _origins(test), set(_origins(train))
    found = {index for index, origin in enumerate(mine) if origin in known}
    if contents:
        found |= _copies(train, test)
    return tuple(test.name(index) for index in sorted(found))


def overlap_note(train: Photographs, test: Photographs, *, contents: bool = False) -> str:
    """Say in a sentence which photographs are in both sets; empty if none is.

    Raises:
        ImageError: With `contents`: a file cannot be read.
    """
    both = overlap(train, test, contents=contents)
    if not both:
        return ""
    return (
        f"{len(both)} of the {many(len(test), 'photograph')} to test with "
        f"{are(len(both))} among those to train with: {some(both)}"
    )


def same_classes(train: Photographs, test: Photographs) -> None:
    """Make sure that two sets have the same classes in the same order.

    Raises:
        SettingError: They have not.
    """
    if train.classes == test.classes:
        return
    lacking = [name for name in train.classes if name not in test.classes]
    beyond = [name for name in test.classes if name not in train.classes]
    if not lacking and not beyond:
        raise SettingError("the sets to train and to test with have their classes in other orders")
    what = [f"{some(lacking)} to train with alone"] * bool(lacking)
    what += [f"{some(beyond)} to test with alone"] * bool(beyond)
    raise SettingError(
        f"the sets to train and to test with differ in their classes ({'; '.join(what)}): give "
        "splits of one data set"
    )


def notes_of(train: Photographs, test: Photographs) -> tuple[str, ...]:
    """Return what is to be said of two sets: their own notes, and what is in both.

    Raises:
        SettingError: Their classes are not the same.
    """
    same_classes(train, test)
    notes = [*train.notes, *(note for note in test.notes if note not in train.notes)]
    if both := overlap_note(train, test):
        notes.append(both)
    return tuple(notes)


def _origins(photographs: Any) -> list[str]:
    origin = getattr(photographs, "origin", photographs.name)
    return [origin(index) for index in range(len(photographs))]


def _files(photographs: Any) -> list[tuple[int, Path, int]]:
    """List number, file and length of each photograph that has a file of its own."""
    path = getattr(photographs, "path", lambda index: None)
    found = []
    for index in range(len(photographs)):
        if (file := path(index)) is not None:
            try:
                found.append((index, file, os.stat(file).st_size))
            except OSError as error:
                raise ImageError(f"{file} cannot be read: {error.strerror}") from None
    return found


def _copies(train: Any, test: Any) -> set[int]:
    """Find files of the same bytes."""
    sizes: dict[int, list[Path]] = {}
    for _, file, size in _files(train):
        sizes.setdefault(size, []).append(file)
    digests: dict[int, set[bytes]] = {}
    found = set()
    for index, file, size in _files(test):
        if size in sizes:
            if size not in digests:
                digests[size] = {_digest(other) for other in sizes[size]}
            if _digest(file) in digests[size]:
                found.add(index)
    return found


def _digest(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror}") from None
