"""Exact quantiles in one pass: a window of order statistics that follows the quantile.

Of every channel the values between `low` and `high` are kept, those at the limits and above them
are counted, and the least of all values is known. As positions come in, the rank of the quantile,
counted from the top, moves down; the window is as wide as memory allows, and narrowed around the
rank of the moment (Munro & Paterson 1980, section 4, for streams in random order). Whether the
quantile is inside is known in the end, and if it is, it is exact. If it is not, it is known by how
many places it was missed: then a second pass that keeps so many values finds it, whatever their
order.

While the rank is within the window's memory nothing is cut off at the top. Whatever the order, the
quantile is inside unless the images so far answered several times more than all will.

As values at the limits are counted and not kept, the 6 of a ReLU6 takes no memory however often it
comes. Where the lower limit is the least of all values (the zeros behind a ReLU), not even counting
is needed: whatever is neither kept nor counted is that value.
"""

from __future__ import annotations

import math

import numpy as np

from phosphene.survey.quantiles.multiset import Floats, Ints
from phosphene.survey.quantiles.rows import Rows, nth_largest, trimmed

# Bytes of an entry, and how many values wait at least before they are sorted in.
_ENTRY = 4
_WAIT = 1 << 19
# How far below its rank the quantile may fall: so many times the rank, and so many places more.
_TIMES, _MORE = 2, 512

# Values gone through together: half a megabyte stays in the processor's cache.
_TOGETHER = 1 << 17

_ALL = np.float32(np.inf)


def rank_from_top(count: int, level: float) -> int:
    """Return which largest of `count` values is the quantile; 1 is the largest.

    It is the least value with at most a share `1 - level` of all values above it; NumPy's
    `method="inverted_cdf"`, computed as NumPy does.
    """
    return count - max(math.ceil(count * level), 1) + 1


