"""How active a unit gets on real images: M, which balances activation maximisation.

One streaming pass over an image set; what is kept is a number for every channel, and where it
came from.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from phosphene.core.network import Network
from phosphene.core.photographs import OnError, batches, prepared
from phosphene.core.seed import as_maps
from phosphene.errors import FormatError, ImageError, UnitError, first_line
from phosphene.image import replacing
from phosphene.preimage.phi import cut_at

_KIND = "phosphene maxima"


@dataclass(frozen=True, eq=False)
class Maxima:
    """The largest activation of every channel of a layer over an image set.

    Attributes:
        values: (c,) maximum over all positions and images.
        network: Name of the network.
        layer: Name of the layer.
        count: How many images were seen.
        source: What images those were.
    """

    values: Tensor
    network: str
    layer: str
    count: int
    source: str = ""

    @property
    def origin(self) -> str:
        """Where the numbers come from, in words."""
        return f"over {self.count} images{f' of {self.source}' if self.source else ''}"

    def check(self, net: Network, layer: str) -> None:
        """Make sure that these are the maxima of a layer.

        Raises:
            UnitError: They are of another layer or another network.
        """
        if self.layer != layer:
            raise UnitError(
                f"these maxima are of layer {self.layer!r}, and {layer!r} was asked for"
            )
        if self.network != net.name:
            raise UnitError(
                f"these maxima are of {self.network}, and {net.name} was opened: measure them anew"
            )

    def save(self, path: str | Path) -> Path:
        """Write the maxima with their source as a safetensors file, whole or not at all."""
        from safetensors.torch import save

        about = {
            "network": self.network,
            "layer": self.layer,
            "count": str(self.count),
            "source": self.source,
            "kind": _KIND,
        }
        with replacing(Path(path)) as file:
            file.write(save({"maxima": self.values.detach().cpu().contiguous()}, about))
        return Path(path)

    @classmethod
    def open(cls, path: str | Path) -> Maxima:
        """Read what `save` wrote.

        Raises:
            FormatError: It is no file of maxima.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "pt") as file:
                about, values = file.metadata() or {}, file.get_tensor("maxima")
            if about["kind"] != _KIND:
                raise KeyError("kind")
            return cls(
                values, about["network"], about["layer"], int(about["count"]), about["source"]
            )
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise FormatError(
                f"{path} is no file of maxima ({first_line(error, 100)}): measure them from "
                "photographs, and save those"
            ) from error

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


def measure_maxima(
    net: Network,
    layer: str,
    photos: Iterable[Any],
    batch: int = 8,
    source: str = "",
    on_error: OnError | None = None,
) -> Maxima:
    """Measure the largest activation of every channel of a layer over photographs.

    Args:
        net: The network.
        layer: The layer.
        photos: Photographs as for `Network.prepare`, taken one at a time.
        batch: How many go through the network together.
        source: What to call the photographs.
        on_error: Takes a photograph that cannot be read; without it the error is raised.

    Raises:
        ImageError: There is no photograph, or one cannot be read.
        UnknownLayer: There is no such layer.
    """
    phi = cut_at(net, layer)
    values: Tensor | None = None
    count = 0
    for together in batches(prepared(net, photos, on_error=on_error), batch):
        with torch.no_grad():
            maps = as_maps(phi(torch.cat([p.image for p in together])))[0]
        largest = maps.amax((0, 2, 3)).cpu()
        values = largest if values is None else torch.maximum(values, largest)
        count += len(together)
    if values is None:
        raise ImageError("there is no photograph to measure the maximum activation over")
    return Maxima(values, net.name, layer, count, source)
