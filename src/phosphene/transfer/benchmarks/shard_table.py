"""Where in tar shards photographs are, and of which classes; and a file that keeps it."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import ImageError
from phosphene.image import replacing
from phosphene.motion.shards.keys import Keys

_FORMAT = "phosphene shards of classes 1"


@dataclass(frozen=True)
class Stamps:
    """By what shards are known to be as they were.

    Attributes:
        names: Names of the files.
        numbers: (n, 2) int64: length in bytes, time of the last change in nanoseconds.
    """

    names: tuple[str, ...]
    numbers: NDArray[np.int64]

    @classmethod
    def of(cls, shards: Sequence[Path]) -> Stamps:
        """Look at files.

        Raises:
            ImageError: One cannot be read.
        """
        try:
            found = [os.stat(path) for path in shards]
        except OSError as error:
            raise ImageError(f"a shard cannot be read: {error}") from None
        numbers = np.array([(each.st_size, each.st_mtime_ns) for each in found], np.int64)
        return cls(tuple(path.name for path in shards), numbers)


@dataclass(frozen=True, eq=False)
class ShardTable:
    """Where photographs are.

    Attributes:
        shards: The files.
        keys: The photographs' names.
        shard_of: (n,) int32, number of the shard of each.
        places: (n, 2) int64, offset and length in bytes of each image in its shard.
        class_of: (n,) int64.
        notes: What a person should know.
    """

    shards: tuple[Path, ...]
    keys: Sequence[str]
    shard_of: NDArray[np.int32]
    places: NDArray[np.int64]
    class_of: NDArray[np.int64]
    notes: tuple[str, ...]

    def write(self, path: Path, stamps: Stamps) -> None:
        """Keep it in a file (.npz).

        Raises:
            OutputError: It cannot be written.
        """
        # No tar's name holds a zero byte.
        text = "\0".join(self.keys).encode(errors="surrogateescape")
        content = io.BytesIO()
        np.savez_compressed(
            content,
            format=np.array(_FORMAT),
            shards=np.array(stamps.names),
            stamps=stamps.numbers,
            keys=np.frombuffer(text, np.uint8),
            shard_of=self.shard_of,
            places=self.places,
            class_of=self.class_of,
            notes=np.array(self.notes, dtype=np.str_),
        )
        with replacing(path) as file:
            file.write(content.getbuffer())

    @classmethod
    def read(cls, path: Path, shards: Sequence[Path], stamps: Stamps) -> ShardTable | None:
        """Read what `write` kept; nothing if the shards are others by now.

        Raises:
            ImageError: The file is another one, or damaged.
        """
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as kept:
                found = {name: kept[name] for name in kept.files}
            if str(found["format"]) != _FORMAT:
                raise ValueError("format")
            same = tuple(found["shards"].tolist()) == stamps.names
            if not same or not np.array_equal(found["stamps"], stamps.numbers):
                return None
            text = found["keys"].astype(np.uint8).tobytes()
            keys = text.decode(errors="surrogateescape").split("\0")
            table = cls(
                tuple(shards),
                Keys(keys),
                found["shard_of"].astype(np.int32),
                found["places"].astype(np.int64),
                found["class_of"].astype(np.int64),
                tuple(str(note) for note in found["notes"].tolist()),
            )
            table._check(stamps)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise ImageError(
                f"{path} is no index of these shards ({type(error).__name__}): name another file, "
                "or remove it to have the shards' headers read"
            ) from None
        return table

    def _check(self, stamps: Stamps) -> None:
        count = len(self.keys)
        if self.shard_of.shape != (count,) or self.places.shape != (count, 2):
            raise ValueError("shapes")
        if self.class_of.shape != (count,) or not count or self.class_of.min() < 0:
            raise ValueError("classes")
        if self.shard_of.min() < 0 or self.shard_of.max() >= len(self.shards):
            raise ValueError("shards")
        ends = stamps.numbers[self.shard_of, 0]
        if self.places.min() < 0 or (self.places[:, 1] > ends - self.places[:, 0]).any():
            raise ValueError("places")
