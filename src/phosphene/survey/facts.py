"""What a survey says of the layers themselves: their shapes, and what their units see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from phosphene.core.network import Network
from phosphene.core.receptive_field import ReceptiveField
from phosphene.core.shapes import output_shape
from phosphene.errors import LayerNeverRan, UnitError


@dataclass(frozen=True)
class LayerFacts:
    """A layer.

    Attributes:
        name: As it was asked for.
        channels: How many units it has.
        height: Of its map, for an image of `input_size`; 1 of codes that are no maps.
        width: Likewise; tokens are a column.
        field: What of the image a unit sees; `None` where that is not defined.
        input_size: (h, w) of the image that the network is fed.
    """

    name: str
    channels: int
    height: int
    width: int
    field: ReceptiveField | None
    input_size: tuple[int, int]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        return {**vars(self), "field": vars(self.field) if self.field else None}

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> LayerFacts:
        """Read what `as_json` has returned."""
        field = found["field"]
        pairs = {k: tuple(v) for k, v in field.items()} if field else None
        height, width = found["input_size"]
        return cls(
            str(found["name"]),
            int(found["channels"]),
            int(found["height"]),
            int(found["width"]),
            ReceptiveField(**pairs) if pairs else None,
            (int(height), int(width)),
        )


def facts_of(net: Network, layers: Sequence[str]) -> dict[str, LayerFacts]:
    """Look up layers, by one pass on a gray image.

    Args:
        net: The network.
        layers: Names; `""` is the output.

    Raises:
        UnknownLayer: There is none of that name.
        LayerNeverRan: A pass does not call it.
        UnitError: It puts out something without units.
    """
    addresses = {name: str(net.address(name)) for name in layers if name}
    size = net.preprocessing.input_size
    listed = {layer.name: layer for layer in net.layers()} if addresses else {}
    found = {}
    for name in layers:
        if name:
            layer = listed.get(addresses[name]) or _again(net, name, listed)
            shape, field = layer.shape, layer.field
        else:
            shape, field = output_shape(net.output, size)[1:], None
        match shape:
            case (channels, height, width):
                pass
            case (height, channels):
                width = 1
            case (channels,):
                height = width = 1
            case _:
                raise UnitError(
                    f"layer {name!r} puts out {tuple(shape)}, which has no units: choose a layer "
                    "of maps or codes (`phosphene layers` lists them)"
                )
        found[name] = LayerFacts(name, channels, height, width, field, size)
    return found


def _again(net: Network, name: str, listed: dict[str, Any]) -> Any:
    """Find a layer that goes by another path of the same module than the one that is listed."""
    wanted = net.address(name)
    module = net.module.get_submodule(wanted.path)
    for layer in listed.values():
        other = net.address(layer.name)
        if other.call == wanted.call and net.module.get_submodule(other.path) is module:
            return layer
    raise LayerNeverRan(f"layer {name!r} never ran: the forward pass does not call it as a module")
