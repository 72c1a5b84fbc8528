"""What every channel does over an image set: how much, how often, and whether it is alive at all.

Counts, extremes and shares are exact. Means and variances are found map by map in the codes' own
precision, put together in float64 by Chan, Golub & LeVeque (1979),

    n = n_a + n_b,   d = mean_b - mean_a,   mean = mean_a + d n_b / n,
    M2 = M2_a + M2_b + d^2 n_a n_b / n,

and maps whose spread is lost in the size of their values are gone through again in float64.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from phosphene.errors import UnitError
from phosphene.preimage.maxima import Maxima
from phosphene.survey.collector import Batch, State
from phosphene.survey.layered import entry, layers_of, units_match
from phosphene.survey.layout import flat_codes
from phosphene.survey.summary import Summary, check_finite_maps, summary

if TYPE_CHECKING:
    from phosphene.core.network import Network

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_NOBODY = np.iinfo(np.int64).max

# Where the variance is a smaller share of the mean square than this, float32 sums do not hold it.
_LOST = 1e-2
_NEAR = 0.01
_BOUNDS = {
    "Sigmoid": (0.0, 1.0),
    "Hardsigmoid": (0.0, 1.0),
    "Softmax": (0.0, 1.0),
    "Tanh": (-1.0, 1.0),
    "Hardtanh": (-1.0, 1.0),
    "Softsign": (-1.0, 1.0),
    "ReLU6": (-np.inf, 6.0),
}


@dataclass
class _Sums:
    """What is known of a layer; every array has a row for each channel, (c,)."""

    count: Ints
    images: Ints
    mean: Floats
    m2: Floats
    minimum: Floats
    maximum: Floats
    image: Ints
    positive: Ints
    active: Ints
    bound: Ints

    @classmethod
    def nothing(cls, c: int) -> _Sums:
        none, zero = np.zeros(c, np.int64), np.zeros(c)
        low, high = np.full(c, np.inf), np.full(c, -np.inf)
        nobody = np.full(c, _NOBODY)
        return cls(none, none, zero, zero, low, high, nobody, none, none, none)

    def and_(self, other: _Sums) -> _Sums:
        """Put two sets of images together."""
        n = self.count + other.count
        share = other.count / np.maximum(n, 1)
        d = other.mean - self.mean
        first, second = self.maximum, other.maximum
        image = np.where(
            first == second,
            np.minimum(self.image, other.image),
            np.where(first > second, self.image, other.image),
        )
        return _Sums(
            n,
            self.images + other.images,
            self.mean + d * share,
            self.m2 + other.m2 + d * d * share * self.count,
            np.minimum(self.minimum, other.minimum),
            np.maximum(first, second),
            image,
            self.positive + other.positive,
            self.active + other.active,
            self.bound + other.bound,
        )


@dataclass(frozen=True, eq=False)
class LayerStatistics:
    """What the channels of a layer do over an image set; all arrays are (c,).

    Attributes:
        images: How many images were seen.
        count: How many positions were, of each channel.
        mean: Over all positions.
        variance: Over all positions, divided by their number.
        minimum: The least value.
        maximum: The largest value.
        image: Key of the image it was reached on; the smallest of several.
        positive: Share of positions above zero: the smaller, the sparser.
        active: Share of images with a position above zero.
        saturated: Share of positions within a hundredth of the range from a bound of the
            activation; `None` for layers without bounds.
    """

    images: int
    count: Ints
    mean: Floats
    variance: Floats
    minimum: Floats
    maximum: Floats
    image: Ints
    positive: Floats
    active: Floats
    saturated: Floats | None

    @property
    def dead(self) -> NDArray[np.bool_]:
        """Channels that tell no image from another: always one value, as a ReLU's at zero."""
        return np.asarray(self.minimum == self.maximum)

    @property
    def silent(self) -> NDArray[np.bool_]:
        """Channels that were never above zero: a ReLU behind them passes nothing on."""
        return np.asarray(self.maximum <= 0)


