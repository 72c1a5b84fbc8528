"""What is to be seen of a unit, in little time: a few long steps on a small canvas.

The spectrum is descended with decorrelated colors, on canvases no larger than what the network is
shown.
"""

from __future__ import annotations

from dataclasses import replace

from phosphene.core.network import Network
from phosphene.preimage.phi import cut_at, field_of
from phosphene.preimage.recipe import VISUALIZATION
from phosphene.preimage.solvers import Torch
from phosphene.preimage.viewing import size_for

QUICK = replace(
    VISUALIZATION,
    name="quick",
    solver=Torch("Adam", {"lr": 0.2}),
    steps=20,
    jitter=None,
    transforms=(),
)
_STRONGER = 3.0
"""The papers' weight leaves images faint that are given so few steps."""


def quick_size(net: Network, layer: str) -> tuple[int, int]:
    """Return (h, w) of the images that units of a layer are maximised on."""
    size = size_for(net, layer, field_of(cut_at(net, layer))).size
    native = net.preprocessing.input_size
    return min(size[0], native[0]), min(size[1], native[1])


def quick_strength(net: Network, layer: str) -> float:
    """Return C of a layer: larger where the image holds but a part of the receptive field.

    The papers' weight falls with the receptive field's area, as the priors do with the image's.
    """
    field = field_of(cut_at(net, layer))
    side = max(quick_size(net, layer))
    return _STRONGER * (max(1.0, max(field.size) / side) ** 2 if field else 1.0)
