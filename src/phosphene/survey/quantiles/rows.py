"""Values of many channels, a row for each: what exact quantiles keep of the stream.

New values wait in the order they come; sorting them in is put off until there are many, and then
done row by row, in blocks of channels that have about as many of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from phosphene.survey.quantiles.multiset import Floats, Ints

_BLOCKS = 16
_NOTHING = np.float32(-np.inf)


class Rows:
    """Values by channel.

    Attributes:
        values: (c, w) what was sorted in: in ascending order, minus infinity in front where a
            channel has fewer.
        inside: (c,) how many values each channel has, with those that wait.
        pending: How many values wait.
    """

    def __init__(self, channels: int, values: Floats | None = None):
        self.values = np.empty((channels, 0), np.float32) if values is None else values
        self.inside: Ints = (self.values > _NOTHING).sum(1)
        self.pending = 0
        self._waiting: list[tuple[Ints, Floats]] = []

    def add(self, counts: Ints, values: Floats) -> None:
        """Take in values, (n,), channel after channel, and how many each channel has, (c,)."""
        self._waiting.append((counts, values))
        self.inside += counts
        self.pending += len(values)

    def blocks(self) -> Iterator[tuple[Ints, Floats]]:
        """Give all values in blocks of channels, to be handed back by `keep`.

        Yields:
            The channels, (m,), and their values, (m, w), in ascending order.
        """
        channels = len(self.values)
        fresh = np.zeros(channels, np.int64)
        for counts, _ in self._waiting:
            fresh += counts
        order = np.argsort(fresh, kind="stable")
        if not self.pending:
            yield order, self.values[order]
            return
        values, starts = self._by_channel(fresh)
        for block in np.array_split(order, min(_BLOCKS, channels)):
            some = fresh[block]
            room = np.arange(some.max())
            valid = room < some[:, None]
            rows = np.full((len(block), self.values.shape[1] + len(room)), _NOTHING)
            rows[:, : self.values.shape[1]] = self.values[block]
            rows[:, self.values.shape[1] :][valid] = values[(starts[block][:, None] + room)[valid]]
            rows.sort(axis=1)
            yield block, rows

    def keep(self, blocks: list[tuple[Ints, Floats]]) -> None:
        """Keep these in place of all that there was."""
        width = max(rows.shape[1] for _, rows in blocks)
        kept = np.full((len(self.values), width), _NOTHING)
        for block, rows in blocks:
            kept[block, width - rows.shape[1] :] = rows
        self.values = kept
        self.inside = (kept > _NOTHING).sum(1)
        self._waiting, self.pending = [], 0

    def _by_channel(self, fresh: Ints) -> tuple[Floats, Ints]:
        """Put what waits in the order of channels: (n,) values, and (c,) where each begins."""
        starts = np.cumsum(fresh) - fresh
        values, free = np.empty(self.pending, np.float32), starts.copy()
        for counts, some in self._waiting:
            shift = free - (np.cumsum(counts) - counts)
            values[np.repeat(shift, counts) + np.arange(len(some))] = some
            free += counts
        return values, starts


def nth_largest(rows: Floats, n: Ints) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the n-th largest of each row, and where there are so many (1 is the largest)."""
    width = rows.shape[1]
    there = (n >= 1) & (n <= width)
    found = np.full(len(rows), _NOTHING)
    found[there] = rows[there, width - n[there]]
    return found, there & (found > _NOTHING)


def trimmed(rows: Floats) -> Floats:
    """Leave out the columns in front that hold nothing."""
    most = int((rows > _NOTHING).sum(1).max(initial=0))
    return rows[:, rows.shape[1] - most :]
