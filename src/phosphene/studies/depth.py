"""Layers spread over the depth of a network, where no one says which.

The papers' tables go by the outputs of convolutions, pools and fully connected layers. Where a
network branches and joins again (Inception, Fire, residual blocks), the join stands for its
branches, as no branch by itself is what the network knows at that depth.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch

from phosphene.errors import NetworkError

if TYPE_CHECKING:
    from phosphene.core.layers import Layer
    from phosphene.core.network import Network

_COMPUTES = re.compile(r"Conv|Linear|FullyConnected|Pool|Concat|Eltwise")
_WEIGHS = re.compile(r"Conv|Linear|FullyConnected")
_JOINS = ("Concat", "Eltwise")
_FEW = 4


def spread_layers(net: Network, count: int) -> tuple[str, ...]:
    """Choose layers from all depths of a network.

    Args:
        net: The network.
        count: How many, at least 1; all there are if they are fewer.

    Returns:
        Names of layers from the first to the class scores, in order: outputs of convolutions,
        pools, joins and fully connected layers. One layer is that of the class scores.

    Raises:
        ValueError: `count` is less than 1.
        NetworkError: The network has no such layers.

    >>> from phosphene.zoo.demo import demo
    >>> spread_layers(demo(), 4)
    ('conv1', 'pool2', 'pool5', 'fc8')
    """
    if count < 1:
        raise ValueError(f"{count} layers are none: ask for one or more")
    listed = net.layers()
    names = [layer.name for layer in listed]
    scores = _score_layer(net)
    if scores in names:
        listed = listed[: names.index(scores) + 1]
    chosen = _without_branches(net, listed)
    if len(chosen) < min(count, _FEW):  # nearly all layers sit in a large block or two
        chosen = [layer.name for layer in listed if _COMPUTES.search(layer.kind)]
    if scores in names and scores not in chosen:
        chosen.append(scores)
    if not chosen:
        raise NetworkError(f"{net.name} has no convolution, pool or fully connected layer")
    if count == 1:
        return (chosen[-1],)
    count = min(count, len(chosen))
    last = len(chosen) - 1
    return tuple(chosen[round(i * last / max(1, count - 1))] for i in range(count))


def _score_layer(net: Network) -> str:
    try:
        return str(net.head.layer or "")
    except NetworkError:  # it puts out a map or a code, and ends in its last layer
        return ""


def _without_branches(net: Network, listed: list[Layer]) -> list[str]:
    """Return the names of layers that compute, joins in place of what they join."""
    chosen: list[str] = []
    blocks = _blocks(net, listed)
    for layer in listed:
        if layer.kind in _JOINS and "/" in layer.name:
            inside = layer.name.rpartition("/")[0] + "/"
        elif layer.name in blocks:
            inside = layer.name + "."
        elif _COMPUTES.search(layer.kind):
            inside = ""
        else:
            continue
        if inside:
            chosen = [name for name in chosen if not name.startswith(inside)]
        chosen.append(layer.name)
    return chosen


def _blocks(net: Network, listed: list[Layer]) -> set[str]:
    """Find the innermost modules that do more with their layers than call one after another."""
    blocks: set[str] = set()
    for place, layer in enumerate(listed):
        inside = [other for other in listed[:place] if other.name.startswith(layer.name + ".")]
        weighs = sum(bool(_WEIGHS.search(other.kind)) for other in inside)
        if (
            weighs > 1
            and layer.kind != "Sequential"
            and not any(other.name in blocks for other in inside)
            and not _same(net, inside[-1].name, layer.name)
        ):
            blocks.add(layer.name)
    return blocks


def _same(net: Network, one: str, other: str) -> bool:
    """Tell whether two layers put out the same on noise: one is but a wrapper of the other."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(net.blank().shape, generator=generator)
    _, values = net.record(noise.to(net.device, net.dtype), [one, other])
    return len(values) == 2 and torch.equal(values[one], values[other])
