"""Quantiles from a sample of positions that does not hang on the order they come in.

Each position of each image has a random number, made of the image's key and the position alone; the
sample is the positions with the smallest numbers (a bottom-k sketch: Cohen & Kaplan 2007). It is
the same for all channels. Samples of parts put together hold the sample of the whole.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from phosphene.survey.layout import by_position
from phosphene.survey.quantiles.bracket import rank_from_top
from phosphene.survey.quantiles.multiset import Floats

Numbers = NDArray[np.uint64]


class Sample:
    """The sample of one layer.

    Attributes:
        channels: How many channels it has.
        size: How many positions it keeps.
        count: How many positions were seen.
    """

    def __init__(self, channels: int, size: int):
        self.channels = channels
        self.size = size
        self.count = 0
        self._numbers = np.full(size, _FREE)
        self._values = np.empty((size, channels), np.float32)

    def see(self, flat: Tensor, keys: NDArray[np.int64]) -> None:
        """Take in maps, (b, c, n), of images with these keys, (b,)."""
        n = flat.shape[2]
        numbers = random_numbers(keys, n).ravel()
        self.count += numbers.size
        small = np.flatnonzero(numbers < self._numbers.max())
        fresh, slots = self._enter(numbers[small])
        where = torch.from_numpy(small[fresh]).to(flat.device)
        if by_position(flat):
            found = flat.transpose(1, 2).flatten(0, 1).index_select(0, where)
        else:
            found = flat[where // n, :, where % n]
        self._values[slots] = found.float().cpu().numpy()

    def take(self, numbers: Numbers, values: Floats, count: int) -> None:
        """Take in another sample: its random numbers, (m,), values, (m, c), and count."""
        self.count += count
        fresh, slots = self._enter(numbers)
        self._values[slots] = values[fresh]

    def chosen(self) -> tuple[Numbers, Floats]:
        """Return the sample: random numbers in order, (m,), and values, (m, c)."""
        order = np.argsort(self._numbers)
        order = order[: np.count_nonzero(self._numbers != _FREE)]
        return self._numbers[order], self._values[order] + np.float32(0)  # -0 is 0

    def quantiles(self, level: float) -> Floats:
        """Return the quantile of every channel, (c,)."""
        values = self._values[self._numbers != _FREE] + np.float32(0)
        place = len(values) - rank_from_top(len(values), level)
        found: Floats = np.partition(values, place, axis=0)[place]
        return found

    def _enter(self, numbers: Numbers) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Let the smallest numbers in: return which of the new ones, and the slots they take."""
        both = np.concatenate([self._numbers, numbers])
        stays = np.zeros(len(both), bool)
        stays[np.argpartition(both, self.size - 1)[: self.size]] = True
        fresh, slots = np.flatnonzero(stays[self.size :]), np.flatnonzero(~stays[: self.size])
        self._numbers[slots] = numbers[fresh]
        return fresh, slots


def random_numbers(keys: NDArray[np.int64], positions: int) -> Numbers:
    """Give every position of images, (b,) keys, its random number: (b, positions).

    The finaliser of SplitMix64 (Steele, Lea & Flood 2014), of the key and then of the position.
    """
    stream = _mixed(keys.astype(np.uint64) * _GOLDEN + _GOLDEN)
    return _mixed(stream[:, None] + np.arange(1, positions + 1, dtype=np.uint64) * _GOLDEN)


_FREE = np.uint64(0xFFFFFFFFFFFFFFFF)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mixed(z: Numbers) -> Numbers:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
