"""PASCAL VOC's folder: where it is, which photographs its lists name, which classes it has."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from phosphene.errors import ImageError, SettingError, nearest
from phosphene.segmentation.truths.voc import CLASSES
from phosphene.transfer.benchmarks.listing import (
    are,
    is_photograph,
    lines_of,
    many,
    once,
    parted,
    photographs_in,
    some,
)

Task = Literal["Main", "Segmentation"]


class Listed(NamedTuple):
    """The photographs of a split.

    Attributes:
        names: Of those that are there.
        files: Their paths in the VOC folder.
        missing: Names of those that are not.
        notes: What is missing, and left over.
    """

    names: list[str]
    files: list[str]
    missing: list[str]
    notes: list[str]


@dataclass(frozen=True)
class VocFolder:
    """A folder with `JPEGImages`, `Annotations` and `ImageSets`.

    Attributes:
        root: The folder.
    """

    root: Path

    @classmethod
    def find(cls, folder: str | Path, year: int = 2007) -> VocFolder:
        """Find it.

        Args:
            folder: The folder itself (`VOC2007`), the development kit that holds it
                (`VOCdevkit`), or where that was unpacked.
            year: Which, where there are several.

        Raises:
            ImageError: There is none.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise ImageError(f"there is no folder {folder}: check the path")
        for place in ("", f"VOC{year}", f"VOCdevkit/VOC{year}"):
            if (folder / place / "ImageSets").is_dir():
                return cls(folder / place)
        raise ImageError(
            f"{folder} holds no PASCAL VOC: it needs ImageSets and JPEGImages, in the folder "
            f"itself, in VOC{year} or in VOCdevkit/VOC{year}"
        )

    def split(self, task: Task, split: str) -> Listed:
        """List the photographs of a split, less those that are missing.

        Lines may name a photograph (`2007_000032`), or be pairs of paths as in the lists that go
        round of the set augmented by SBD.

        Raises:
            SettingError: There is no such split.
            ImageError: Its list is empty or no text, or not one of its photographs is there.
        """
        path = self.list_of(task, split)
        return self.listed(names_of(path), path)

    def list_of(self, task: Task, split: str) -> Path:
        """Return the list of a split.

        Raises:
            SettingError: There is none.
        """
        folder = self.root / "ImageSets" / task
        path = folder / f"{split}.txt"
        if not split or not path.is_file():
            there = sorted(each.stem for each in folder.glob("*.txt") if not _of_class(each))
            hint = nearest(split, there) or f": there are {some(there) or 'none'}"
            raise SettingError(f"{folder} lists no split {split!r}{hint}")
        return path

    def listed(self, given: Iterable[str], source: Path) -> Listed:
        """Find photographs by their names, as `split` does.

        Args:
            given: The names.
            source: What to call where they come from.
        """
        names, notes = once(given, source)
        files = self.photographs()
        there, missing = parted(names, files)
        if not there:
            raise ImageError(
                f"of the {many(len(names), 'photograph')} that {source} names none is in "
                f"{self.root / 'JPEGImages'}: {some(missing)}"
            )
        if missing:
            notes.append(
                f"{len(missing)} of the {many(len(names), 'photograph')} that {source} names "
                f"{are(len(missing))} missing and left out: {some(missing)}"
            )
        extra = sorted(files.keys() - self.known() - set(names))
        if extra:
            notes.append(
                f"no list names {many(len(extra), 'photograph')} of {self.root / 'JPEGImages'}: "
                f"{some(extra)}"
            )
        return Listed(there, [f"JPEGImages/{files[name]}" for name in there], missing, notes)

    def photographs(self) -> dict[str, str]:
        """List the files of `JPEGImages` by their names without suffix."""
        names, _ = photographs_in(self.root / "JPEGImages")
        return {os.path.splitext(name)[0]: name for name in names}

    def known(self) -> set[str]:
        """List all photographs that any split of any task names."""
        lists = sorted((self.root / "ImageSets").glob("*/*.txt"))
        return {_name(line) for path in lists if not _of_class(path) for line in lines_of(path)}

    def classes(self) -> tuple[str, ...]:
        """Return the classes of `ImageSets/Main`, in the order of the alphabet; else VOC's 20.

        The order is that of VOC's numbers.
        """
        folder = self.root / "ImageSets" / "Main"
        found = {path.stem.rpartition("_")[0] for path in folder.glob("*.txt") if _of_class(path)}
        return tuple(sorted(found)) or CLASSES


def names_of(path: Path) -> list[str]:
    """Read the names in a list, without folders and suffixes.

    Raises:
        ImageError: It is missing, empty or no text.
    """
    names = [_name(line) for line in lines_of(path)]
    if not names:
        raise ImageError(f"the list {path} is empty: fetch it again")
    return names


def _name(line: str) -> str:
    base = os.path.basename(line.split()[0])
    return os.path.splitext(base)[0] if is_photograph(base) else base


def _of_class(path: Path) -> bool:
    """Say whether a list is of one class in a split: `sofa_train.txt` beside `train.txt`."""
    split = path.stem.rpartition("_")[2]
    return split != path.stem and path.with_name(f"{split}.txt").exists()
