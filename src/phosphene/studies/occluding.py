"""Occlusion as a kind of map beside the rules: by how much a class loses where something is hidden.

*Reference.* Zeiler & Fergus, ECCV 2014, section 4.2. A gray square of 50/224 of the shorter side is
moved by a fourteenth of it (theirs is not told; `occlude` takes half of that), and the map is what
the probability of the class loses, cut at zero, linear between the square's centres.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from phosphene.core.network import Network
from phosphene.core.unit import Unit
from phosphene.saliency.drawn import spread
from phosphene.saliency.occlude import occlude

OCCLUSION = "occlusion"


@dataclass(frozen=True)
class Occluding:
    """Occlusion.

    Attributes:
        places: Of the square, along the shorter side of the image, less one.
    """

    places: int = 14

    @property
    def name(self) -> str:
        """What to call it."""
        return OCCLUSION


def occluded(net: Network, images: Tensor, unit: Unit, how: Occluding) -> Tensor:
    """Return maps (b, h, w) float32, at least zero, on the CPU.

    Args:
        net: The network.
        images: (b, c, h, w) RGB in [0, 1].
        unit: The class.
        how: How densely.
    """
    size = (int(images.shape[2]), int(images.shape[3]))
    stride, index = max(1, round(min(size) / how.places)), class_of(net, unit)
    found = []
    for image in images:
        seen = occlude(net, image, index, stride=stride, feature=None)
        lost = spread((seen.clean - seen.value).float().cpu(), seen.occluder, size)
        found.append(lost.nan_to_num().clamp(min=0))
    return torch.stack(found)


def class_of(net: Network, unit: Unit) -> int:
    """Return the class that a unit of the class scores stands for, at one place or at all."""
    if unit.tensor is None:
        return net.class_index(unit.name)
    return int(unit.tensor.flatten(2).abs().sum((0, 2)).argmax())
