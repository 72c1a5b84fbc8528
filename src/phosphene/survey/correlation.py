"""Which channels answer to the same images: the correlation of their largest activations.

Over the images of a set, a channel is the row of its largest activations; two channels are
neighbours where these rows are correlated (Pearson). Means and co-moments are put together in
float64 by the rule of Chan, Golub & LeVeque (1979), as in `statistics`, for all pairs of channels
of a layer.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from phosphene.errors import UnitError
from phosphene.survey.collector import Batch, State
from phosphene.survey.layered import entry, layers_of, units_match
from phosphene.survey.summary import maxima

# A channel that varies by less than this share of its size is taken to be constant.
_CONSTANT = 1e-12

_Moments = tuple[Tensor, Tensor, Tensor]


class Correlation:
    """Collects how alike the channels of a layer answer to images.

    Attributes:
        layers: The layers. A layer of c channels takes `8 c^2` bytes.
    """

    def __init__(self, layers: Sequence[str]):
        self.layers = layers_of(layers)
        self._moments: dict[str, _Moments] = {}

    def see(self, batch: Batch) -> None:
        """Take in a batch.

        Raises:
            NotFinite: A code is NaN or infinite.
        """
        for layer in self.layers:
            peaks = maxima(batch, layer).double()
            mean = peaks.mean(0)
            centred = peaks - mean
            self._add(layer, (torch.tensor(len(peaks)), mean, centred.T @ centred))

    def state(self) -> State:
        """Return all it knows."""
        return {
            entry(layer, name): tensor.clone()
            for layer, moments in self._moments.items()
            for name, tensor in zip(_NAMES, moments, strict=True)
        }

    def merge(self, state: State) -> None:
        """Take in what another has seen of other images.

        Raises:
            FormatError: It was of another network.
        """
        for layer in self.layers:
            if entry(layer, "images") in state:
                images, mean, comoments = (state[entry(layer, name)] for name in _NAMES)
                self._add(layer, (images, mean, comoments))

    def matrix(self, layer: str) -> Tensor:
        """Return the correlations of a layer.

        Returns:
            (c, c) float64 in [-1, 1]; 0 for a channel that never changes, also with itself.

        Raises:
            UnitError: Nothing was seen of the layer.
        """
        if layer not in self._moments:
            raise UnitError(f"nothing was collected of layer {layer!r}: name it, and see images")
        images, mean, comoments = self._moments[layer]
        spread = comoments.diagonal()
        varies = spread > int(images) * (_CONSTANT * mean) ** 2
        scale = torch.where(varies, spread, torch.inf).rsqrt()
        found = (comoments * scale[:, None] * scale).clamp(-1, 1)
        return found.fill_diagonal_(1.0) * varies[:, None] * varies

    def neighbours(self, layer: str, channel: int, count: int = 8) -> list[tuple[int, float]]:
        """Return the channels that are most like another.

        Args:
            layer: The layer.
            channel: The channel.
            count: How many.

        Returns:
            Pairs of channel and correlation, the most alike first, of equals the lower number;
            none for a channel that never changes.

        Raises:
            UnitError: Nothing was seen of the layer, or it has no such channel.
        """
        alike = self.matrix(layer)
        if not 0 <= channel < len(alike):
            raise UnitError(f"layer {layer!r} has units 0 to {len(alike) - 1}, no unit {channel}")
        row = alike[channel].clone()
        if not float(row[channel]):
            return []
        row[channel] = -torch.inf
        order = torch.argsort(row, descending=True, stable=True)[: min(count, len(row) - 1)]
        return [(int(other), float(row[other])) for other in order]

    def _add(self, layer: str, more: _Moments) -> None:
        if layer not in self._moments:
            self._moments[layer] = more[0].clone(), more[1].clone(), more[2].clone()
            return
        images, mean, comoments = self._moments[layer]
        units_match(layer, len(mean), len(more[1]))
        whole = images + more[0]
        d, share = more[1] - mean, float(more[0]) / float(whole)
        joined = comoments + more[2] + torch.outer(d, d) * (float(images) * share)
        self._moments[layer] = whole, mean + d * share, joined


_NAMES = ("images", "mean", "comoments")
