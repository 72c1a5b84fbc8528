"""In what order in memory a network is shown its images.

On the processor PyTorch's convolutions take little more than half the time where all channels of a
pixel lie together ("channels last"), and what they put out lies likewise. Networks can be told
apart by it through rounding alone, but for those that flatten maps with `view`, which works in the
other order only: they are shown their images in that one.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from phosphene.core.network import Network
from phosphene.core.recording import Recorder
from phosphene.errors import NetworkError


class Showing:
    """Shows a network images in the order that it is quickest in, and notes what layers put out.

    Which order that is depends on the network and on nothing else, so that all processes that
    share a sweep find the same.

    Attributes:
        order: The order.
    """

    def __init__(self, net: Network, layers: Iterable[str]) -> None:
        self._net = net
        self._recorder = Recorder(net, layers)
        self.order = quickest(net)

    def __call__(self, image: Tensor) -> dict[str, Tensor]:
        """Run the network on (b, 3, h, w) RGB images in [0, 1].

        Returns:
            What the layers put out, by name, without gradients; see `core.recording`.

        Raises:
            NetworkError: The network does not take these images, in whatever order.
        """
        if self.order is torch.channels_last:
            try:
                return self._recorder(laid(image, torch.channels_last))
            except NetworkError:
                codes = self._recorder(laid(image, torch.contiguous_format))
                if self._refuses(image):
                    self.order = torch.contiguous_format
                return codes
        return self._recorder(laid(image, self.order))

    def _refuses(self, image: Tensor) -> bool:
        """Tell whether the order fails for any image, and not for some alone."""
        gray = torch.full_like(image[:1], 0.5, memory_format=torch.channels_last)
        try:
            Recorder(self._net, self._recorder.layers)(gray)
        except NetworkError:
            return True
        return False


def quickest(net: Network) -> torch.memory_format:
    """Return the order in memory in which convolutions on a network's device are quickest."""
    last = (
        net.device.type == "cpu" and net.dtype == torch.float32 and net.preprocessing.channels == 3
    )
    return torch.channels_last if last else torch.contiguous_format


def laid(image: Tensor, order: torch.memory_format) -> Tensor:
    """Return (b, c, h, w) images in an order in memory."""
    # One image passes for contiguous whatever its stride as a batch, by which kernels are chosen.
    if len(image) == 1:
        return image.clone(memory_format=order)
    return image.contiguous(memory_format=order)
