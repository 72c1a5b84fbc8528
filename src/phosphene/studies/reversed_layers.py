"""What studies of reversed networks start from: rules, layers that tell them apart, fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from phosphene.core.network import Network
from phosphene.core.receptive_field import ReceptiveField, receptive_field
from phosphene.core.rules import Reversal
from phosphene.core.seed import as_maps
from phosphene.errors import ImageError, NetworkError, NothingToReverse
from phosphene.studies.plan import Plan
from phosphene.studies.similarity import Box

RULES = ("saliency", "deconvnet", "guided")
"""The reversed networks of the paper; the first decides whether a random unit is alive."""
NAMES = {"saliency": "SaliNet", "deconvnet": "DeConvNet", "guided": "DeSaliNet"}
NO_BOTTLENECK = Reversal("identity", "centre", "identity", name="no bottleneck")
"""Nothing from the forward pass: figure 3's last architecture, linear in the seed alone."""


@dataclass(frozen=True)
class Reversible:
    """A layer that signals are sent back from.

    Attributes:
        name: As the plan has it.
        field: The receptive field of its units, where it is defined.
        sites: (rows, columns) of its map.
        size: (h, w) of the images for which that holds.
    """

    name: str
    field: ReceptiveField | None
    sites: tuple[int, int]
    size: tuple[int, int]

    @property
    def centre(self) -> tuple[int, int]:
        """Row and column of the unit in the middle: the papers' 1-based round(n / 2)."""
        return (self.sites[0] - 1) // 2, (self.sites[1] - 1) // 2

    @property
    def box(self) -> Box | None:
        """The receptive field of that unit, which may leave the image."""
        return None if self.field is None else self.field.box(self.centre)


def titled(rule: str) -> str:
    """Say a rule by the paper's name.

    >>> titled("guided"), titled("excitation")
    ('DeSaliNet', 'excitation')
    """
    return NAMES.get(rule, rule)


def reversible(
    net: Network, names: Sequence[str], size: tuple[int, int]
) -> tuple[dict[str, Reversible], tuple[str, ...]]:
    """Look at layers, and leave out those where all rules are one.

    Args:
        net: The network.
        names: Layers.
        size: (h, w) of the images that it is shown.

    Returns:
        The layers by name, and a warning about those that have no ReLU below them.

    Raises:
        NothingToReverse: None of them has any.
        UnknownLayer: There is no such layer.
    """
    tapes = net.tapes(_gray(net, size), [net[name] for name in names])
    found: dict[str, Reversible] = {}
    linear = []
    for name, tape in zip(names, tapes, strict=True):
        if not tape.census["relu"]:
            linear.append(name)
            continue
        height, width = as_maps(tape.activation)[0].shape[2:]
        found[name] = Reversible(name, receptive_field(tape), (int(height), int(width)), size)
    if not found:
        raise NothingToReverse(
            f"there is no ReLU below {', '.join(names)} of {net.name}, and so nothing that rules "
            "do differently: choose a deeper layer (phosphene layers lists them)"
        )
    if not linear:
        return found, ()
    return found, (f"left out, as no ReLU lies below and all rules are one: {', '.join(linear)}",)


def has_classes(net: Network) -> bool:
    """Say whether a network tells classes apart, more than one."""
    try:
        return net.classes > 1
    except NetworkError:  # it puts out a map or a code
        return False


def score_site(net: Network, size: tuple[int, int]) -> Reversible:
    """Look at the class scores, of images of a size (h, w)."""
    (tape,) = net.tapes(_gray(net, size), [net.scores])
    height, width = as_maps(tape.activation)[0].shape[2:]
    return Reversible("class scores", receptive_field(tape), (int(height), int(width)), size)


def size_of(plan: Plan) -> tuple[int, int]:
    """Return (h, w) of the photographs as the network sees them.

    Raises:
        ImageError: They are not of one size, or one cannot be read.
    """
    found: dict[tuple[int, int], str] = {}
    for name, photo in zip(plan.names, plan.photos, strict=True):
        image, _ = plan.net.prepare(photo)
        found.setdefault((int(image.shape[2]), int(image.shape[3])), name)
        if len(found) > 1:
            (one, first), (two, second) = found.items()
            raise ImageError(
                f"{first} is {one[1]}x{one[0]} and {second} {two[1]}x{two[0]} as {plan.net.name} "
                "sees them, and signals of one size are compared: crop the photographs alike"
            )
    return next(iter(found))


def _gray(net: Network, size: tuple[int, int]) -> Tensor:
    gray = torch.full((1, net.preprocessing.channels or 3, *size), 0.5)
    return gray.to(net.device, net.dtype)
