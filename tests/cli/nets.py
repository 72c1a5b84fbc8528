"""Networks of three layers, and what can be wrong with them: `nets.py:FUNCTION` for tests."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing

LABELS = ("cat, house cat", "dog", "robin", "robin")
SIZE = Preprocessing((16, 16))


def tiny(activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    layers = OrderedDict(
        conv=nn.Conv2d(3, 5, 3, padding=1), act=activation(), scores=nn.Conv2d(5, 4, 3, stride=2)
    )
    module = nn.Sequential(layers)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) / 4)
    return module


def net() -> Network:
    return Network(tiny(), SIZE, LABELS, "tiny")


def plain() -> nn.Module:
    return tiny()


def smooth() -> Network:
    return Network(tiny(nn.Tanh), SIZE, LABELS, "smooth")


def nan_weights() -> Network:
    module = tiny()
    with torch.no_grad():
        module.scores.weight[0, 0, 0, 0] = float("nan")
    return Network(module, SIZE, LABELS)


class Log(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.log(x - 1e9)


def nan_activations() -> Network:
    return Network(tiny(Log), SIZE, LABELS)


def dead() -> Network:
    """Its ReLUs let nothing through."""
    module = tiny()
    with torch.no_grad():
        module.conv.bias.fill_(-1e3)
    return Network(module, SIZE, LABELS)


def wide() -> Network:
    """Takes wide images only."""

    class Wide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = tiny()

        def forward(self, x: Tensor) -> Tensor:
            if x.shape[3] > 60:
                raise ValueError("too wide")
            return self.inner(x)

    return Network(Wide(), SIZE, LABELS)


def broken() -> nn.Module:
    raise RuntimeError("no [bold]luck[/bold]")


def number() -> int:
    return 3
