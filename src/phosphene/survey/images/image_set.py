"""An image set: parts in an order that never changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL.Image import Image

from phosphene.errors import ImageError
from phosphene.survey.images.part import Part, place


@dataclass(frozen=True)
class ImageSet:
    """Images in parts, of which each process of a sweep takes some.

    It can be pickled; nothing is read before it is asked for.

    Attributes:
        name: What to call it.
        parts: Its parts, in an order that is the same each time the set is opened.
        fingerprint: Tells it from another set: a hash of the names and sizes of its files.
        source: From what and how it was opened, as JSON knows it, so that a finished survey finds
            its images again; empty where there are no files.
    """

    name: str
    parts: Sequence[Part]
    fingerprint: str
    source: dict[str, Any] = field(default_factory=dict)

    @property
    def count(self) -> int | None:
        """How many images there are; `None` where only a pass would tell (tar shards, videos)."""
        total = 0
        for part in self.parts:
            count = part.count
            if count is None:
                return None
            total += count
        return total

    def name_of(self, key: int) -> str:
        """Say what to call the image of a key."""
        part, index = self._at(key)
        return part.name_of(index)

    def read(self, key: int) -> Image:
        """Read the image of a key: 8-bit RGB, of its own size.

        Raises:
            ImageError: There is none, or it cannot be read.
        """
        part, index = self._at(key)
        return part.read(index)

    def __iter__(self) -> Iterator[tuple[int, str]]:
        """Go through all images: key and name."""
        for number, part in enumerate(self.parts):
            for entry in part.images():
                yield number << 32 | entry.index, entry.name

    def _at(self, key: int) -> tuple[Part, int]:
        part, index = place(int(key))
        if not 0 <= part < len(self.parts):
            raise ImageError(f"{self.name} has {len(self.parts)} parts, and so no image of {key}")
        return self.parts[part], index


class Fingerprint:
    """The hash of many texts that are named one after another."""

    def __init__(self) -> None:
        self._found = hashlib.sha256()

    def add(self, text: str) -> None:
        """Take in a text."""
        self._found.update(text.encode(errors="surrogateescape") + b"\0")

    def __str__(self) -> str:
        """Return 16 hexadecimal digits."""
        return self._found.hexdigest()[:16]
