"""How a network is shown the images of a set of concepts."""

from __future__ import annotations

from dataclasses import replace

from phosphene.core.network import Network


def stretching(net: Network, size: tuple[int, int]) -> Network:
    """Return the same network, shown whole images: stretched, not cropped.

    Where it takes images of any size, they stay as they are.

    Args:
        net: The network.
        size: (h, w) of the images of the set.
    """
    own = net.preprocessing
    if own.resize == "native":
        own = replace(own, input_size=size)
    else:
        own = replace(own, resize="stretch", resize_to=None)
    return Network(net.module, own, net.labels, net.name, net.aliases)