class Bracket:
    """The window of one layer.

    Attributes:
        low: (c,) values above this are kept, or counted.
        high: (c,) values below this are kept; the others are counted.
        above: (c,) how many lay above `high`.
        at_high: (c,) how many were `high` itself.
        at_low: (c,) how many were `low` itself; of no meaning where `low` is the floor.
        floor: (c,) the least of all values, as far as any is at `low` or below.
        count: How many positions were seen, of each channel.
        kept: The values in the window.
    """

    def __init__(self, channels: int, level: float, memory: int):
        self.level = level
        self.width = max(memory // _ENTRY // max(channels, 1), 64)
        self.low = np.full(channels, -np.inf, np.float32)
        self.high = np.full(channels, np.inf, np.float32)
        self.floor = np.full(channels, np.inf, np.float32)
        self.above, self.at_high, self.at_low = (np.zeros(channels, np.int64) for _ in range(3))
        self.count = 0
        self.kept = Rows(channels)
        self._narrowed = -1

    def see(self, maps: Floats, maxima: Floats) -> None:
        """Take in the maps of an image, (c, n), whose largest values, (c,), are known.

        They may lie in memory by channel or by position (`survey.layout`): what is found is the
        same.
        """
        channels, n = maps.shape
        if not self.count:
            self._begin(maps)
        if not maps.flags.c_contiguous:  # all channels at a time, as they lie together
            everyone = slice(0, channels)
            self._watch_floor(maps, everyone)
            self.kept.add(*self._inside(maps, maxima, everyone))
        else:
            counts = np.zeros(channels, np.int64)
            values = []
            step = max(1, _TOGETHER // max(n, 1))
            for start in range(0, channels, step):
                at = slice(start, start + step)
                self._watch_floor(maps[at], at)
                counts[at], found = self._inside(maps[at], maxima[at], at)
                values.append(found)
            self.kept.add(counts, np.concatenate(values))
        self.count += n
        if self.kept.pending > max(_WAIT, self.kept.values.size):
            self.settle()

    def settle(self) -> None:
        """Sort in what waits, and narrow the window."""
        if self._narrowed == self.count:
            return
        self._narrowed = self.count
        rank = rank_from_top(self.count, self.level) if self.count else 1
        lowest = min(_TIMES * rank + _MORE, rank + self.width // 2)
        highest = max(0, lowest - self.width)
        kept = []
        for block, rows in self.kept.blocks():
            bottom, deep = nth_largest(rows, lowest - self.above[block] - self.at_high[block])
            top, full = nth_largest(rows, highest - self.above[block] - self.at_high[block])
            # The two limits must not fall together.
            top = np.where(top == bottom, np.nextafter(top, _ALL), top)
            low = np.where(deep, bottom, self.low[block])
            high = np.where(full, np.minimum(top, self.high[block]), self.high[block])
            kept.append((block, self._narrow(block, rows, low, high)))
        self.kept.keep(kept)

    def join(self, other: Bracket) -> None:
        """Take in what another saw of other images; the other is not used any more."""
        low, high = np.maximum(self.low, other.low), np.minimum(self.high, other.high)
        # Windows that do not meet know of no value how many lie above it in both.
        apart = low >= high
        low, high = np.where(apart, _ALL, low), np.where(apart, _ALL, high)
        both = []
        everyone = np.arange(len(low))
        for window in (self, other):
            window.at_low = window._ties()
            ordered = np.empty((len(low), 0), np.float32)
            for block, rows in list(window.kept.blocks()):
                wider = rows.shape[1] - ordered.shape[1]
                if wider > 0:
                    ordered = np.pad(ordered, ((0, 0), (wider, 0)), constant_values=-np.inf)
                ordered[block, ordered.shape[1] - rows.shape[1] :] = rows
            both.append(window._narrow(everyone, ordered, low, high))
        for name in ("above", "at_high", "at_low"):
            total = getattr(self, name) + getattr(other, name)
            setattr(self, name, np.where(apart, 0, total))
        self.floor = np.minimum(self.floor, other.floor)
        self.count += other.count
        rows = np.concatenate(both, 1)
        rows.sort(axis=1)
        self.kept = Rows(len(low), rows)
        self.settle()

    def found(self) -> tuple[Floats, Ints]:
        """Return the quantiles, and by how many places each was missed.

        Returns:
            (c,) values, NaN where missed; (c,) 0 where found, n where the quantile is the n-th
            largest of the values at or below `low`, and -n where it is the n-th least of those
            above `high`.
        """
        self.settle()
        rank = rank_from_top(self.count, self.level)
        deeper = rank - self.above - self.at_high
        short = deeper - self.kept.inside
        value, _ = nth_largest(self.kept.values, deeper)
        value = np.where(deeper < 1, self.high, np.where(short > 0, self.low, value))
        beyond = self.above - rank + 1
        known = short <= self._ties()
        missed = np.where(beyond > 0, -beyond, np.where(known, 0, short))
        return np.where(missed == 0, value, np.nan).astype(np.float32), missed

    def _begin(self, maps: Floats) -> None:
        """Put the lower limit where the first image has it, so that not all of it is kept."""
        n = maps.shape[1]
        lowest = _TIMES * rank_from_top(n, self.level) + _MORE
        if lowest < min(n, self.width // 2):
            self.low = np.partition(maps, n - lowest, axis=1)[:, n - lowest] + np.float32(0)
            self.floor = maps.min(1) + np.float32(0)

    def _watch_floor(self, maps: Floats, at: slice) -> None:
        """Keep the floor; once it is below the lower limit, no further value can matter."""
        low, floor = self.low[at], self.floor[at]
        where = np.flatnonzero(low <= floor)
        if not len(where):
            return
        least = (maps if len(where) == len(low) else maps[where]).min(1) + np.float32(0)
        left = where[(least < floor[where]) & (low[where] == floor[where])]
        if len(left):
            self.at_low[at][left] = self._ties()[at][left]
        floor[where] = np.minimum(floor[where], least)

    def _inside(self, maps: Floats, maxima: Floats, at: slice) -> tuple[Ints, Floats]:
        """Count what lies outside, and return what does not: how many of each, and the values."""
        low, high = self.low[at], self.high[at]
        # Values at the floor are not even counted.
        bar = np.where(low == self.floor[at], np.nextafter(low, _ALL), low)
        owner, value = _from(bar, maps, maxima)
        if (outside := value == low[owner]).any():
            self.at_low[at] += np.bincount(owner[outside], minlength=len(low))
        if np.isfinite(high).any():
            limit = high[owner]
            over = value > limit
            self.above[at] += np.bincount(owner[over], minlength=len(low))
            self.at_high[at] += np.bincount(owner[value == limit], minlength=len(low))
            outside |= value >= limit
        if outside.any():
            owner, value = owner[~outside], value[~outside]
        return np.bincount(owner, minlength=len(low)), value

    def _narrow(self, block: Ints, rows: Floats, low: Floats, high: Floats) -> Floats:
        """Set the limits of channels, (m,), and count what of their rows lies outside."""
        raised, lowered = low > self.low[block], high < self.high[block]
        if raised.any():
            ties = (rows == low[:, None]).sum(1)
            self.at_low[block] = np.where(raised, ties, self.at_low[block])
            rows = np.where(rows > low[:, None], rows, -_ALL)
        if lowered.any():
            over = (rows > high[:, None]).sum(1) + self.at_high[block]
            self.above[block] += np.where(lowered, over, 0)
            ties = (rows == high[:, None]).sum(1)
            self.at_high[block] = np.where(lowered, ties, self.at_high[block])
            rows = np.sort(np.where(rows < high[:, None], rows, -_ALL), axis=1)
        self.low[block], self.high[block] = low, high
        return trimmed(rows)

    def _ties(self) -> Ints:
        """Return how many values were `low` itself."""
        rest = self.count - self.above - self.at_high - self.kept.inside
        return np.where(self.low == self.floor, rest, self.at_low)


def _from(bar: Floats, maps: Floats, maxima: Floats) -> tuple[Ints, Floats]:
    """Find the values of maps, (c, n), from a limit for each on: their channels and themselves.

    They come channel after channel, and of each in the order of its positions.
    """
    channels, n = maps.shape
    if not maps.flags.c_contiguous:
        return _from_rows(bar, maps.T, maxima)
    rows = np.flatnonzero(maxima >= bar)
    if not len(rows):
        return rows, np.empty(0, np.float32)
    some = maps if 2 * len(rows) > channels else maps[rows]
    if some is maps:
        rows = np.arange(channels)
    places = np.flatnonzero(some >= bar[rows, None])
    number = np.diff(np.searchsorted(places, np.arange(len(rows) + 1) * n))
    return np.repeat(rows, number), some.ravel()[places] + np.float32(0)


def _from_rows(bar: Floats, rows: Floats, maxima: Floats) -> tuple[Ints, Floats]:
    """Find the same in (n, c), whose channels lie together."""
    n, channels = rows.shape
    if not (maxima >= bar).any():
        return np.empty(0, np.int64), np.empty(0, np.float32)
    step = max(1, _TOGETHER // channels)
    owners, values = [], []
    for start in range(0, n, step):
        some = rows[start : start + step]
        places = np.flatnonzero(some >= bar)
        values.append(some.ravel()[places])
        owners.append(places.astype(np.uint32) % np.uint32(channels))
    owner, value = np.concatenate(owners), np.concatenate(values)
    # A stable sort of small numbers goes through them once for each byte.
    order = np.argsort(owner.astype(np.uint16) if channels <= 1 << 16 else owner, kind="stable")
    return owner[order].astype(np.int64), value[order] + np.float32(0)


def larger(maps: Floats, maxima: Floats, low: Floats) -> tuple[Ints, Floats]:
    """Find the values of maps, (c, n), above a limit for each: their channels and themselves."""
    n = maps.shape[1]
    if not maps.flags.c_contiguous:
        return _from_rows(np.nextafter(low, _ALL), maps.T, maxima)
    candidates = np.flatnonzero(maxima > low)
    numbers, values = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    step = max(1, _TOGETHER // max(n, 1))
    for start in range(0, len(candidates), step):
        channels = candidates[start : start + step]
        some = maps[channels]
        places = np.flatnonzero(some > low[channels, None])
        numbers.append(channels[places // n])
        values.append(some.ravel()[places])
    return np.concatenate(numbers), np.concatenate(values)
