"""Tar shards, as webdataset writes them: read where they lie, never unpacked.

The headers of a shard are read once, for where each image begins and how long it is; after that
every image is one read of the file. Names in a shard only name: no file is ever made of them.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from phosphene.errors import ImageError, first_line
from phosphene.image import SUFFIXES, as_photograph
from phosphene.survey.images.names import Names
from phosphene.survey.images.part import Entry, Part

COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")
_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


@dataclass(frozen=True, eq=False)
class Index:
    """Where the images of a shard are.

    Attributes:
        names: The key of each one's sample.
        offsets: (n,) where each begins, in bytes.
        sizes: (n,) how long each is, in bytes.
        damage: What is wrong with the shard behind the last image; empty for nothing.
    """

    names: Names
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    damage: str


@dataclass(frozen=True)
class Shard(Part):
    """A tar file.

    Attributes:
        name: What to call it.
        path: Where it is.
        size: Its length in bytes when the set was opened.
        member: Which image of a sample is wanted, by its suffix ("jpg", "seg.png"); empty where
            samples have one.
    """

    name: str
    path: str
    size: int
    member: str = ""

    @property
    def count(self) -> None:
        """Unknown before the headers are read."""
        return None

    def name_of(self, index: int) -> str:
        """Say what to call one of its images."""
        return f"{self.name}/{self._index.names[self._checked(index)]}"

    def read(self, index: int) -> Image.Image:
        """Read one of its images."""
        index = self._checked(index)
        return self._read(index, int(self._index.offsets[index]), int(self._index.sizes[index]))

    def images(self, start: int = 0) -> Iterator[Entry]:
        """Go through its images."""
        index = self._index
        for i in range(start, len(index.names)):
            # The numbers go along, so that an image need not look for the shard's headers.
            at = int(index.offsets[i]), int(index.sizes[i])
            yield Entry(i, f"{self.name}/{index.names[i]}", partial(self._read, i, *at))
        if index.damage:
            raise ImageError(index.damage)

    @property
    def _index(self) -> Index:
        try:
            if os.stat(self.path).st_size != self.size:
                raise ImageError(f"{self.path} has changed since the images were listed")
            return _index_of(self.path, self.size, self.member)
        except OSError as error:
            raise ImageError(f"{self.path} cannot be read: {error.strerror}") from error

    def _checked(self, index: int) -> int:
        many = len(self._index.names)
        if not 0 <= index < many:
            raise ImageError(f"{self.name} has {many} images, and so no image {index}")
        return index

    def _read(self, index: int, offset: int, size: int) -> Image.Image:
        try:
            with open(self.path, "rb") as file:
                file.seek(offset)
                content = file.read(size)
            with Image.open(io.BytesIO(content)) as opened:
                return as_photograph(opened)
        except Exception as error:  # what a damaged file makes a decoder raise can be anything
            name = self._index.names[index]
            raise ImageError(f"{self.name}/{name} is damaged ({first_line(error)})") from None


@lru_cache(maxsize=16)
def _index_of(path: str, size: int, member: str) -> Index:
    """Read the headers of a shard."""
    with open(path, "rb") as file:
        begins = file.read(6)
    packed = next((kind for magic, kind in _MAGIC.items() if begins.startswith(magic)), None)
    if packed:
        raise ImageError(refusal(path, packed))
    names: list[str] = []
    places: list[tuple[int, int]] = []
    damage = ""
    try:
        with tarfile.open(path, "r:") as tar:
            for name, found in _members(tar, member, size, Path(path).name):
                names.append(name)
                places.append((found.offset_data, found.size))
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        damage = f"{path} is damaged behind its image {len(names)} ({first_line(error)})"
    if not names:
        which = f" of suffix {member!r}" if member else ""
        raise ImageError(damage or f"{path} holds no images{which}: give a tar of image files")
    table = np.array(places, dtype=np.int64)
    return Index(Names(names), table[:, 0].copy(), table[:, 1].copy(), damage)


def _members(
    tar: tarfile.TarFile, member: str, size: int, name: str
) -> Iterator[tuple[str, tarfile.TarInfo]]:
    """Yield the image of every sample, with the sample's key."""
    before: tuple[str, str] | None = None
    while (found := tar.next()) is not None:
        vars(tar)["members"] = []  # tarfile keeps all headers otherwise
        folder, _, base = found.name.rpartition("/")
        stem, _, suffix = base.partition(".")
        image = f".{suffix.rpartition('.')[2]}".lower() in SUFFIXES
        if not (found.isreg() and stem and image) or found.issparse():
            continue
        if member and suffix.lower() != member.lower().lstrip("."):
            continue
        if found.offset_data + found.size > size:
            raise tarfile.ReadError("it ends in the middle of a file")
        key = f"{folder}/{stem}" if folder else stem
        if before is not None and before[0] == key:
            raise ImageError(
                f"sample {key!r} of {name} holds several images ({before[1]}, {suffix}): say "
                f"which is meant, as in member={before[1]!r}"
            )
        before = key, suffix
        yield key, found


def refusal(path: str | Path, packed: str = "") -> str:
    """Say that a compressed tar is not read."""
    by = packed or "compression"
    return (
        f"{path} is packed by {by}, in which no image can be found without unpacking all before "
        "it: unpack it to a plain .tar (gunzip, bunzip2, unxz, unzstd)"
    )
