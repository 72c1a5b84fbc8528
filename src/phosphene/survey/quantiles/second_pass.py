"""Exact quantiles that one pass has missed, found by a second one, whatever the order.

The first pass tells by how many places it missed them (`bracket`): the quantile is the n-th largest
of the values up to some limit, or the n-th least of those above it. The n largest (or least) values
so far are kept, and no more are ever needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from phosphene.errors import UnitError
from phosphene.survey.collector import Batch, State
from phosphene.survey.layered import entry
from phosphene.survey.layout import flat_codes
from phosphene.survey.quantiles.bracket import Bracket, larger
from phosphene.survey.quantiles.multiset import Floats, Ints, Multiset
from phosphene.survey.summary import maxima

_WAIT = 1 << 19


@dataclass(frozen=True, eq=False)
class Sought:
    """What is sought of a layer.

    Attributes:
        known: (c,) the quantiles that were found; NaN for the others.
        channels: (m,) the channels that were missed.
        limit: (m,) the limit of each.
        places: (m,) n for the n-th largest value up to the limit, -n for the n-th least above.
    """

    known: Floats
    channels: Ints
    limit: Floats
    places: Ints

    @classmethod
    def of(cls, window: Bracket) -> Sought:
        """Say what a first pass has missed."""
        known, missed = window.found()
        channels = missed.nonzero()[0]
        places = missed[channels]
        limit = np.where(places > 0, window.low[channels], window.high[channels])
        return cls(known, channels, limit, places)


class _Selection:
    """The n largest, or the n least, values of every channel that is sought."""

    def __init__(self, sought: Sought):
        self.upward = sought.places < 0
        self.places = np.abs(sought.places)
        # Least values are kept by their negatives, so that all channels keep their largest.
        self.top = np.where(self.upward, -sought.limit, sought.limit)
        self.bottom = np.full(len(self.top), -np.inf, np.float32)
        self.kept = Multiset(len(self.top))

    def see(self, maps: Floats) -> None:
        turned = np.where(self.upward[:, None], -maps, maps)
        channel, value = larger(turned, turned.max(1), self.bottom)
        # "Up to the limit" holds the limit, "above the limit" does not.
        inside = np.where(
            self.upward[channel], value < self.top[channel], value <= self.top[channel]
        )
        self.kept.add(channel[inside], value[inside])
        if self.kept.pending > max(_WAIT, len(self.kept.keys)):
            self.settle()

    def settle(self) -> None:
        self.kept.settle()
        last = self.kept.largest(self.places)
        self.bottom = np.maximum(self.bottom, np.nextafter(last, np.float32(-np.inf)))
        self.kept.cut(self.bottom, np.full_like(self.bottom, np.inf))

    def found(self) -> Floats:
        self.settle()
        last = self.kept.largest(self.places)
        return np.where(np.isfinite(last), np.where(self.upward, -last, last) + 0, np.nan)


class SecondPass:
    """Finds the quantiles that `Quantiles` has missed, when it sees the same images once more.

    Attributes:
        layers: The layers that miss any.
    """

    def __init__(self, sought: Mapping[str, Sought]):
        self.layers = tuple(sought)
        self._sought = dict(sought)
        self._selections = {layer: _Selection(s) for layer, s in sought.items()}

    def see(self, batch: Batch) -> None:
        """Take in a batch.

        Raises:
            NotFinite: A code is NaN or infinite.
        """
        for layer, selection in self._selections.items():
            maxima(batch, layer)  # refuses what is not finite
            channels = torch.from_numpy(self._sought[layer].channels)
            some = flat_codes(batch, layer)[:, channels]
            for maps in some.float().cpu().numpy():
                selection.see(maps)

    def state(self) -> State:
        """Return all it knows."""
        kept: State = {}
        for layer, selection in self._selections.items():
            selection.settle()
            kept[entry(layer, "keys")] = torch.from_numpy(selection.kept.keys.copy())
            kept[entry(layer, "counts")] = torch.from_numpy(selection.kept.counts.copy())
        return kept

    def merge(self, state: State) -> None:
        """Take in what another, made by the same `Quantiles`, has seen of other images."""
        for layer, selection in self._selections.items():
            if entry(layer, "keys") in state:
                keys, counts = (state[entry(layer, w)].numpy() for w in ("keys", "counts"))
                selection.kept.settle()
                selection.kept.join(keys, counts)
                selection.settle()

    def of(self, layer: str) -> Tensor:
        """Return the quantile of every channel, (c,) float32, those of the first pass included.

        NaN where fewer images were seen than by the first pass.

        Raises:
            UnitError: The layer is none of these.
        """
        if layer not in self._sought:
            raise UnitError(f"nothing was missing of layer {layer!r}: ask the first pass")
        sought = self._sought[layer]
        found = sought.known.copy()
        found[sought.channels] = self._selections[layer].found()
        return torch.from_numpy(found)
