"""Maps that a dissection will need, kept in memory: then one pass does for both of its steps.

A unit's mask is empty on an image unless a code of it exceeds the threshold T, which is the K-th
largest of all values. The K-th largest of the values *so far* can only grow, and ends as T: so a
map whose largest value does not exceed it will never be needed. What is kept, in the end, are the
maps whose largest value exceeds T, and T itself is known from them: both exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from phosphene.survey.collector import Batch, State
from phosphene.survey.facts import LayerFacts
from phosphene.survey.layered import layers_of
from phosphene.survey.layout import flat_codes
from phosphene.survey.quantiles.bracket import larger, rank_from_top
from phosphene.survey.quantiles.multiset import Multiset
from phosphene.survey.summary import maxima

Ints = NDArray[np.int64]
_WAIT = 1 << 18
# Of all maps a share like this is kept, and of the values above the limit so many times K.
_SHARE = 0.5


def fits(facts: Mapping[str, LayerFacts], images: int, memory: int) -> bool:
    """Tell whether the maps of so many images are likely to fit into memory, bytes."""
    values = sum(fact.channels * fact.height * fact.width for fact in facts.values())
    return 4 * _SHARE * values * images <= memory


class Recollection:
    """Collects thresholds, and the maps that exceed them; in one process, without a state on disk.

    Attributes:
        layers: The layers.
        level: Share of positions above a threshold, at most.
        images: How many images there will be, at most.
        memory: Bytes that maps may take; beyond that everything is let go.
        full: Whether that has come to pass.
    """

    def __init__(self, layers: Sequence[str], level: float, images: int, memory: int):
        self.layers: Sequence[str] = layers_of(layers)
        self.level, self.images, self.memory = level, images, memory
        self.full = False
        self._kept: dict[str, _Kept] = {}

    def see(self, batch: Batch) -> None:
        """Take in a batch.

        Raises:
            NotFinite: A code is NaN or infinite.
        """
        if self.full:
            return
        for layer in self.layers:
            flat = flat_codes(batch, layer)
            if layer not in self._kept:
                places = self.images * flat.shape[2]
                rank = rank_from_top(places, 1 - self.level)
                self._kept[layer] = _Kept(flat.shape[1], rank)
            largest = maxima(batch, layer)
            self._kept[layer].see(batch.keys.cpu().numpy(), batch.codes[layer], flat, largest)
        if sum(kept.bytes for kept in self._kept.values()) > self.memory:
            for kept in self._kept.values():
                kept.settle()
        if sum(kept.bytes for kept in self._kept.values()) > self.memory:
            self.full = True
            self._kept.clear()

    def of(self, layer: str) -> Tensor:
        """Return the threshold of every unit, (c,) float32: see `Quantiles`."""
        kept = self._kept[layer]
        return torch.from_numpy(kept.threshold(rank_from_top(kept.count, 1 - self.level)))

    def maps(self, layer: str, limit: Tensor) -> Iterator[tuple[int, Ints, Tensor]]:
        """Give the maps whose largest value exceeds a limit, image by image.

        Args:
            layer: The layer.
            limit: (c,).

        Yields:
            Key of the image, (n,) units in order, and (n, h, w) their maps.
        """
        floor = limit.numpy()
        for key, units, largest, maps in self._kept[layer].stored:
            over = largest > floor[units]
            if over.any():
                yield key, units[over], maps[torch.from_numpy(over)]

    def state(self) -> State:
        """Return nothing: what is recollected is never written."""
        return {}

    def merge(self, state: State) -> None:
        """Take in nothing."""


class _Kept:
    """What is kept of a layer."""

    def __init__(self, channels: int, rank: int):
        self.rank, self.count, self.bytes = rank, 0, 0
        self.limit = np.full(channels, -np.inf, np.float32)
        self.values = Multiset(channels)
        self.stored: list[tuple[int, Ints, NDArray[np.float32], Tensor]] = []

    def see(self, keys: Ints, codes: Tensor, flat: Tensor, largest: Tensor) -> None:
        high = largest.float().numpy()
        self.count += len(keys) * flat.shape[2]
        for place, key in enumerate(keys.tolist()):
            channel, value = larger(flat[place].float().cpu().numpy(), high[place], self.limit)
            self.values.add(channel, value)
            if self.values.pending > max(_WAIT, len(self.values.keys)):
                self._raise()
            units = np.flatnonzero(high[place] > self.limit)
            if len(units):
                chosen = torch.from_numpy(units).to(codes.device)
                maps = codes[place][chosen]
                maps = maps if maps.dtype == torch.float64 else maps.float()
                self.stored.append((key, units, high[place][units], maps))
                self.bytes += maps.numel() * maps.element_size()

    def settle(self) -> None:
        """Let go of maps that are no longer above the limit."""
        self._raise()
        kept, self.stored, self.bytes = self.stored, [], 0
        for key, units, largest, maps in kept:
            over = largest > self.limit[units]
            if over.any():
                fewer = maps if over.all() else maps[torch.from_numpy(over).to(maps.device)]
                self.stored.append((key, units[over], largest[over], fewer))
                self.bytes += fewer.numel() * fewer.element_size()

    def threshold(self, rank: int) -> NDArray[np.float32]:
        self.values.settle()
        last = self.values.largest(np.full(len(self.limit), rank))
        # Fewer values than that above the limit: then the limit itself is so many-th.
        return np.maximum(last, self.limit)

    def _raise(self) -> None:
        self.values.settle()
        last = self.values.largest(np.full(len(self.limit), self.rank))
        self.limit = np.maximum(self.limit, last)
        self.values.cut(self.limit, np.full_like(self.limit, np.inf))
