"""The patches that units answer to, each with what made the unit fire (Zeiler & Fergus, figure 2).

A patch is the receptive field of the strongest position of a unit, cut out of the image as the
network saw it. The signals that reversed networks send back from there are cut alike.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

import torch
from torch import Tensor
from torch.nn import functional

from phosphene.core.network import Network
from phosphene.core.receptive_field import ReceptiveField
from phosphene.core.rules import DECONVNET, Reversal
from phosphene.errors import SettingError
from phosphene.survey.facts import facts_of
from phosphene.survey.projections import Box, Spot, project
from phosphene.survey.reversible import reversible
from phosphene.survey.top_patches import Peak, TopPatches

Beyond = Literal["mean", "gray", "black"]
Tick = Callable[[int, int, str], None]
Rules = Sequence[Reversal | str]


class Readable(Protocol):
    """An image set that can be read in any order."""

    def read(self, key: int) -> Any:
        """Return a photograph by its key."""

    def name_of(self, key: int) -> str:
        """Return what it is called."""


@dataclass(frozen=True, eq=False)
class Patch:
    """What a unit saw when it fired most, in one image.

    Attributes:
        layer: The layer.
        channel: The unit.
        rank: Which of the unit's strongest images this is; 0 is the strongest.
        peak: The image, the activation and the position.
        name: What the image is called.
        box: (top, left, height, width) of the patch in the network's input, pixels.
        image: (3, height, width) RGB in [0, 1].
        signals: (c, height, width) with respect to RGB, by the name of the rule.
    """

    layer: str
    channel: int
    rank: int
    peak: Peak
    name: str
    box: Box
    image: Tensor
    signals: Mapping[str, Tensor] = field(default_factory=dict)


def patches(
    net: Network,
    images: Readable,
    top: TopPatches,
    units: Mapping[str, Sequence[int]],
    rules: Rules | Mapping[str, Rules] | None = None,
    *,
    count: int | None = None,
    keys: Collection[int] | None = None,
    whole: bool = False,
    beyond: Beyond = "mean",
    tick: Tick | None = None,
) -> Iterator[Patch]:
    """Cut out what units answered to most, image by image.

    Each image is read and run forward once, whatever the number of units that it serves; no more
    than one image's patches are in memory at a time.

    Args:
        net: The network.
        images: The image set that was swept.
        top: What the sweep found.
        units: Channels by layer.
        rules: Which reversed networks, as values or names, for all layers or by layer; none for the
            patches alone. By default the deconvnet, and "saliency" for layers below which there is
            no ReLU (`reversible`).
        count: How many patches of each unit; as many as were kept if `None`.
        keys: Only what was found on these images; on all if `None`.
        whole: Whether the sweep showed the network whole photographs.
        beyond: What stands where a patch leaves the image: the color that the network's zero
            padding amounts to, mid-gray, or black.
        tick: Called with how many images are done, how many there are, and the image's name.

    Yields:
        The patches, all of an image before those of the next. A receptive field that is larger
        than the image in both directions, or unknown, is shown as the whole image.

    Raises:
        UnitError: There is no such unit.
        ImageError: An image cannot be read any more.
        NothingToReverse, OpaqueGraph, NotFinite: As they say.
    """
    if beyond not in get_args(Beyond):
        raise SettingError(f"beyond={beyond!r} is none of {', '.join(get_args(Beyond))}")
    reversals = _by_layer(net, tuple(units), rules)
    facts = facts_of(net, tuple(units))
    wanted: dict[int, list[tuple[str, int, int, Peak]]] = defaultdict(list)
    for layer, channels in units.items():
        for channel in channels:
            for rank, peak in enumerate(top.of(layer, channel)[:count]):
                if keys is None or peak.key in keys:
                    wanted[peak.key].append((layer, channel, rank, peak))
    local: dict[str, bool] = {}
    for done, key in enumerate(sorted(wanted)):
        name = images.name_of(key)
        if tick is not None:
            tick(done, len(wanted), name)
        image, _ = net.prepare(images.read(key), whole)
        size = int(image.shape[2]), int(image.shape[3])
        spots = [
            Spot(layer, channel, peak.at, field_box(facts[layer].field, peak.at, size))
            for layer, channel, _, peak in wanted[key]
        ]
        signals = _signals(net, image, spots, reversals, local)
        ground = _ground(net, image, beyond)
        for (layer, channel, rank, peak), spot, found in zip(
            wanted[key], spots, signals, strict=True
        ):
            box = spot.box or (0, 0, *size)
            yield Patch(
                layer,
                channel,
                rank,
                peak,
                name,
                box,
                cropped(image[0], box, ground),
                {name: cropped(signal, box) for name, signal in found.items()},
            )
    if tick is not None:
        tick(len(wanted), len(wanted), "")


def _by_layer(
    net: Network, layers: Sequence[str], rules: Rules | Mapping[str, Rules] | None
) -> dict[str, tuple[Reversal, ...]]:
    if rules is None:
        return {name: (rule,) for name, rule in reversible(net, layers, DECONVNET).items()}
    named = rules if isinstance(rules, Mapping) else dict.fromkeys(layers, rules)
    return {name: tuple(Reversal.parse(rule) for rule in named[name]) for name in layers}


def _signals(
    net: Network,
    image: Tensor,
    spots: Sequence[Spot],
    rules: Mapping[str, tuple[Reversal, ...]],
    local: dict[str, bool],
) -> list[dict[str, Tensor]]:
    """Send spots back by the rules of their layers; layers that share theirs share a pass."""
    found: list[dict[str, Tensor]] = [{} for _ in spots]
    for own in dict.fromkeys(rules[spot.layer] for spot in spots):
        numbers = [i for i, spot in enumerate(spots) if own and rules[spot.layer] == own]
        sent = project(net, image, [spots[i] for i in numbers], own, local)
        for i, signals in zip(numbers, sent, strict=True):
            found[i] = {str(rule): s for rule, s in zip(own, signals, strict=True)}
    return found


def field_box(
    seen: ReceptiveField | None, at: tuple[int, int], size: tuple[int, int]
) -> Box | None:
    """Return the receptive field of a unit as whole pixels.

    Args:
        seen: The layer's receptive field.
        at: (row, column) of the unit.
        size: (h, w) of the network's input.

    Returns:
        The box, which may leave the image; `None` where the field is unknown, or holds the image.
    """
    if seen is None:
        return None
    top, left, height, width = seen.box(at)
    first = math.floor(top), math.floor(left)
    last = math.ceil(top + height), math.ceil(left + width)
    if height >= size[0] and width >= size[1]:
        return None
    return first[0], first[1], last[0] - first[0], last[1] - first[1]


def cropped(image: Tensor, box: Box, ground: Tensor | None = None) -> Tensor:
    """Cut a box out of (c, h, w).

    Args:
        image: (c, h, w).
        box: (top, left, height, width); what lies beyond the image is filled.
        ground: (c,) what with; zero if `None`.

    Returns:
        (c, height, width), a copy.
    """
    top, left, height, width = box
    inner = image[..., max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    above, before = min(max(-top, 0), height), min(max(-left, 0), width)
    pads = before, width - before - inner.shape[-1], above, height - above - inner.shape[-2]
    if ground is None:
        return functional.pad(inner, pads) if any(pads) else inner.clone()
    filled = ground[:, None, None].expand(-1, height, width).clone()
    bottom, right = above + inner.shape[-2], before + inner.shape[-1]
    filled[..., above:bottom, before:right] = inner
    return filled


def _ground(net: Network, image: Tensor, beyond: Beyond) -> Tensor:
    """Return the color beyond the image, (c,)."""
    channels = image.shape[1]
    if beyond != "mean":
        return image.new_full((channels,), 0.5 if beyond == "gray" else 0.0)
    zero = torch.zeros_like(net.preprocessing.normalize(image[..., :1, :1]))
    color = net.preprocessing.denormalize(zero)[0, :, 0, 0].clamp(0, 1)
    return color if len(color) == channels else color.expand(channels)
