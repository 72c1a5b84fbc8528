"""Writing a shard: whole with its index, or not at all; the same bytes from the same samples."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from phosphene.errors import OutputError, SettingError
from phosphene.image import replacing
from phosphene.motion.shards.index import ShardIndex, index_path
from phosphene.motion.shards.keys import Keys

_BLOCK = tarfile.BLOCKSIZE


class ShardWriter:
    """A shard that is being written.

    Attributes:
        failed: Why a video gave no pairs or fewer, by its name; for the index.
        facts: What else the index is to say.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.failed: dict[str, str] = {}
        self.facts: dict[str, Any] = {}
        self._file, self._at, self._sum = file, 0, hashlib.sha256()
        self._keys: list[str] = []
        self._known: set[str] = set()
        self._places: dict[str, dict[int, tuple[int, int]]] = {}

    def __len__(self) -> int:
        """Return how many samples it has."""
        return len(self._keys)

    def add(self, key: str, members: Mapping[str, bytes]) -> None:
        """Add a sample.

        Args:
            key: Its name; without a dot, as webdataset takes for the key what stands before it.
            members: Contents by suffix: "jpg", "flow.png", "json", ...

        Raises:
            SettingError: The name holds a dot, is too long, or was there before.
            OutputError: The disk is full.
        """
        if not key or "." in key or key in self._known:
            why = "was added before" if key in self._known else "cannot be one: leave out dots"
            raise SettingError(f"a sample's key {key!r} {why}")
        for suffix, content in members.items():
            self._header(f"{key}.{suffix}", len(content))
            place = (self._at, len(content))
            self._places.setdefault(suffix, {})[len(self._keys)] = place
            self._write(content)
            self._write(bytes(-len(content) % _BLOCK))
        self._keys.append(key)
        self._known.add(key)

    def _header(self, name: str, size: int) -> None:
        header = tarfile.TarInfo(name)  # its owner, time and mode are always the same
        header.size = size
        try:
            self._write(header.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict"))
        except (ValueError, UnicodeError):
            raise SettingError(f"{name!r} is no name for a tar: give at most 100 letters") from None

    def _write(self, content: bytes) -> None:
        self._file.write(content)
        self._sum.update(content)
        self._at += len(content)

    def finished(self) -> ShardIndex:
        """End the tar, and say where everything is."""
        self._write(bytes(2 * _BLOCK))
        members = {}
        for suffix, places in self._places.items():
            table = np.full((len(self._keys), 2), -1, np.int64)
            table[list(places)] = list(places.values())
            members[suffix] = table
        digest = self._sum.hexdigest()
        return ShardIndex(Keys(self._keys), members, self._at, self.failed, self.facts, digest)


@contextmanager
def writing(path: str | Path) -> Iterator[ShardWriter]:
    """Write a shard and its index.

    Both are written beside their places, and put there when the `with` block has ended well, the
    index last: a shard with its index is whole.

    Args:
        path: Where the shard shall be, `.tar`.

    Yields:
        What takes the samples.

    Raises:
        OutputError: It cannot be written there, or the disk is full.
    """
    beside = index_path(path)
    with replacing(path) as file:
        writer = ShardWriter(file)
        yield writer
        index = writer.finished()
        try:
            with suppress(FileNotFoundError):
                beside.unlink()  # that of an earlier shard does not fit this one
        except OSError as error:
            raise OutputError(f"{beside} cannot be written: {error.strerror}") from error
    with replacing(beside) as file:
        file.write(index.encoded())
