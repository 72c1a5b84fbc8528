r"""The informed inverse network `phi^dagger(y, r; W^dagger)`, a reversed network that learns.

It has a filter for every linear layer of the network up to the cut, which begins as that layer's
own: `W^dagger = W^T`, the reversed network of Mahendran & Vedaldi (ECCV 2016). The code `y` and the
bottleneck `r` are what the network, which stays as it is, makes of the image.

Everything a signal passes is positively homogeneous, so that one factor fits the scale of what
comes out to that of photographs. It is set once, before anything is learned.

*Reference.* Mahendran, thesis 2018, section 7.4.3 and equation 7.10; after Dosovitskiy & Brox,
*Inverting visual representations with convolutional networks*, CVPR 2016.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from phosphene.core.copies import copied
from phosphene.core.filters import filters_of, reversed_by_filters
from phosphene.core.network import Network
from phosphene.core.nodes import RECTIFIERS
from phosphene.core.tape import Tape
from phosphene.errors import NetworkError, ReversalError
from phosphene.inverse.settings import InverseSetting


class InverseNetwork(nn.Module):
    """Estimates images from their codes and what it is told of the forward pass.

    Images are in *mean-subtracted RGB over B*: less the mean colour of photographs, over the root
    mean square of what is left, so that an estimate of 0 has a relative error of 1. Gray networks
    have one channel of luma.

    Attributes:
        network: The network it inverts: a copy, frozen.
        filters: One for each linear layer, from the image upwards, in that layer's shape.
        biases: One for each input channel of each, if there are any.
        code: (h, w) of the layer's map of a crop; nothing where it has none.

    Args:
        net: The network; it stays as it is.
        setting: Where to cut it, and what to be told.
        device: Where it learns; the network's if `None`.

    Raises:
        NetworkError: It does not take such crops, or there is no layer to learn.
        ReversalError: It has layers whose reverse cannot be learned; or what the inverse is to be
            told does not exist.
    """

    def __init__(
        self, net: Network, setting: InverseSetting, device: torch.device | str | None = None
    ) -> None:
        super().__init__()
        self.network = copied(net)
        self.network.module.requires_grad_(False).to(device or net.device)
        self._cut = self.network[setting.layer]
        gray = net.preprocessing.order == "gray"
        channels = 1 if gray else 3
        blank = torch.full((1, channels, setting.size, setting.size), 0.5)
        tape = self._cut.tape(blank)
        self.code = tuple(int(n) for n in tape.activation.shape[2:])
        found = filters_of(tape)
        if not found:
            raise NetworkError(f"below {setting.layer!r} no layer has filters to learn")
        # Other rectifiers are treated like ReLU; their masks are their derivatives.
        own = [kind for kind in RECTIFIERS if tape.census[kind]]
        self.rule = setting.rule.including(*own)
        _check_told(tape, setting, own)
        self.filters = nn.ParameterList(nn.Parameter(f.weight.clone()) for f in found)
        zeros = (torch.zeros(f.inputs, device=tape.x.device, dtype=tape.x.dtype) for f in found)
        self.biases = nn.ParameterList(map(nn.Parameter, zeros) if setting.bias else ())
        # Refuses what cannot be learned before any photograph is read.
        self._reversed(tape)
        self.mean: Tensor
        self.deviation: Tensor
        self.gain: Tensor
        self.register_buffer("mean", torch.zeros(channels, 1, 1).to(tape.x))
        self.register_buffer("deviation", torch.ones(()).to(tape.x))
        self.register_buffer("gain", torch.ones(()).to(tape.x))

    def forward(self, image: Tensor) -> Tensor:
        """Estimate images from their codes.

        Args:
            image: (b, 3, h, w) RGB in [0, 1]; only its code and bottleneck are used.

        Returns:
            (b, 3, h, w), mean-subtracted over B.
        """
        return self.gain * self._reversed(self._cut.tape(image))

    def target(self, image: Tensor) -> Tensor:
        """Return images (b, 3, h, w), RGB in [0, 1], as they are estimated: less mean, over B."""
        own = self.network.preprocessing.in_own_channels(image.to(self.mean))
        return (own - self.mean) / self.deviation

    def picture(self, estimate: Tensor) -> Tensor:
        """Undo `target`: (b, c, h, w) RGB, or luma, clamped to [0, 1]."""
        return (estimate * self.deviation + self.mean).clamp(0, 1)

    @torch.no_grad()
    def fit_scale(self, image: Tensor) -> None:
        """Set the mean colour, B, and the factor by which estimates are as strong as photographs.

        Args:
            image: (b, 3, h, w) RGB in [0, 1]: some to learn from.

        Raises:
            ReversalError: Nothing arrives at the image, so that there is nothing to scale.
        """
        own = self.network.preprocessing.in_own_channels(image.to(self.mean))
        self.mean.copy_(own.mean((0, 2, 3)).view(-1, 1, 1))
        self.deviation.copy_((own - self.mean).square().mean().sqrt().clamp(min=1e-6))
        self.gain.fill_(1)
        strength = self(image).square().mean().sqrt()
        if not strength > 0:
            raise ReversalError(
                f"the reversed network of rule {self.rule.name} sends nothing down to the image: "
                "choose an earlier layer"
            )
        self.gain.copy_(1 / strength)

    def _reversed(self, tape: Tape) -> Tensor:
        signal = reversed_by_filters(
            tape, tape.activation, self.rule, list(self.filters), list(self.biases)
        )
        return self.network.preprocessing.pull_back(signal)


def _check_told(tape: Tape, setting: InverseSetting, own: list[str]) -> None:
    """Make sure that there is what is left out or told, so that conditions differ.

    Raises:
        ReversalError: There are no ReLUs, or no max-pools.
    """
    for kind, there in (("ReLU", tape.census["relu"] or own), ("max-pool", tape.census["pool"])):
        if not there:
            raise ReversalError(
                f"below {setting.layer!r} there is no {kind} ({tape.census}), so that there is "
                "nothing of it to tell an inverse: choose another layer, or another network"
            )
