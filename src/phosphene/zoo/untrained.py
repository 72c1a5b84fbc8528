"""Any network as it might have been before it learned: `:random` behind its name.

What a picture owes to training shows beside the same architecture with random weights. Files hold
none, and how their weights were drawn is seldom known; so they are drawn after He et al. (ICCV
2015), by whom signals keep their scale through convolutions and ReLUs, however deep:

    w ~ N(0, 2 / n),   n the inputs of a unit;   biases 0

Normalizations begin as PyTorch has them: weights 1, biases 0, running means 0 and variances 1.
"""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.errors import NetworkError
from phosphene.zoo.catalogue import RANDOM

_OURS = ("mean", "variance")
"""What `training.FreeNorm` has seen; of PyTorch's normalizations it is called running."""


@torch.no_grad()
def untrained(net: Network, seed: int = 0) -> Network:
    """Draw all weights of a network anew, in place.

    Args:
        net: The network.
        seed: Of the random numbers; each tensor draws its own, by its name.

    Returns:
        The module under the name with `:random`, without class names, which would only mislead.

    Raises:
        NetworkError: It has no parameters.
    """
    drawn = 0
    for path, module in net.module.named_modules():
        for name, value in module.named_parameters(path, recurse=False):
            if value.is_floating_point():
                value.copy_(_drawn(module, name, value, seed))
                drawn += value.dim() > 1
        kept = dict(module.named_buffers(recurse=False))
        mean, variance = _OURS if set(_OURS) <= set(kept) else ("running_mean", "running_var")
        if mean in kept and variance in kept:
            kept[mean].zero_()
            kept[variance].fill_(1)
    if not drawn:
        raise NetworkError(
            f"{net.name} has no parameters to draw anew: a frozen program holds its weights as "
            "constants, so open the one it was made of"
        )
    return Network(net.module, net.preprocessing, (), f"{net.name}{RANDOM}", net.aliases)


def _drawn(module: nn.Module, name: str, value: Tensor, seed: int) -> Tensor:
    if value.dim() > 1:
        digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:6], "big"))
        inputs = value.numel() // value.shape[0]
        return torch.randn(value.shape, generator=generator, dtype=torch.float64).mul(
            math.sqrt(2 / inputs)
        )
    if isinstance(module, nn.PReLU):
        return torch.full_like(value, 0.25)
    return torch.full_like(value, float(not name.endswith(("bias", "beta"))))
