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
from phosphene.zoo.catalogue import RANDOM


@torch.no_grad()
def untrained(net: Network, seed: int = 0) -> Network:
    """Draw all weights of a network anew, in place.

    Args:
        net: The network.
        seed: Of the random numbers; each tensor draws its own, by its name.

    Returns:
        The module under the name with `:random`, without class names, which would only mislead.
    """
    for path, module in net.module.named_modules():
        for name, value in module.named_parameters(path, recurse=False):
            if value.is_floating_point():
                value.copy_(_drawn(module, name, value, seed))
        for name, value in module.named_buffers(recurse=False):
            if name in ("running_mean", "running_var"):
                value.fill_(float(name == "running_var"))
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
