"""How a network is shown the images of a set of concepts."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from phosphene.core.network import Network


class _ChannelsLast(Network):
    """A network fed with channels last, where PyTorch's kernels for the processor are quicker.

    What its layers put out is the same up to rounding, and lies in memory likewise.
    """

    def input_of(self, image: Tensor) -> Tensor:
        """Normalize (b, 3, h, w) RGB images in [0, 1] to the network's input."""
        return super().input_of(image).contiguous(memory_format=torch.channels_last)


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
    kind = _ChannelsLast if net.device.type == "cpu" and own.channels == 3 else Network
    return kind(net.module, own, net.labels, net.name, net.aliases)