class Statistics:
    """Collects how much and how often every channel is active.

    Attributes:
        layers: The layers.
        bounds: Least and largest value that a layer's activation function can take, by layer:
            see `bounds_of`. Positions within a hundredth of the range from a bound count as
            saturated; where only one bound is finite, within a hundredth of that from it.
    """

    def __init__(
        self, layers: Sequence[str], bounds: Mapping[str, tuple[float, float]] | None = None
    ):
        self.layers = layers_of(layers)
        self.bounds = dict(bounds or {})
        self._sums: dict[str, _Sums] = {}

    def see(self, batch: Batch) -> None:
        """Take in a batch.

        Raises:
            NotFinite: A code is NaN or infinite.
        """
        keys = batch.keys.cpu().numpy()
        for layer in self.layers:
            self._add(layer, _summed(batch, layer, keys, self.bounds.get(layer)))

    def state(self) -> State:
        """Return all it knows."""
        return {
            entry(layer, field.name): torch.from_numpy(getattr(sums, field.name).copy())
            for layer, sums in self._sums.items()
            for field in fields(_Sums)
        }

    def merge(self, state: State) -> None:
        """Take in what another has seen of other images.

        Raises:
            FormatError: It was of another network.
        """
        for layer in self.layers:
            if entry(layer, "count") in state:
                self._add(
                    layer, _Sums(*(state[entry(layer, f.name)].numpy() for f in fields(_Sums)))
                )

    def of(self, layer: str) -> LayerStatistics:
        """Return what was found of a layer.

        Raises:
            UnitError: Nothing was seen of it.
        """
        if layer not in self._sums:
            raise UnitError(f"nothing was collected of layer {layer!r}: name it, and see images")
        s = self._sums[layer]
        return LayerStatistics(
            int(s.images[0]),
            s.count,
            s.mean,
            s.m2 / s.count,
            s.minimum,
            s.maximum,
            s.image,
            s.positive / s.count,
            s.active / s.images,
            s.bound / s.count if layer in self.bounds else None,
        )

    def maxima(self, layer: str, network: str, source: str = "") -> Maxima:
        """Return the largest activations of a layer, as activation maximisation needs them.

        Args:
            layer: The layer.
            network: Name of the network.
            source: What to call the images.
        """
        found = self.of(layer)
        return Maxima(torch.from_numpy(found.maximum).float(), network, layer, found.images, source)

    def _add(self, layer: str, more: _Sums) -> None:
        before = self._sums.get(layer) or _Sums.nothing(len(more.count))
        units_match(layer, len(before.count), len(more.count))
        self._sums[layer] = before.and_(more)


def bounds_of(net: Network, layers: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Find which layers are activation functions with bounds, and those.

    Args:
        net: The network.
        layers: Names of layers.

    Returns:
        (least, largest) by layer, for those that have them.
    """
    kinds = {layer.name: layer.kind for layer in net.layers()}
    return {name: _BOUNDS[kinds[name]] for name in layers if kinds.get(name) in _BOUNDS}


def _summed(batch: Batch, layer: str, keys: Ints, bounds: tuple[float, float] | None) -> _Sums:
    """Sum up a batch."""
    found = summary(batch, layer)
    flat = flat_codes(batch, layer)
    b, c, n = flat.shape
    high, low = found.maxima.double().numpy(), found.minima.double().numpy()
    mean, m2 = _moments(batch, layer, flat, found)
    best = np.lexsort((np.broadcast_to(keys[:, None], high.shape), -high), axis=0)[0]
    whole = mean.mean(0)
    return _Sums(
        np.full(c, b * n),
        np.full(c, b),
        whole,
        # Chan's rule for b parts of one size.
        m2.sum(0) + n * ((mean - whole) ** 2).sum(0),
        low.min(0),
        high.max(0),
        keys[best],
        found.positive.numpy().sum(0),
        (high > 0).sum(0),
        _at_bounds(flat, bounds) if bounds else np.zeros(c, np.int64),
    )


def _moments(batch: Batch, layer: str, flat: Tensor, found: Summary) -> tuple[Floats, Floats]:
    """Return mean and sum of squared deviations of every map, (b, c) each."""
    n = flat.shape[2]
    mean, square = found.sums.double() / n, found.norms.double() ** 2
    m2 = (square - n * mean * mean).clamp(min=0)
    lost = (m2 < _LOST * square) | ~mean.isfinite() | ~square.isfinite()
    if bool(lost.any()):
        again = flat[lost.to(flat.device)].double()
        exact = again.mean(1)
        mean[lost] = exact.cpu()
        m2[lost] = ((again - exact[:, None]) ** 2).sum(1).cpu()
    check_finite_maps(batch, layer, mean + m2)
    return mean.numpy(), m2.numpy()


def _at_bounds(flat: Tensor, bounds: tuple[float, float]) -> Ints:
    """Count the positions of every channel near a bound."""
    low, high = bounds
    reach = high - low if np.isfinite(high - low) else abs(high if np.isfinite(high) else low)
    near = (flat >= high - _NEAR * reach) | (flat <= low + _NEAR * reach)
    found: Ints = near.sum((0, 2)).cpu().numpy()
    return found
