"""What every image made of every unit at most: the numbers that checkpoints are compared by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from phosphene.survey.collector import Batch, State
from phosphene.survey.layered import entry, layers_of, units_match
from phosphene.survey.summary import maxima

Floats = NDArray[np.float64]


class ImageMaxima:
    """Collects the largest activation of every unit on every image.

    Unlike other collectors it keeps something of every image, four bytes a unit: for some hundred
    or thousand images, as one follows through a run.

    Attributes:
        layers: The layers.
    """

    def __init__(self, layers: Sequence[str]):
        self.layers = layers_of(layers)
        self._keys: list[NDArray[np.int64]] = []
        self._values: dict[str, list[NDArray[np.float32]]] = {name: [] for name in self.layers}

    def see(self, batch: Batch) -> None:
        """Take in a batch."""
        self._keys.append(batch.keys.cpu().numpy().astype(np.int64))
        for layer in self.layers:
            self._values[layer].append(maxima(batch, layer).float().numpy())

    def state(self) -> State:
        """Return all it knows."""
        if not self._keys:
            return {}
        kept: State = {"keys": torch.from_numpy(np.concatenate(self._keys))}
        for layer, values in self._values.items():
            kept[entry(layer, "maxima")] = torch.from_numpy(np.concatenate(values))
        return kept

    def merge(self, state: State) -> None:
        """Take in what another has seen of other images."""
        if "keys" not in state:
            return
        self._keys.append(state["keys"].numpy())
        for layer in self.layers:
            values = state[entry(layer, "maxima")].numpy()
            if self._values[layer]:
                units_match(layer, self._values[layer][0].shape[1], values.shape[1])
            self._values[layer].append(values)

    def of(self, layer: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the images' keys, (n,) growing, and the maxima of a layer, (n, c)."""
        keys = np.concatenate(self._keys)
        order = np.argsort(keys)
        return keys[order], np.concatenate(self._values[layer])[order]
