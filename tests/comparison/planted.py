"""Networks whose units are known: of stripes one way, of one color."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing

SIZE = Preprocessing((32, 32), mean=(0.5,) * 3)


def striped(way: str, name: str = "") -> Network:
    """Four units that answer to horizontal or vertical stripes of different strength."""
    wave = torch.tensor([-1.0, 1.0, 1.0, -1.0, -1.0, 1.0, 1.0])
    conv = nn.Conv2d(3, 4, 7, padding=3)
    with torch.no_grad():
        for unit in range(4):
            stripe = wave[:, None].expand(7, 7) if way == "horizontal" else wave.expand(7, 7)
            stripe = stripe.roll(unit, 0 if way == "horizontal" else 1)
            conv.weight[unit] = stripe / 40 * (1 + 0.1 * unit)
        conv.bias.zero_()
    module = nn.Sequential(OrderedDict(conv=conv, act=nn.ReLU()))
    return Network(module, SIZE, name=name or f"planted:{way}")


def colored(name: str = "planted:colors") -> Network:
    """Units 0, 1, 2 are red, green, blue over the others; unit 3 is dead."""
    conv = nn.Conv2d(3, 4, 1)
    with torch.no_grad():
        conv.weight.zero_()
        for unit in range(3):
            conv.weight[unit, :, 0, 0] = -1.0
            conv.weight[unit, unit, 0, 0] = 1.0
        conv.bias.copy_(torch.tensor([-0.1, -0.1, -0.1, -100.0]))
    module = nn.Sequential(OrderedDict(conv=conv, act=nn.ReLU()))
    return Network(module, Preprocessing((32, 32)), name=name)
