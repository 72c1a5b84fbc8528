"""Photographs and their classes in tar shards, as webdataset writes them: `KEY.jpg`, `KEY.cls`.

Nothing is unpacked: headers say where everything lies, and any photograph is one read away. A class
is a number in plain text; nothing else is read, and nothing is unpickled.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from phosphene.errors import FlowError, ImageError, SettingError
from phosphene.motion.shards import Keys, ShardIndex, shards_of
from phosphene.transfer.benchmarks.file_sets import decoded
from phosphene.transfer.benchmarks.listing import lines_of, many, some
from phosphene.transfer.benchmarks.shard_table import ShardTable, Stamps

IMAGES = ("jpg", "jpeg", "png", "webp", "ppm")
_LABEL = "cls"


class TarShards:
    """Photographs in shards, of one class each (`records.Sorted`).

    Args:
        table: Where in which shard every photograph is, and its class.
        classes: Names of the classes.
        notes: What a person should know.
    """

    def __init__(self, table: ShardTable, classes: Sequence[str], notes: Sequence[str]) -> None:
        self.classes, self.notes = tuple(classes), tuple(notes)
        self.class_of: NDArray[np.int64] = table.class_of
        self._table = table
        self._real = [os.path.realpath(path) for path in table.shards]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._table.keys)

    def name(self, index: int) -> str:
        """Say what to call one: its key."""
        return self._table.keys[index]

    def origin(self, index: int) -> str:
        """Say where one comes from: its shard and its key."""
        return f"{self._real[self._table.shard_of[index]]}:{self.name(index)}"

    def image(self, index: int) -> Image.Image:
        """Read one, RGB, upright.

        Raises:
            ImageError: It cannot be read.
        """
        offset, length = self._table.places[index].tolist()
        name = f"{self.name(index)} of {self._shard(index)}"
        return decoded(_content(self._shard(index), offset, length, name), name)

    def _shard(self, index: int) -> Path:
        return self._table.shards[int(self._table.shard_of[index])]


def open_tar_shards(
    source: str | Path | Sequence[str | Path],
    split: str = "",
    *,
    classes: str | Path | Sequence[str] | None = None,
    index: str | Path | None = None,
) -> TarShards:
    """Open shards of photographs and classes.

    All headers and labels are read once; of the whole of ImageNet that takes some minutes.
    With `index` what was found is kept, and holds as long as the shards are as long and as old.

    Args:
        source: A folder of shards, shards themselves, patterns or ranges
            (`train-{000000..000146}.tar`).
        split: Of a folder: its folder of that name, or the shards with that word in their names
            (`imagenet-val-000003.tar`); all if empty.
        classes: Names of the classes in the order of their numbers, or a file with one a line;
            numbers if not given.
        index: A file for what the headers say; written if it is not there.

    Raises:
        SettingError: No shard is of that split.
        ImageError: A shard cannot be read, or is packed; a class is no number, or has no name;
            `index` is another file.
        OutputError: `index` cannot be written.
    """
    shards = _shards(source, split)
    names = _class_names(classes)
    stamps = Stamps.of(shards)
    keep = Path(index) if index is not None else None
    table = ShardTable.read(keep, shards, stamps) if keep is not None and keep.exists() else None
    if table is None:
        table = _scanned(shards)
        if keep is not None:
            table.write(keep, stamps)
    largest = int(table.class_of.max())
    notes = list(table.notes)
    if names is None:
        names = [str(number) for number in range(largest + 1)]
        notes.append(f"classes have no names: {largest + 1} are taken, by their numbers")
    if largest >= len(names):
        key = table.keys[int(table.class_of.argmax())]
        raise ImageError(f"{key} is of class {largest}, and {len(names)} classes have names")
    counts = np.bincount(table.class_of, minlength=len(names))
    none = [name for name, count in zip(names, counts.tolist(), strict=True) if not count]
    if none:
        notes.append(f"no photograph is of {some(none)}")
    return TarShards(table, names, notes)


def _shards(source: str | Path | Sequence[str | Path], split: str) -> list[Path]:
    if split and isinstance(source, str | Path) and (Path(source) / split).is_dir():
        source, split = Path(source) / split, ""
    try:
        shards = shards_of(source)
    except FlowError as error:
        raise ImageError(str(error)) from None
    word = re.compile(rf"(^|[-_.]){re.escape(split)}([-_.]|$)")
    kept = [path for path in shards if not split or word.search(path.name)]
    if not kept:
        raise SettingError(
            f"no shard has {split!r} in its name: there are {some([path.name for path in shards])}"
        )
    return kept


def _class_names(given: str | Path | Sequence[str] | None) -> list[str] | None:
    if given is None:
        return None
    return lines_of(Path(given)) if isinstance(given, str | Path) else list(given)


def _scanned(shards: Sequence[Path]) -> ShardTable:
    """Read all headers, and the classes."""
    keys: list[str] = []
    places, classes, numbers = [], [], []
    notes: list[str] = []
    for number, path in enumerate(shards):
        try:
            found = ShardIndex.scan(path)
        except FlowError as error:
            raise ImageError(str(error)) from None
        if found.damage:
            notes.append(found.damage)
        image = np.full((len(found), 2), -1, np.int64)
        for suffix in reversed(IMAGES):
            if suffix in found.members:
                these = found.members[suffix]
                image = np.where(these[:, :1] >= 0, these, image)
        label = found.members.get(_LABEL, np.full((len(found), 2), -1, np.int64))
        rows = np.flatnonzero((image[:, 0] >= 0) & (label[:, 0] >= 0))
        lacking = sorted(set(range(len(found))) - set(rows.tolist()))
        if lacking:
            without = many(len(lacking), "sample")
            notes.append(
                f"{without} of {path} without an image or a class (.cls) left out: "
                f"{some([found.keys[row] for row in lacking])}"
            )
        keys += [found.keys[row] for row in rows.tolist()]
        places.append(image[rows])
        classes.append(_classes(path, found.keys, label, rows))
        numbers.append(np.full(len(rows), number, np.int32))
    if not keys:
        raise ImageError(
            f"{some([str(path) for path in shards])}: no photograph with its class is there: "
            "each needs KEY.jpg and KEY.cls, its class as a number"
        )
    return ShardTable(
        tuple(shards),
        Keys(keys),
        np.concatenate(numbers),
        np.concatenate(places),
        np.concatenate(classes),
        tuple(notes),
    )


def _classes(
    path: Path, keys: Sequence[str], label: NDArray[np.int64], rows: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Read numbers in plain text."""
    found = np.empty(len(rows), np.int64)
    with open(path, "rb") as file:
        for number, row in enumerate(rows.tolist()):
            offset, length = label[row].tolist()
            file.seek(offset)
            content = file.read(min(length, 32)).strip()
            if length > 31 or not content.isdigit() or len(content) > 6:
                raise ImageError(
                    f"the class of {keys[row]} in {path} is {content[:20]!r}: a number in plain "
                    "text, counted from 0, is needed"
                )
            found[number] = int(content)
    return found


def _content(path: Path, offset: int, length: int, name: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            file.seek(offset)
            content = file.read(length)
    except OSError as error:
        raise ImageError(f"the shard {path} cannot be read: {error.strerror}") from None
    if len(content) < length:
        raise ImageError(f"{name} is cut off: fetch the shard again")
    return content
