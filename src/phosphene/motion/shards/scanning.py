"""Finding the samples of a tar by its headers."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from phosphene.errors import FlowError, first_line
from phosphene.motion.shards.index import ShardIndex
from phosphene.motion.shards.keys import Keys

_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_Sample = dict[str, tuple[int, int]]


def scanned(path: Path) -> ShardIndex:
    """Read a tar's headers, as `ShardIndex.scan` says."""
    keys: list[str] = []
    samples: list[_Sample] = []
    damage = ""
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            begins = file.read(6)
        packed = next((kind for magic, kind in _MAGIC.items() if begins.startswith(magic)), None)
        if packed:
            raise FlowError(
                f"{path} is packed by {packed}, in which no pair can be found without unpacking "
                "all before it: unpack it to a plain .tar"
            )
        with tarfile.open(path, "r:") as tar:
            for key, suffix, place in _members(tar, size):
                if not keys or keys[-1] != key:
                    keys.append(key)
                    samples.append({})
                samples[-1][suffix] = place
    except (tarfile.TarError, EOFError, ValueError) as error:
        damage = first_line(error)
    except OSError as error:
        raise FlowError(f"the shard {path} cannot be read: {error.strerror}") from None
    if damage and len(samples) > 1 and samples[-1].keys() != samples[0].keys():
        # What else belonged to the last sample is lost.
        del keys[-1], samples[-1]
    if not samples:
        why = f" ({damage})" if damage else ""
        raise FlowError(f"{path} holds no samples{why}: give a tar as webdataset writes them")
    if damage:
        many = f"its first {len(samples)} samples are whole" if len(samples) > 1 else "one is whole"
        damage = f"{path} is damaged ({damage}): {many}, and what follows is lost"
    suffixes = sorted(set().union(*samples))
    members = {
        suffix: np.array([sample.get(suffix, (-1, -1)) for sample in samples], np.int64)
        for suffix in suffixes
    }
    return ShardIndex(Keys(keys), members, size, damage=damage)


def _members(tar: tarfile.TarFile, size: int) -> Iterator[tuple[str, str, tuple[int, int]]]:
    """Yield key, suffix and place of every file."""
    while (found := tar.next()) is not None:
        vars(tar)["members"] = []  # tarfile keeps all headers otherwise
        folder, _, base = found.name.rpartition("/")
        stem, _, suffix = base.partition(".")
        if not (found.isreg() and stem and suffix) or found.issparse():
            continue
        if found.offset_data + found.size > size:
            raise tarfile.ReadError("it ends in the middle of a file")
        key = f"{folder}/{stem}" if folder else stem
        yield key, suffix.lower(), (found.offset_data, found.size)
    # Where no header is to be read tarfile takes the archive to have ended.
    with open(str(tar.name), "rb") as file:
        file.seek(tar.offset)
        end = file.read(tarfile.BLOCKSIZE)
    if end.strip(b"\0"):
        raise tarfile.ReadError("a header cannot be read")
    if len(end) < tarfile.BLOCKSIZE:
        raise tarfile.ReadError("its end is missing")
