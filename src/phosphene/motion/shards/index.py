"""Where in a shard everything is."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import FlowError
from phosphene.motion.shards.keys import Keys

FORMAT = "phosphene pairs 1"
Places = NDArray[np.int64]


def index_path(tar: str | Path) -> Path:
    """Return where the index of a shard lies: beside it, with `.json` for `.tar`."""
    return Path(tar).with_suffix(".json")


@dataclass(frozen=True, eq=False)
class ShardIndex:
    """Where the members of a shard are.

    Attributes:
        keys: The name of each sample, in the order of the shard.
        members: By suffix ("jpg", "flow.png", "json", ...) an array (n, 2) int64 of offset and
            size in bytes; -1 where a sample has none.
        size: Length of the tar in bytes.
        failed: Why a video gave no pairs or fewer than asked for, by its name.
        facts: What was done, and how exact the stored flow is.
        digest: SHA-256 of the tar; empty where nobody noted it.
        damage: What is wrong behind the last sample (`scan` alone finds out); empty for nothing.
    """

    keys: Sequence[str]
    members: Mapping[str, Places]
    size: int
    failed: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""
    damage: str = ""

    def __len__(self) -> int:
        """Return how many samples there are."""
        return len(self.keys)

    @classmethod
    def open(cls, tar: str | Path) -> ShardIndex:
        """Read the index beside a shard; where there is none, the shard's headers."""
        return cls.read(tar) if index_path(tar).exists() else cls.scan(tar)

    @classmethod
    def read(cls, tar: str | Path) -> ShardIndex:
        """Read the index beside a shard.

        Args:
            tar: The shard, not its index.

        Raises:
            FlowError: One of the two is missing or cannot be read, or the shard is longer or
                shorter than its index says.
        """
        beside = index_path(tar)
        try:
            size = os.stat(tar).st_size
        except OSError as error:
            raise FlowError(f"the shard {tar} cannot be read: {error.strerror}") from None
        try:
            found = _parsed(json.loads(beside.read_bytes()))
        except OSError as error:
            raise FlowError(f"the index {beside} cannot be read: {error.strerror}") from None
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            raise FlowError(
                f"{beside} is no index of a shard of pairs: remove it to have the shard's headers "
                "read, or build the shard again"
            ) from None
        if size != found.size:
            what = "was cut short" if size < found.size else "has changed"
            raise FlowError(
                f"the shard {tar} {what}: it has {size} bytes, and its index says {found.size}: "
                "fetch or build it again"
            )
        return found

    @classmethod
    def scan(cls, tar: str | Path) -> ShardIndex:
        """Read the headers of a shard, as of one that was made elsewhere.

        A sample is what stands together under names that are alike up to the first dot. Where the
        shard is damaged, the samples before are whole, and `damage` says what is wrong.

        Raises:
            FlowError: It cannot be read, is compressed, or holds no sample at all.
        """
        from phosphene.motion.shards.scanning import scanned

        return scanned(Path(tar))

    def encoded(self) -> bytes:
        """Return what stands in the file beside the shard."""
        written = {
            "format": FORMAT,
            "size": self.size,
            "digest": self.digest,
            "facts": dict(self.facts),
            "failed": dict(self.failed),
            "keys": list(self.keys),
            "members": {suffix: places.T.tolist() for suffix, places in self.members.items()},
        }
        return json.dumps(written, separators=(",", ":")).encode() + b"\n"


def _parsed(given: Any) -> ShardIndex:
    """Take an index apart that anybody may have written."""
    if given["format"] != FORMAT:
        raise ValueError(given["format"])
    size, keys = int(given["size"]), given["keys"]
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ValueError("keys")
    members = {}
    for suffix, columns in given["members"].items():
        table = np.array(columns)
        if table.size and table.dtype.kind != "i":
            raise ValueError(suffix)
        # Row by row, as a pair is read.
        places = np.ascontiguousarray(table.reshape(2, len(keys)).T, dtype=np.int64)
        there = places[:, 0] >= 0
        inside = (places[there, 1] >= 0) & (places[there].sum(1) <= size)
        if not inside.all() or (places[~there] != -1).any():
            raise ValueError(suffix)
        members[suffix] = places
    failed = {str(name): str(why) for name, why in given["failed"].items()}
    return ShardIndex(Keys(keys), members, size, failed, dict(given["facts"]), given["digest"])
