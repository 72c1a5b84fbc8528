"""Reading from a network's values what occlusion notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from phosphene.core.finite import all_finite
from phosphene.core.incremental.engine import Value
from phosphene.core.incremental.patches import Patches
from phosphene.core.incremental.sweep import in_full
from phosphene.core.network import Network
from phosphene.core.seed import as_maps
from phosphene.core.unit import Unit
from phosphene.errors import NotFinite

Reduce = Literal["max", "sum"]


class Maps:
    """What has been noted so far, by place of the patch.

    Attributes:
        value: (rows, columns) probability of the class, or value of the unit; NaN at first.
        best: (rows, columns) index of the most probable class; -1 at first.
        energy: (rows, columns) sum of the feature map; NaN at first.
    """

    def __init__(self, rows: int, columns: int) -> None:
        self.value = torch.full((rows, columns), torch.nan)
        self.best = torch.full((rows, columns), -1)
        self.energy = torch.full((rows, columns), torch.nan)


class Noting:
    """Reads from a batch's values what the maps hold.

    Args:
        net: The network.
        clean: Values of the clean image by layer; `""` is the output.
        unit: What is asked for.
        layer: Its layer; `None` for a class.
        feature: Layer of the feature map; `None` for none.
        reduce: What a channel without a position counts as.

    Attributes:
        unit: The class, or the channel, with what was left to the clean image filled in.
        channel: The strongest feature map; -1 for none.
        clean_value, clean_energy, clean_probabilities: The same readings of the clean image.
    """

    def __init__(
        self,
        net: Network,
        clean: Mapping[str, Tensor],
        unit: Unit,
        layer: str | None,
        feature: str | None,
        reduce: Reduce,
    ) -> None:
        self._net, self._layer, self._feature, self._reduce = net, layer, feature, reduce
        self.unit, self.channel = unit, -1
        self.clean_probabilities = torch.empty(0)
        self.clean_energy = torch.zeros(())
        if layer is None:
            self.clean_probabilities = net.head.probabilities(clean[""])
            index = unit.channel
            if unit.kind == "predicted":
                index = int(self.clean_probabilities.argmax())
            self.unit = Unit(index, kind="class", name=net.label(index))
        else:
            seed = unit.plant(clean[layer])
            at = unit.at
            if at == "centre":
                row, column = seed.at[0].tolist()
                at = (row, column)
            self.unit = Unit(int(seed.channel[0]), at)
        if feature is not None:
            strongest = Unit.strongest().plant(clean[feature])
            self.channel = int(strongest.channel[0])
            self.clean_energy = self._map_of(clean[feature], self.channel).sum()
        self.clean_value = self._value(clean)[0][0]

    @staticmethod
    def blank(y: Tensor, x: Tensor) -> Maps:
        """Return maps of which nothing is known."""
        return Maps(len(y), len(x))

    def note(self, values: dict[str, Value], maps: Maps, at: Sequence[tuple[int, int]]) -> None:
        """Write what a batch says into the maps, at rows and columns of the grid."""
        rows, columns = (torch.tensor(axis) for axis in zip(*at, strict=True))
        value, best = self._value(values)
        energy = None
        if self._feature is not None:
            energy = self._map_of(values[self._feature], self.channel).sum((1, 2))
        if not all_finite(value) or (energy is not None and not all_finite(energy)):
            raise NotFinite(
                "the network puts out NaN or infinity for an occluded image: choose another fill, "
                "or a precision that is high enough"
            )
        if best is not None:
            maps.best[rows, columns] = best.cpu()
        if energy is not None:
            maps.energy[rows, columns] = energy.float().cpu()
        # The last, as it is what tells which places are done, should Ctrl-C come just here.
        maps.value[rows, columns] = value.float().cpu()

    def _value(self, values: Any) -> tuple[Tensor, Tensor | None]:
        if self._layer is None:
            probabilities = self._net.head.probabilities(in_full(values[""]))
            return probabilities[:, self.unit.channel], probabilities.argmax(1)
        maps = self._map_of(values[self._layer], self.unit.channel)
        if isinstance(self.unit.at, tuple):
            row, column = self.unit.at
            return maps[:, row, column], None
        if self.unit.at == "positive":
            return maps.clamp(min=0).sum((1, 2)), None
        return maps.amax((1, 2)) if self._reduce == "max" else maps.sum((1, 2)), None

    @staticmethod
    def _map_of(value: Value, channel: int) -> Tensor:
        """Return one channel's maps, (b, h, w)."""
        if isinstance(value, Patches):
            return value.channel(channel).whole()[:, 0]
        return as_maps(value)[0][:, channel]
