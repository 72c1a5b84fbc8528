"""In what order pairs are read: well mixed, near to sequential, and known in advance.

The order of an epoch is a function of the seed and the epoch alone, so that a run that was ended
goes on at the batch it had come to, with the same processes or with others.

Parts (shards) are permuted and taken in groups; within a group all pairs are permuted. So a disk
has few files to read from at a time, and a batch still holds pairs of many parts. With 1000 pairs
in a part and 16 parts in a group this differs from a free shuffle only in that each run of 16000
pairs comes from 16 parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import SettingError

Indices = NDArray[np.int64]


def stream(seed: int, purpose: int, *numbers: int) -> np.random.Generator:
    """Return random numbers that depend on a seed, on what they are for, and on its numbers."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(purpose, *numbers)))


@dataclass(frozen=True)
class Turn:
    """A batch to be read.

    Attributes:
        epoch: Of which epoch.
        position: Which batch of it, from 0; a batch of all processes together counts as one.
        indices: Numbers of the pairs that this process reads.
    """

    epoch: int
    position: int
    indices: tuple[int, ...]


@dataclass(frozen=True)
class ShuffledOrder:
    """The order of batches, for one of several processes.

    Attributes:
        parts: How many pairs lie together, part by part, as `PairSet.parts` says.
        batch: Pairs in a batch, over all processes.
        seed: What else the order depends on.
        rank: Which process this is, from 0. Each takes its slice of every batch, so that the slices
            of all, put together, are the batch that a single process would have.
        ranks: How many processes there are.
        group: How many parts are mixed with each other.
        shuffle: Whether pairs are permuted at all.
        keep_last: Whether an epoch's last batch counts though it is short. Its slices may differ
            by one in length, and a process to which nothing falls goes without.

    Raises:
        SettingError: There are fewer pairs than a batch needs, a batch cannot be split evenly, or
            a number cannot be.

    >>> order = ShuffledOrder((3, 3), batch=4, shuffle=False)
    >>> [turn.indices for turn in order.epoch(0)]
    [(0, 1, 2, 3)]
    """

    parts: Sequence[int]
    batch: int
    seed: int = 0
    rank: int = 0
    ranks: int = 1
    group: int = 16
    shuffle: bool = True
    keep_last: bool = False

    def __post_init__(self) -> None:
        for name in ("batch", "ranks", "group"):
            if getattr(self, name) < 1:
                raise SettingError(f"{name} is {getattr(self, name)}: give 1 or more")
        if self.seed < 0:
            raise SettingError(f"seed is {self.seed}: give 0 or more")
        if not 0 <= self.rank < self.ranks:
            raise SettingError(
                f"rank {self.rank} of {self.ranks} processes cannot be: count them from 0"
            )
        if self.batch % self.ranks:
            raise SettingError(
                f"a batch of {self.batch} cannot be split evenly over {self.ranks} processes: "
                f"give a multiple of {self.ranks}"
            )
        if self.pairs == 0:
            raise SettingError("there are no pairs to put in order: give a set that holds some")
        if not self.keep_last and self.pairs < self.batch:
            raise SettingError(
                f"{self.pairs} pairs are fewer than a batch of {self.batch}: give a smaller batch "
                "or more pairs, or keep the last, short batch"
            )

    @property
    def pairs(self) -> int:
        """How many pairs there are."""
        return int(sum(self.parts))

    @property
    def batches(self) -> int:
        """How many batches an epoch has, over all processes together."""
        whole, rest = divmod(self.pairs, self.batch)
        return whole + bool(rest and self.keep_last)

    def at(self, epoch: int = 0, position: int = 0, epochs: int | None = None) -> Iterator[Turn]:
        """Go through batches from a place on, epoch after epoch.

        Args:
            epoch: In which epoch to begin.
            position: With which batch of it. One past its last is the next epoch's first.
            epochs: How many epochs there are, from epoch 0 and not from `epoch` on; for ever if
                `None`.

        Raises:
            SettingError: The epoch has no such batch.
        """
        if epoch < 0 or not 0 <= position <= self.batches:
            raise SettingError(
                f"there is no batch {position} of epoch {epoch}: an epoch has {self.batches} "
                "batches, counted from 0; does the state come from another set or batch size?"
            )
        return self._at(epoch, position, epochs)

    def _at(self, epoch: int, position: int, epochs: int | None) -> Iterator[Turn]:
        while epochs is None or epoch < epochs:
            yield from self.epoch(epoch, position)
            epoch, position = epoch + 1, 0

    def epoch(self, epoch: int, position: int = 0) -> Iterator[Turn]:
        """Go through the batches of an epoch from a position on."""
        for number, whole in enumerate(self._batches(epoch, position), position):
            share = np.array_split(whole, self.ranks)[self.rank]
            if len(share):
                yield Turn(epoch, number, tuple(share.tolist()))

    def _batches(self, epoch: int, position: int) -> Iterator[Indices]:
        """Cut the epoch's indices into batches, those before the position left out."""
        left_out = position * self.batch
        waiting: list[Indices] = []
        for length, indices in self._groups(epoch):
            if left_out >= length:  # without being put in order
                left_out -= length
                continue
            waiting.append(indices(epoch)[left_out:])
            left_out = 0
            joined = np.concatenate(waiting)
            whole = len(joined) // self.batch * self.batch
            yield from joined[:whole].reshape(-1, self.batch)
            waiting = [joined[whole:]]
        if self.keep_last and waiting and len(waiting[0]):
            yield waiting[0]

    def _groups(self, epoch: int) -> Iterator[tuple[int, _Group]]:
        counts = np.asarray(self.parts, np.int64)
        starts = np.cumsum(counts) - counts
        order = np.arange(len(counts))
        if self.shuffle:
            order = stream(self.seed, 0, epoch).permutation(len(counts))
        for number, first in enumerate(range(0, len(order), self.group)):
            members = order[first : first + self.group]
            group = _Group(self, number, starts[members], counts[members])
            yield int(counts[members].sum()), group


@dataclass(frozen=True, eq=False)
class _Group:
    """Parts that are mixed with each other; put in order when it is called."""

    order: ShuffledOrder
    number: int
    starts: Indices
    counts: Indices

    def __call__(self, epoch: int) -> Indices:
        spans = zip(self.starts.tolist(), self.counts.tolist(), strict=True)
        indices = np.concatenate([np.arange(start, start + count) for start, count in spans])
        if not self.order.shuffle:
            return indices
        return stream(self.order.seed, 1, epoch, self.number).permutation(indices)
