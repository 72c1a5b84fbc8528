"""Lists of files, and files in folders: what is named, what is there, and how they differ."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from phosphene.errors import FormatError, ImageError, nearest
from phosphene.image import SUFFIXES
from phosphene.segmentation.truths.pixels import inside

_NAMED = 3


def some(names: Collection[str]) -> str:
    """Name the first few.

    >>> some(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    first = ", ".join(str(name) for name, _ in zip(names, range(_NAMED), strict=False))
    return first if len(names) <= _NAMED else f"{first} and {len(names) - _NAMED} more"


def many(count: int, what: str, plural: str = "") -> str:
    """Count something.

    >>> many(1, "photograph"), many(2, "class", "classes")
    ('1 photograph', '2 classes')
    """
    return f"{count} {what}" if count == 1 else f"{count} {plural or what + 's'}"


def are(count: int) -> str:
    """Return "is" of one, "are" of others."""
    return "is" if count == 1 else "are"


def lines_of(path: Path) -> list[str]:
    """Read the lines of a text file that are not blank.

    Raises:
        ImageError: It is missing, or no text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        beside = [each.name for each in path.parent.glob(f"*{path.suffix}")]
        raise ImageError(
            f"the list {path} cannot be read: {error.strerror}{nearest(path.name, beside)}"
        ) from None
    except UnicodeDecodeError:
        raise ImageError(f"the list {path} is no text: fetch it again") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def within(folder: Path, name: str, source: Path) -> Path:
    """Return the place of a file that another file names, which must lie in a folder.

    Raises:
        ImageError: The name leads out of the folder.
    """
    try:
        return inside(folder, name, source)
    except FormatError as error:
        raise ImageError(str(error)) from None


def once(names: Iterable[str], source: Path) -> tuple[list[str], list[str]]:
    """Take each name once; and say which stood there more often."""
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
    twice = [name for name, count in seen.items() if count > 1]
    notes = [f"{source} names {some(twice)} more than once: taken once"] if twice else []
    return list(seen), notes


def files_in(folder: Path) -> list[str]:
    """List the names of a folder's visible files, in order.

    Raises:
        ImageError: There is no such folder, or it may not be read.
    """
    try:
        with os.scandir(folder) as entries:
            found = (e.name for e in entries if not e.name.startswith(".") and not e.is_dir())
            return sorted(found)
    except OSError as error:
        raise ImageError(f"the folder {folder} cannot be read: {error.strerror}") from None


def folders_in(folder: Path) -> list[str]:
    """List the names of a folder's visible folders, in order.

    Raises:
        ImageError: There is no such folder, or it may not be read.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(e.name for e in entries if not e.name.startswith(".") and e.is_dir())
    except OSError as error:
        raise ImageError(f"the folder {folder} cannot be read: {error.strerror}") from None


def is_photograph(name: str) -> bool:
    """Say whether a file's name is that of a photograph."""
    return os.path.splitext(name)[1].lower() in SUFFIXES


def photographs_in(folder: Path) -> tuple[list[str], list[str]]:
    """List the names of a folder's photographs, and those of its other files."""
    names = files_in(folder)
    return [n for n in names if is_photograph(n)], [n for n in names if not is_photograph(n)]


def parted(names: Sequence[str], there: Collection[str]) -> tuple[list[str], list[str]]:
    """Part names into those that are there and those that are missing."""
    missing = [name for name in names if name not in there]
    return ([name for name in names if name in there] if missing else list(names)), missing
