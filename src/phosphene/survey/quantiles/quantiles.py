"""The value that a share of all positions of all images lies above: every channel's threshold.

Network dissection (Bau et al., CVPR 2017) takes for each unit the value T with P(a > T) = 0.005
over all positions of all images. Here T is the least value that at most a share `1 - level` of all
positions lies above: NumPy's `quantile(..., method="inverted_cdf")`, in float32. So `a > T`
marks the top 0.5 % at most, and less where many positions share the value T.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from phosphene.errors import SettingError, UnitError
from phosphene.survey.collector import Batch, State
from phosphene.survey.layered import check_same, entry, layers_of, units_match
from phosphene.survey.layout import flat_codes
from phosphene.survey.quantiles.bracket import Bracket
from phosphene.survey.quantiles.multiset import Floats, Ints
from phosphene.survey.quantiles.rows import Rows
from phosphene.survey.quantiles.sample import Sample
from phosphene.survey.quantiles.second_pass import SecondPass, Sought
from phosphene.survey.summary import check_finite_maps, maxima, minima

_WINDOW = ("low", "high", "above", "at_high", "at_low", "floor")


class Quantiles:
    """Collects a quantile of every channel over all positions of all images.

    Sampled, it is that of a sample of positions, the same whatever the order of the images and
    however they are shared out: with 4,096 positions and level 0.995, some 20 lie above it, and so
    0.50 +- 0.11 % of all positions (one standard deviation).
    Exact, one pass finds it for all but those channels that `missing` tells, whose largest values
    came in an unfortunate order; a second pass, `again`, finds these.

    Attributes:
        layers: The layers.
        level: Share of positions that do not lie above.
        exact: Whether all positions count.
        positions: Size of the sample. It takes 4 bytes for each position and channel.
        memory: Bytes that a layer's window takes when exact; several times as many while new values
            are sorted in. For m images in random order, c channels and maps of n positions,
            half of `c * n * sqrt(m)` bytes hold the quantile as a rule (four standard deviations,
            where 0.015 is that of the share of an image's positions above).
    """

    def __init__(
        self,
        layers: Sequence[str],
        level: float = 0.995,
        exact: bool = False,
        positions: int = 1 << 12,
        memory: int = 1 << 26,
    ):
        if not 0 < level < 1:
            raise SettingError(f"a level of {level:g} is no share: give one between 0 and 1")
        if positions < 1 or memory < 1:
            raise SettingError("the sample and the memory for it need to be larger than 0")
        self.layers = layers_of(layers)
        self.level = level
        self.exact = exact
        self.positions = positions
        self.memory = memory
        self._samples: dict[str, Sample] = {}
        self._windows: dict[str, Bracket] = {}

    def see(self, batch: Batch) -> None:
        """Take in a batch.

        Raises:
            NotFinite: A code is NaN or infinite.
        """
        for layer in self.layers:
            largest = maxima(batch, layer).float().numpy()
            flat = flat_codes(batch, layer)
            if not self.exact:
                self._sample(layer, flat.shape[1]).see(flat, batch.keys.cpu().numpy())
                continue
            window = self._window(layer, flat.shape[1])
            for maps, high in zip(flat, largest, strict=True):
                window.see(maps.float().cpu().numpy(), high)
            if np.isneginf(window.floor).any():
                check_finite_maps(batch, layer, minima(batch, layer))

    def state(self) -> State:
        """Return all it knows."""
        kept: State = {"level": torch.tensor(self.level, dtype=torch.float64)}
        kept["exact"] = torch.tensor(float(self.exact))
        kept["size"] = torch.tensor(self._size)
        for layer, sample in self._samples.items():
            numbers, values = sample.chosen()
            kept[entry(layer, "numbers")] = torch.from_numpy(numbers.view(np.int64).copy())
            kept[entry(layer, "values")] = torch.from_numpy(values.copy())
            kept[entry(layer, "count")] = torch.tensor(sample.count)
        for layer, window in self._windows.items():
            window.settle()
            for name in _WINDOW:
                kept[entry(layer, name)] = torch.from_numpy(getattr(window, name).copy())
            kept[entry(layer, "values")] = torch.from_numpy(window.kept.values.copy())
            kept[entry(layer, "count")] = torch.tensor(window.count)
        return kept

    def merge(self, state: State) -> None:
        """Take in what another has seen of other images.

        Raises:
            FormatError: It seeks another quantile, or was of another network.
        """
        check_same(state, "level", self.level)
        check_same(state, "exact", float(self.exact))
        check_same(state, "size", self._size)
        for layer in self.layers:
            if entry(layer, "count") not in state:
                continue
            own = {
                name.removeprefix(entry(layer, "")): tensor.numpy()
                for name, tensor in state.items()
                if name.startswith(entry(layer, ""))
            }
            if self.exact:
                other = Bracket(len(own["low"]), self.level, self.memory)
                for name in _WINDOW:
                    setattr(other, name, own[name].copy())
                other.kept = Rows(len(own["low"]), own["values"])
                other.count = int(own["count"])
                self._window(layer, len(own["low"])).join(other)
            else:
                values = own["values"]
                sample = self._sample(layer, values.shape[1])
                sample.take(own["numbers"].view(np.uint64), values, int(own["count"]))

    def of(self, layer: str) -> Tensor:
        """Return the quantile of every channel, (c,) float32; NaN where it is missing.

        Raises:
            UnitError: Nothing was seen of the layer.
        """
        return torch.from_numpy(self._found(layer)[0])

    def missing(self, layer: str) -> tuple[int, ...]:
        """Return the channels of a layer whose exact quantile one pass has not found."""
        return tuple(int(n) for n in self._found(layer)[1].nonzero()[0])

    def count(self, layer: str) -> int:
        """Return how many positions of a layer were seen, of each channel."""
        seen = self._windows.get(layer) or self._samples.get(layer)
        return seen.count if seen else 0

    def again(self) -> SecondPass | None:
        """Return the collector that finds what is missing when it sees all images again.

        Returns:
            The collector, of those layers that miss any; `None` where none does.
        """
        sought: Mapping[str, Sought] = {
            layer: Sought.of(window)
            for layer, window in self._windows.items()
            if self.missing(layer)
        }
        return SecondPass(sought) if sought else None

    @property
    def _size(self) -> int:
        return self.memory if self.exact else self.positions

    def _found(self, layer: str) -> tuple[Floats, Ints]:
        if layer in self._windows:
            return self._windows[layer].found()
        if layer in self._samples:
            values = self._samples[layer].quantiles(self.level)
            return values, np.zeros(len(values), np.int64)
        raise UnitError(f"nothing was collected of layer {layer!r}: name it, and see images")

    def _sample(self, layer: str, channels: int) -> Sample:
        sample = self._samples.setdefault(layer, Sample(channels, self.positions))
        units_match(layer, sample.channels, channels)
        return sample

    def _window(self, layer: str, channels: int) -> Bracket:
        if layer not in self._windows:
            self._windows[layer] = Bracket(channels, self.level, self.memory)
        units_match(layer, len(self._windows[layer].low), channels)
        return self._windows[layer]
