"""The images that a unit answers to most: the strongest position of each of the strongest images.

Zeiler & Fergus (ECCV 2014), figure 2: of every feature map the nine images with the largest
activation, one patch an image. What is kept of an image is its largest activation, and where.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from phosphene.errors import SettingError, UnitError
from phosphene.survey.collector import Batch, State
from phosphene.survey.layered import check_same, entry, layers_of, units_match
from phosphene.survey.layout import by_position, flat_codes, lines_of
from phosphene.survey.summary import line_maxima, maxima

_NOBODY = np.iinfo(np.int64).max
_LARGE_MAP = 1024


@dataclass(frozen=True)
class Peak:
    """Where an image made a unit fire most.

    Attributes:
        key: The image's key.
        value: The activation.
        at: (row, column) on the layer's map.
    """

    key: int
    value: float
    at: tuple[int, int]


@dataclass
class _Best:
    """The strongest of every channel, best first; free places hold `_NOBODY` as key."""

    value: NDArray[np.float64]
    key: NDArray[np.int64]
    at: NDArray[np.int64]


class TopPatches:
    """Collects the strongest images of every channel, each with its strongest position.

    Of equal activations the image with the smaller key is the stronger, and within an image the
    position that comes first, row by row; so what is found hangs neither on the order of the
    images nor on how they are shared out.

    Attributes:
        layers: The layers.
        count: How many images a channel keeps.
    """

    def __init__(self, layers: Sequence[str], count: int = 9):
        if count < 1:
            raise SettingError(f"{count} strongest images were asked for: ask for 1 or more")
        self.layers = layers_of(layers)
        self.count = count
        self._best: dict[str, _Best] = {}

    def see(self, batch: Batch) -> None:
        """Take in a batch.

        Raises:
            NotFinite: A code is NaN or infinite.
        """
        for layer in self.layers:
            largest = maxima(batch, layer).double().numpy()
            best = self._of(layer, largest.shape[1])
            keys = batch.keys.cpu().numpy()
            last_value, last_key = best.value[:, -1], best.key[:, -1]
            enters = (largest > last_value) | ((largest == last_value) & (keys[:, None] < last_key))
            units = np.flatnonzero(enters.any(0))
            if not len(units):
                continue
            key = np.broadcast_to(keys, (len(units), len(keys)))
            order = self._enter(best, units, largest[:, units].T, key)
            rows, places = np.nonzero(order >= self.count)
            images = order[rows, places] - self.count
            at = np.take_along_axis(
                best.at[units], np.minimum(order, self.count - 1)[..., None], axis=1
            )
            at[rows, places] = _first_places(batch, layer, images, units[rows])
            best.at[units] = at

    def state(self) -> State:
        """Return all it knows."""
        kept: State = {"count": torch.tensor(self.count)}
        for layer, best in self._best.items():
            kept[entry(layer, "value")] = torch.from_numpy(best.value.copy())
            kept[entry(layer, "key")] = torch.from_numpy(best.key.copy())
            kept[entry(layer, "at")] = torch.from_numpy(best.at.copy())
        return kept

    def merge(self, state: State) -> None:
        """Take in what another has seen of other images.

        Raises:
            FormatError: It keeps another number of images, or was of another network.
        """
        check_same(state, "count", self.count)
        for layer in self.layers:
            if entry(layer, "value") not in state:
                continue
            value = state[entry(layer, "value")].numpy()
            key, at = state[entry(layer, "key")].numpy(), state[entry(layer, "at")].numpy()
            best = self._of(layer, len(value))
            units = np.arange(len(value))
            order = self._enter(best, units, value, key)
            both = np.concatenate([best.at, at], 1)
            best.at[:] = np.take_along_axis(both, order[..., None], axis=1)

    def of(self, layer: str, channel: int) -> tuple[Peak, ...]:
        """Return the strongest images of a channel, best first; fewer where fewer were seen.

        Raises:
            UnitError: The layer was not collected, or has no such channel.
        """
        best = self._best.get(layer)
        if best is None or not 0 <= channel < len(best.key):
            known = f"units 0 to {len(best.key) - 1}" if best else "no collected units"
            raise UnitError(f"layer {layer!r} has {known}, and so no unit {channel}")
        rows = zip(best.key[channel], best.value[channel], best.at[channel], strict=True)
        return tuple(
            Peak(int(key), float(value), (int(at[0]), int(at[1])))
            for key, value, at in rows
            if key != _NOBODY
        )

    def channels(self, layer: str) -> int:
        """Return how many channels a layer has; 0 where nothing was seen of it."""
        return len(self._best[layer].key) if layer in self._best else 0

    def _of(self, layer: str, channels: int) -> _Best:
        if layer not in self._best:
            shape = channels, self.count
            nobody = np.full(shape, _NOBODY, np.int64)
            nowhere = np.full((*shape, 2), -1, np.int64)
            self._best[layer] = _Best(np.full(shape, -np.inf), nobody, nowhere)
        units_match(layer, len(self._best[layer].key), channels)
        return self._best[layer]

    def _enter(
        self,
        best: _Best,
        units: NDArray[np.int64],
        value: NDArray[np.float64],
        key: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Sort newcomers, (u, m), into units, (u,): all but their places on the map.

        Returns:
            (u, count) what a unit's strongest now are: the number among those that it had, or
            that among the newcomers plus `count`.
        """
        value = np.concatenate([best.value[units], value], 1)
        key = np.concatenate([best.key[units], key], 1)
        order = np.lexsort((key, -value), axis=1)[:, : self.count]
        best.value[units] = np.take_along_axis(value, order, axis=1)
        best.key[units] = np.take_along_axis(key, order, axis=1)
        return order


def _first_places(
    batch: Batch, layer: str, images: NDArray[np.int64], units: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return (row, column), (n, 2), where maps are largest; the first where several places are."""
    width = batch.codes[layer].shape[3]
    flat = flat_codes(batch, layer)
    if flat.device.type == "cpu" and by_position(flat):
        line = line_maxima(batch, layer).numpy()[images, :, units].argmax(1)
        lines = lines_of(batch, layer).numpy()
        place = line * lines.shape[2] + lines[images, line, :, units].argmax(1)
    elif flat.device.type == "cpu":
        values = flat.numpy()
        if flat.shape[2] < _LARGE_MAP:
            place = values[images, units].argmax(1)
        else:
            # Copies of large maps cost more than a call for each.
            pairs = zip(images.tolist(), units.tolist(), strict=True)
            place = np.array([values[image, unit].argmax() for image, unit in pairs], np.int64)
    else:
        # There argmax may return any of several equal places.
        maps = flat[torch.from_numpy(images).to(flat.device), torch.from_numpy(units)]
        numbers = torch.arange(maps.shape[1], device=maps.device)
        first = torch.where(maps == maps.amax(1, keepdim=True), numbers, maps.shape[1])
        place = first.amin(1).cpu().numpy()
    return np.stack([place // width, place % width], 1).astype(np.int64)
