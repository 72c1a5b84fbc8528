"""Layers that put out maps whose positions look at places of the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from phosphene.core.network import Network
from phosphene.core.receptive_field import ReceptiveField
from phosphene.errors import UnknownLayer


def fields_of(
    net: Network, layers: Sequence[str], codes: Mapping[str, Tensor]
) -> list[ReceptiveField]:
    """Return where the positions of layers look.

    Args:
        net: The network.
        layers: Names of the layers.
        codes: What each puts out.

    Raises:
        UnknownLayer: A layer puts out no map, or its units look at no place of their own.
    """
    return [_field(net, layer, codes[layer]) for layer in layers]


def _field(net: Network, layer: str, code: Tensor) -> ReceptiveField:
    field = net.receptive_field(layer)
    if field is None or 0 in field.stride:
        raise UnknownLayer(
            f"units of layer {layer!r} look at no place of their own: choose a layer of maps"
        )
    if code.ndim != 4:
        raise UnknownLayer(
            f"layer {layer!r} puts out {tuple(code.shape)}, no map: choose convolutions, pools or "
            "activations"
        )
    return field
