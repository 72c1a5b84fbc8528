"""How active a unit gets on real images: M, which balances activation maximisation.

One streaming pass over an image set; what is kept is a number for every channel, and where it
came from.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from phosphene.core.network import Network
from phosphene.core.photographs import batches, prepared
from phosphene.core.seed import as_maps
from phosphene.errors import ImageError, UnitError


@dataclass(frozen=True, eq=False)
class Maxima:
    """The largest activation of every channel of a layer over an image set.

    Attributes:
        values: (c,) maximum over all positions and images.
        network: Name of the network.
        layer: Name of the layer.
        count: How many images were seen.
    """

    values: Tensor
    network: str
    layer: str
    count: int

    def of(self, channel: int) -> float:
        """Return M of a channel.

        Raises:
            UnitError: There is no such channel, or it was never active.
        """
        if not 0 <= channel < len(self.values):
            raise UnitError(
                f"layer {self.layer!r} has units 0 to {len(self.values) - 1}, and so no unit "
                f"{channel}"
            )
        value = float(self.values[channel])
        if value <= 0:
            raise UnitError(
                f"unit {channel} of {self.layer!r} was never active over {self.count} images (its "
                f"maximum is {value:.3g}), so there is no scale to maximise it on: measure it over "
                "more images, or choose another unit"
            )
        return value


def measure_maxima(net: Network, layer: str, photos: Iterable[Any], batch: int = 8) -> Maxima:
    """Measure the largest activation of every channel of a layer over photographs.

    Args:
        net: The network.
        layer: The layer.
        photos: Photographs as for `Network.prepare`, taken one at a time.
        batch: How many go through the network together.

    Raises:
        ImageError: There is no photograph, or one cannot be read.
        UnknownLayer: There is no such layer.
    """
    phi = net[layer]
    values: Tensor | None = None
    count = 0
    for together in batches(prepared(net, photos), batch):
        with torch.no_grad():
            maps = as_maps(phi(torch.cat([p.image for p in together])))[0]
        largest = maps.amax((0, 2, 3)).cpu()
        values = largest if values is None else torch.maximum(values, largest)
        count += len(together)
    if values is None:
        raise ImageError("there is no photograph to measure the maximum activation over")
    return Maxima(values, net.name, layer, count)
