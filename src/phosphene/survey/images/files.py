"""Image files: those of a folder and the folders in it, those of a list, those that are named."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from PIL.Image import Image

from phosphene.errors import ImageError
from phosphene.image import read
from phosphene.survey.images.names import Names
from phosphene.survey.images.part import Part

CHUNK = 64
"""How many files make a part: what a process takes at once, and a batch's upper end."""


@dataclass(frozen=True)
class Files(Part):
    """A run of files.

    Attributes:
        name: The first and the last of them.
        folder: Against which their names are to be taken.
        names: Of all files of the set.
        first: The first of the part.
        many: How many it has.
    """

    name: str
    folder: str
    names: Names
    first: int
    many: int

    @property
    def count(self) -> int:
        """How many images it has."""
        return self.many

    def name_of(self, index: int) -> str:
        """Say what to call one of its images."""
        if not 0 <= index < self.many:
            raise ImageError(f"{self.name} has {self.many} images, and so no image {index}")
        return self.names[self.first + index]

    def read(self, index: int) -> Image:
        """Read one of its images."""
        return read(os.path.join(self.folder, self.name_of(index)))


class FileParts(Sequence[Part]):
    """Files in runs of `CHUNK`, made when they are asked for."""

    def __init__(self, folder: str | Path, names: Iterable[str]) -> None:
        self._folder, self._names = str(folder), Names(names)

    def __len__(self) -> int:
        """Return how many parts there are."""
        return -(-len(self._names) // CHUNK)

    @overload
    def __getitem__(self, index: int) -> Part: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Part]: ...
    def __getitem__(self, index: int | slice) -> Part | Sequence[Part]:
        """Return one, or several."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        first = index * CHUNK
        many = min(CHUNK, len(self._names) - first)
        name = f"{self._names[first]} ... {self._names[first + many - 1]}"
        return Files(name, self._folder, self._names, first, many)


def walk(folder: Path, suffixes: frozenset[str]) -> Iterator[tuple[str, int]]:
    """List the files of a folder tree by their suffixes, in the order of their names.

    What is hidden (a leading dot) is left out, and links to folders are not followed.

    Yields:
        Path relative to the folder, with slashes, and size in bytes.
    """

    def inside(at: str, before: str) -> Iterator[tuple[str, int]]:
        try:
            with os.scandir(at) as found:
                entries = sorted((e for e in found if e.name[0] != "."), key=lambda e: e.name)
        except OSError as error:
            raise ImageError(f"the folder {at} cannot be read: {error.strerror}") from error
        for entry in entries:
            name = f"{before}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from inside(entry.path, f"{name}/")
            elif os.path.splitext(entry.name)[1].lower() in suffixes and entry.is_file():
                yield name, entry.stat().st_size

    yield from inside(str(folder), "")


def listed(path: Path) -> Iterator[str]:
    """Read a list: a path a line, blank lines and lines that begin with # left out.

    Raises:
        ImageError: It cannot be read, or a line names no file.
    """
    try:
        # Names of files are bytes: what is not UTF-8 is passed on as it stands.
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise ImageError(f"the list {path} cannot be read: {error.strerror}") from error
    for number, line in enumerate(text.split("\n"), 1):
        name = line.strip()
        if not name or name.startswith("#"):
            continue
        if any(ord(letter) < ord(" ") and letter != "\t" for letter in name):
            raise ImageError(
                f"line {number} of {path} is no path of a file: give a text file, one path a line"
            )
        yield name
