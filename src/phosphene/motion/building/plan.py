"""Which videos make which shard: the same on every machine, and in every run."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from phosphene.errors import FlowError, OutputError
from phosphene.image import replacing
from phosphene.motion.building.settings import Settings
from phosphene.motion.shards.index import ShardIndex
from phosphene.motion.video.listing import Videos
from phosphene.provenance import versions

_FORMAT = "phosphene pairs 1"
_NAME = "pairs.json"
_MOST = 128
_SHARDS = 32
"""Fewer shards than that are made only of fewer videos, so that processes can share them."""
_STALE = 24 * 60 * 60
"""Seconds after which a file that nobody has written on is nobody's."""


def videos_per_shard(count: int) -> int:
    """Return how many videos make a shard where nobody says: at most 128.

    >>> videos_per_shard(10), videos_per_shard(1000), videos_per_shard(204_000)
    (1, 32, 128)
    """
    return max(1, min(_MOST, -(-count // _SHARDS)))


@dataclass(frozen=True, eq=False)
class Plan:
    """What is to be built.

    Attributes:
        videos: Of what.
        settings: How.
        folder: Where to.
        per_shard: How many videos make a shard.
    """

    videos: Videos
    settings: Settings
    folder: Path
    per_shard: int

    @property
    def shards(self) -> int:
        """How many shards there will be."""
        return -(-len(self.videos) // self.per_shard)

    def path(self, shard: int) -> Path:
        """Return where a shard is to be."""
        return self.folder / f"pairs-{shard:06d}.tar"

    def unfinished(self, shard: int) -> Path:
        """Return where what there is of an unfinished shard is kept."""
        return self.folder / f".pairs-{shard:06d}.tar"

    def members(self, shard: int) -> range:
        """Return the numbers of a shard's videos."""
        start = shard * self.per_shard
        return range(start, min(start + self.per_shard, len(self.videos)))

    def done(self, shard: int) -> bool:
        """Tell whether a shard is there, and whole."""
        try:
            ShardIndex.read(self.path(shard))
        except FlowError:
            return False
        return True

    @property
    def mark(self) -> str:
        """What tells this plan's bytes from another's."""
        return hashlib.sha256(json.dumps(self._description()).encode()).hexdigest()

    def agree(self) -> bool:
        """Tell whether the folder was claimed for this plan before.

        Raises:
            OutputError: It holds pairs that were built otherwise.
        """
        # In this order: of several processes that begin at once one may build already.
        shards = next(self.folder.glob("pairs-*.tar"), None)
        path = self.folder / _NAME
        if not path.exists():
            if shards is not None:
                raise OutputError(
                    f"{self.folder} holds {shards.name}, and nothing says how that was built: give "
                    "another folder"
                )
            return False
        differing = _differing(_read(path), self._description())
        if differing:
            raise OutputError(
                f"{self.folder} holds pairs that were built with {differing}: give another "
                "folder, or the same settings to go on"
            )
        return True

    def begin(self) -> None:
        """Claim the folder for this plan.

        Raises:
            OutputError: It holds pairs that were built otherwise, or cannot be written.
        """
        if not self.agree():
            written = {"format": _FORMAT, **self._description(), "versions": versions()}
            with replacing(self.folder / _NAME) as file:
                file.write(json.dumps(written, indent=2).encode() + b"\n")
        self._sweep()

    def _sweep(self) -> None:
        """Remove what processes that were killed have left, and no living one writes."""
        with suppress(OSError):
            for part in self.folder.glob(".*.part"):
                if time.time() - part.stat().st_mtime > _STALE:
                    part.unlink()

    def _description(self) -> dict[str, Any]:
        names = hashlib.sha256()
        for name in self.videos.names:
            names.update(name.encode(errors="surrogateescape") + b"\n")
        return {
            "settings": asdict(self.settings),
            "videos": {"count": len(self.videos), "names": names.hexdigest()},
            "per_shard": self.per_shard,
        }


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
        if found["format"] != _FORMAT:
            raise ValueError(found["format"])
        return {key: found[key] for key in ("settings", "videos", "per_shard")}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        raise OutputError(
            f"{path} is no description of pairs that were built here: give another folder"
        ) from None


def _differing(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Say what was different; empty for nothing."""
    if before["videos"] != now["videos"]:
        had, has = (given["videos"].get("count") for given in (before, now))
        return "videos of other names" if had == has else f"{had} videos, and now there are {has}"
    if before["per_shard"] != now["per_shard"]:
        return f"{before['per_shard']} videos a shard, and not {now['per_shard']}"
    one, other = before["settings"], now["settings"]
    found = [
        f"{name.replace('_', ' ')} {_said(one.get(name))}, and not {_said(other.get(name))}"
        for name in dict.fromkeys((*other, *one))
        if one.get(name) != other.get(name)
    ]
    return "; ".join(found)


def _said(value: Any) -> str:
    for word, meant in (("on", True), ("off", False), ("unset", None)):
        if value is meant:
            return word
    return str(value)
