"""Which layers to survey where none are named: the ends of a network's steps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from phosphene.core.layers import Layer
from phosphene.core.network import Network
from phosphene.errors import NetworkError

_MOST = 12
_LONGEST_BLOCK = 12
"""A run of more layers than that under one name is a chain of steps, and no step."""
_ACTIVATIONS = ("ReLU", "LU", "GELU", "Swish", "Sigmoid", "Tanh", "Mish", "Softplus")


def default_layers(net: Network, most: int = _MOST) -> tuple[str, ...]:
    """Choose layers of a network.

    A block (layers under one name, such as a fire module, a few convolutions among them) is seen by
    its last layer; outside of blocks what activations put out. Where that is nothing, every
    convolution; of more than `most` some, evenly over the depth, the first and the last among them.

    Raises:
        NetworkError: No layer has units.
    """
    layers = [layer for layer in net.layers() if 1 <= len(layer.shape) <= 3]
    ends: list[Layer] = []
    for home, run in groupby(layers, key=_home):
        block = list(run)
        convolutions = sum("Conv" in layer.kind for layer in block)
        if home and convolutions >= 2 and len(block) <= _LONGEST_BLOCK:
            ends.append(block[-1])
        else:
            ends += [layer for layer in block if layer.kind.endswith(_ACTIVATIONS)]
    maps = [layer for layer in ends if len(layer.shape) > 1]
    found = maps or ends or [layer for layer in layers if "Conv" in layer.kind] or layers
    if not found:
        raise NetworkError(f"{net.name} has no layers that can be surveyed: name some")
    return tuple(layer.name for layer in _spread(found, most))


def _home(layer: Layer) -> str:
    """Return the name that a layer stands under."""
    return layer.name[: max(layer.name.rfind("/"), layer.name.rfind("."), 0)]


def _spread(layers: Sequence[Layer], most: int) -> list[Layer]:
    if len(layers) <= most:
        return list(layers)
    if most == 1:
        return [layers[-1]]
    return [layers[round(i * (len(layers) - 1) / (most - 1))] for i in range(most)]
