"""Values of many channels, sorted, each with how often it occurred: what exact quantiles keep.

A value is kept as one integer, the channel in the upper 32 bits and the float32 in the lower,
mapped so that integers are in the order of the floats; -0 is 0. So one sort puts everything in
order, and however often a value comes again (the zeros behind a ReLU, the 6 of a ReLU6), it is
kept once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_HALF = 1 << 31


class Multiset:
    """Values by channel.

    Attributes:
        channels: How many channels there are.
        keys: (n,) distinct values in order, channel after channel, as `pack` makes them.
        counts: (n,) how often each occurred.
        pending: How many values wait to be sorted in.
    """

    def __init__(self, channels: int, keys: Ints | None = None, counts: Ints | None = None):
        self.channels = channels
        self.keys = np.empty(0, np.int64) if keys is None else keys
        self.counts = np.empty(0, np.int64) if counts is None else counts
        self.pending = 0
        self._waiting: list[Ints] = []

    def add(self, channel: Ints, value: Floats) -> None:
        """Take in values, (n,), and the channel of each; `settle` sorts them in."""
        self._waiting.append(pack(channel, value))
        self.pending += len(value)

    def settle(self) -> None:
        """Sort in what waits."""
        if not self.pending:
            return
        fresh = np.sort(np.concatenate(self._waiting))
        first = np.flatnonzero(np.concatenate([[True], fresh[1:] != fresh[:-1]]))
        self._waiting, self.pending = [], 0
        self.join(fresh[first], np.diff(first, append=len(fresh)))

    def join(self, keys: Ints, counts: Ints) -> None:
        """Take in distinct sorted keys with their counts."""
        if not len(self.keys):
            self.keys, self.counts = keys, counts
            return
        both = np.concatenate([self.keys, keys])
        # Two sorted runs: a stable sort goes through them once.
        order = np.argsort(both, kind="stable")
        both, times = both[order], np.concatenate([self.counts, counts])[order]
        first = np.flatnonzero(np.concatenate([[True], both[1:] != both[:-1]]))
        self.keys, self.counts = both[first], np.add.reduceat(times, first)

    def totals(self) -> Ints:
        """Count the values of every channel, (c,), repetitions included."""
        ends, summed = self._ends(), self._summed()
        return summed[ends[1:]] - summed[ends[:-1]]

    def largest(self, rank: Ints) -> Floats:
        """Return the value of every channel, (c,), that is so many-th largest (1 is the largest).

        Minus infinity where a channel has fewer, plus infinity where the rank is below 1.
        """
        ends, summed = self._ends(), self._summed()
        below = summed[ends[1:]] - rank
        inside = (below >= summed[ends[:-1]]) & (rank >= 1)
        found = np.where(rank >= 1, -np.inf, np.inf).astype(np.float32)
        place = np.searchsorted(summed, below[inside], side="right") - 1
        found[inside] = unpack(self.keys[place])
        return found

    def cut(self, low: Floats, high: Floats) -> Ints:
        """Keep what lies above `low` and not above `high`, (c,) each.

        Returns:
            How many values of each channel, (c,), lay above `high`.
        """
        ends, summed = self._ends(), self._summed()
        numbers = np.arange(self.channels)
        first = np.searchsorted(self.keys, pack(numbers, low), side="right")
        last = np.maximum(np.searchsorted(self.keys, pack(numbers, high), side="right"), first)
        above = summed[ends[1:]] - summed[np.minimum(last, ends[1:])]
        marks = np.zeros(len(self.keys) + 1, np.int8)
        np.add.at(marks, first, 1)
        np.add.at(marks, last, -1)
        kept = np.cumsum(marks[:-1], dtype=np.int8).astype(bool)
        self.keys, self.counts = self.keys[kept], self.counts[kept]
        return above

    def _ends(self) -> Ints:
        """Return where the channels begin, and behind them where the last ends, (c + 1,)."""
        return np.searchsorted(self.keys, np.arange(self.channels + 1) << 32)

    def _summed(self) -> Ints:
        """Return how many values lie in front of each key, (n + 1,)."""
        return np.concatenate([[0], np.cumsum(self.counts)])


def pack(channel: Ints, value: Floats) -> Ints:
    """Make one integer, in the order of channels and then of values, of each pair."""
    bits = (value.astype(np.float32) + np.float32(0)).view(np.int32)
    ordered = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).astype(np.int64) + _HALF
    return (channel.astype(np.int64) << 32) | ordered


def unpack(keys: Ints) -> Floats:
    """Return the values in keys, (n,)."""
    bits = ((keys & 0xFFFFFFFF) - _HALF).astype(np.int32)
    return (bits ^ ((bits >> 31) & 0x7FFFFFFF)).view(np.float32)


def below(value: Floats) -> Floats:
    """Return the float just below each value, so that "above that" takes the value in."""
    return np.nextafter(value, np.float32(-np.inf))
