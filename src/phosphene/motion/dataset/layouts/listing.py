"""What a layout is asked, and what it answers."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from phosphene.image import SUFFIXES
from phosphene.motion.dataset.file_pairs import Files

_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Options:
    """How a data set is taken.

    Attributes:
        split: Which share of it, by the name its makers (or the thesis) gave; all if empty.
        frames: Which of several renderings (Sintel's "clean" or "final").
        flow: Which of several flows (KITTI's "occ", with what goes out of sight, or "noc").
        gap: From a frame to the later one, in frames, where flow is estimated; the layout's own
            choice if 0.
        labels: Which of several labels (a world's "objects" or "parts").
    """

    split: str = ""
    frames: str = ""
    flow: str = ""
    gap: int = 0
    labels: str = ""


@dataclass
class Listing:
    """Files of pairs, and what was left out.

    Attributes:
        files: Of each pair.
        lacking: What is missing, and of how many pairs, each with the first as an example.
        notes: What else is to be said, in sentences.
    """

    files: list[Files] = field(default_factory=list)
    lacking: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    _examples: dict[str, str] = field(default_factory=dict)

    def add(self, files: Files) -> None:
        """Add a pair, unless one of its files is missing."""
        wanted = {"the frame": files.first, "the later frame": files.second, "flow": files.flow}
        for what, path in wanted.items():
            if path and not os.path.exists(path):
                self.without(what, path)
                return
        self.files.append(files)

    def without(self, what: str, path: str | Path) -> None:
        """Count a pair that cannot be, for want of a file."""
        self.lacking[what] += 1
        self._examples.setdefault(what, str(path))

    def skipped(self) -> tuple[str, ...]:
        """Say what was left out."""
        counted = [
            f"{count} {'pairs lack' if count > 1 else 'pair lacks'} {what} "
            f"({self._examples[what]}{', ...' if count > 1 else ''})"
            for what, count in self.lacking.items()
        ]
        return (*counted, *self.notes)


def folders_in(folder: Path) -> list[Path]:
    """List the folders in a folder by name; what begins with a dot is left out."""
    return _in_order(p for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")


def images_in(folder: Path) -> list[Path]:
    """List the images in a folder by name, numbers by their value."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name[0] != "."]
    return _in_order(folder / n for n in names if os.path.splitext(n)[1].lower() in SUFFIXES)


def _in_order(paths: object) -> list[Path]:
    def key(path: Path) -> list[tuple[int, str]]:
        parts = _DIGITS.split(path.name)
        return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]

    return sorted(paths, key=key)  # type: ignore[call-overload,no-any-return]
