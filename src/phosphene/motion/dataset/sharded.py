"""Pairs in tar shards, any of them two reads away."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from phosphene.errors import FlowError
from phosphene.motion.dataset.frames import decoded
from phosphene.motion.dataset.pair_sets import Labels
from phosphene.motion.flow_files.kitti import decode_png
from phosphene.motion.pair import Pair
from phosphene.motion.shards import ShardIndex

_FRAMES = ("jpg", "jpeg", "png", "webp")
_FLOW = "flow.png"
_OPEN = 64
"""Shards kept open in a process: more than are mixed with each other, fewer than a process may."""


class ShardedPairs:
    """Pairs in shards.

    Files are opened when they are first read from, in every process for itself, and of many shards
    only the last few stay open. Reading moves no common file position, so that processes that were
    forked do not disturb each other.

    Args:
        shards: The files.
        second: Whether the later frames are read as well, where they were kept.

    Attributes:
        parts: How many pairs each shard holds.
        skipped: Of shards that cannot be read, or not wholly, and of samples that are no pairs.

    Raises:
        FlowError: No shard holds a single pair.
    """

    def __init__(self, shards: Sequence[str | Path], second: bool = False) -> None:
        self._second = second
        self._shards: list[_Shard] = []
        skipped: list[str] = []
        for path in shards:
            try:
                shard = _Shard(Path(path), skipped)
            except FlowError as error:
                skipped.append(str(error))
            else:
                self._shards.append(shard)
        if not self._shards:
            more = f" (and {len(skipped) - 1} more shards like it)" if len(skipped) > 1 else ""
            raise FlowError((skipped[0] if skipped else "no shards were given") + more)
        self.skipped = tuple(skipped)
        self.parts = tuple(len(shard) for shard in self._shards)
        self._ends = np.cumsum(self.parts)
        self._files = _Files()

    def __len__(self) -> int:
        """Return how many pairs there are."""
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Pair:
        """Read a pair."""
        shard, row = self._found(index)
        name = shard.name(row)
        first = decoded(self._content(shard, row, _FRAMES), name)
        flow = decode_png(self._content(shard, row, (_FLOW,)), name)
        second = None
        kept = tuple(f"second.{suffix}" for suffix in _FRAMES)
        if self._second and shard.place(row, kept) is not None:
            second = decoded(self._content(shard, row, kept), f"{name}, second frame")
        return Pair(first, flow, name, second)

    def name(self, index: int) -> str:
        """Say what to call a pair: its key."""
        shard, row = self._found(index)
        return shard.name(row)

    def labels(self, index: int) -> Labels | None:
        """Shards hold no labels."""
        return None

    def _found(self, index: int) -> tuple[_Shard, int]:
        if not 0 <= index < len(self):
            raise IndexError(f"pair {index} of {len(self)}")
        number = int(np.searchsorted(self._ends, index, side="right"))
        return self._shards[number], index - int(self._ends[number]) + self.parts[number]

    def _content(self, shard: _Shard, row: int, suffixes: Sequence[str]) -> bytes:
        place = shard.place(row, suffixes)
        assert place is not None  # a shard's rows are of whole pairs
        offset, length = place
        try:
            content = os.pread(self._files.of(shard.path).number, length, offset)
        except OSError as error:
            raise FlowError(f"the shard {shard.path} cannot be read: {error.strerror}") from None
        if len(content) < length:
            raise FlowError(f"the shard {shard.path} ends before {shard.name(row)}")
        return content


class _Shard:
    """A shard's index, and which of its samples are pairs."""

    def __init__(self, path: Path, skipped: list[str]) -> None:
        self.path = path
        try:
            self._index = ShardIndex.open(path)
        except FlowError as error:
            # Cut short, its index fits no more; what its headers still lead to may be whole.
            self._index = ShardIndex.scan(path)
            skipped.append(f"{error}; {len(self._index)} samples before that are read")
        if self._index.damage:
            skipped.append(self._index.damage)
        has = {suffix: places[:, 0] >= 0 for suffix, places in self._index.members.items()}
        none = np.zeros(len(self._index), np.bool_)
        frame = np.logical_or.reduce([has.get(suffix, none) for suffix in _FRAMES])
        self._rows = np.flatnonzero(frame & has.get(_FLOW, none))
        lacking = len(self._index) - len(self._rows)
        if not len(self._rows):
            raise FlowError(
                f"the shard {path} holds no pairs: each needs a frame (.jpg) and its flow ({_FLOW})"
            )
        if lacking:
            many = "samples" if lacking > 1 else "sample"
            skipped.append(f"{lacking} {many} of {path} without a frame or a flow")

    def __len__(self) -> int:
        return len(self._rows)

    def name(self, row: int) -> str:
        return self._index.keys[int(self._rows[row])]

    def place(self, row: int, suffixes: Sequence[str]) -> tuple[int, int] | None:
        """Return offset and length of the first member there is."""
        for suffix in suffixes:
            places = self._index.members.get(suffix)
            if places is not None:
                offset, length = places[self._rows[row]].tolist()
                if offset >= 0:
                    return offset, length
        return None


class _File:
    """A file that is open as long as anyone reads from it."""

    def __init__(self, path: Path) -> None:
        self.number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if hasattr(self, "number"):
            os.close(self.number)


class _Files:
    """The files that were read from last."""

    def __init__(self) -> None:
        self._open: OrderedDict[Path, _File] = OrderedDict()

    def of(self, path: Path) -> _File:
        file = self._open.pop(path, None) or _File(path)
        self._open[path] = file
        if len(self._open) > _OPEN:
            self._open.popitem(last=False)
        return file

    def __getstate__(self) -> dict[str, Any]:
        return {"_open": OrderedDict()}  # numbers of files mean nothing in another process
