"""What made units fire, of many units in one image: one forward pass, few backward passes.

One activation is kept and all others are zero, and this goes back to the image by a rule (Zeiler &
Fergus 2014, section 2.1; `core.reversal`). Units of one layer whose receptive fields do not touch
share a backward pass: what comes back of each lies inside its own field, so it is the same as that
of a pass of its own. Layers with something below that looks at the whole image (a gate, which is no
part of a receptive field) are found by a pass that lets all signals through, and are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from phosphene.core.finite import check_finite
from phosphene.core.network import Network
from phosphene.core.reversal import backward
from phosphene.core.rules import SALIENCY, Reversal
from phosphene.core.seed import as_maps
from phosphene.core.tape import Tape
from phosphene.errors import UnitError

Box = tuple[int, int, int, int]
"""(top, left, height, width), pixels of the network's input; may leave it."""


@dataclass(frozen=True)
class Spot:
    """A unit at a position, and what it sees.

    Attributes:
        layer: The layer.
        channel: Its channel.
        at: (row, column) on the layer's map.
        box: Its receptive field; `None` if that is not known, or the whole image.
    """

    layer: str
    channel: int
    at: tuple[int, int]
    box: Box | None = None


def project(
    net: Network,
    image: Tensor,
    spots: Sequence[Spot],
    rules: Sequence[Reversal | str],
    local: dict[str, bool] | None = None,
) -> list[tuple[Tensor, ...]]:
    """Send units of one image back to it.

    Args:
        net: The network.
        image: (1, 3, h, w) RGB in [0, 1].
        spots: The units.
        rules: Which reversed networks, as values or names.
        local: Layers by name of which it is known whether all that comes back stays inside the
            receptive field; what is found out of others is added.

    Returns:
        For each spot, and each rule, the signal (c, h, w) with respect to RGB in [0, 1], as if the
        unit had been sent back alone. What is kept is the magnitude of its activation.

    Raises:
        UnitError: There is no such unit.
        NothingToReverse, OpaqueGraph, NotFinite: As they say.
    """
    reversals = [Reversal.parse(rule) for rule in rules]
    layers = list(dict.fromkeys(spot.layer for spot in spots))
    found: dict[tuple[int, int], Tensor] = {}
    if not layers:
        return []
    local = {} if local is None else local
    with net.running(gradients=False):
        tapes = net.tapes(image, [net[layer] for layer in layers])
        for layer, tape in zip(layers, tapes, strict=True):
            numbers = [i for i, spot in enumerate(spots) if spot.layer == layer]
            groups = _disjoint(spots, numbers)
            if len(groups) < len(numbers):
                if layer not in local:
                    local[layer] = _stays_inside(tape, spots[groups[0][0]])
                groups = groups if local[layer] else [[i] for i in numbers]
            for start in range(0, len(groups), _AT_ONCE):
                together = groups[start : start + _AT_ONCE]
                seeds = torch.stack([_seed(tape, [spots[i] for i in group]) for group in together])
                for j, rule in enumerate(reversals):
                    signals = backward(tape, seeds, rule)[:, 0]
                    check_finite(signals, net.module, tape.x.detach(), net.run)
                    signals = net.preprocessing.pull_back(signals)
                    for group, signal in zip(together, signals, strict=True):
                        for i in group:
                            found[i, j] = signal if len(group) == 1 else _only(signal, spots[i])
    return [tuple(found[i, j] for j in range(len(reversals))) for i in range(len(spots))]


# Lets all signals through ReLUs, so that none is hidden by its mask.
_OPEN = Reversal("identity", name="open")

# Seeds made at a time: each takes as much memory as the layer's activation.
_AT_ONCE = 8


def _seed(tape: Tape, spots: Sequence[Spot]) -> Tensor:
    maps, back = as_maps(tape.activation)
    seed = torch.zeros_like(maps)
    _, c, h, w = maps.shape
    for spot in spots:
        y, x = spot.at
        if not (0 <= spot.channel < c and 0 <= y < h and 0 <= x < w):
            raise UnitError(
                f"layer {spot.layer!r} has {c} units on a map of {h}x{w}, and so no unit "
                f"{spot.channel} at {spot.at}"
            )
        seed[0, spot.channel, y, x] = maps[0, spot.channel, y, x].abs()
    return back(seed)


def _disjoint(spots: Sequence[Spot], numbers: Sequence[int]) -> list[list[int]]:
    """Put spots into as few groups as they come, so that no two fields of a group touch."""
    groups: list[list[int]] = []
    for i in numbers:
        box = spots[i].box
        for group in groups if box else []:
            boxes = [spots[k].box for k in group]
            if all(other and not _touch(box, other) for other in boxes if box):
                group.append(i)
                break
        else:
            groups.append([i])
    return groups


def _touch(one: Box, other: Box) -> bool:
    return (
        one[0] < other[0] + other[2]
        and other[0] < one[0] + one[2]
        and one[1] < other[1] + other[3]
        and other[1] < one[1] + one[3]
    )


def _slices(signal: Tensor, box: Box) -> tuple[slice, slice]:
    top, left, height, width = box
    h, w = signal.shape[-2:]
    rows = slice(min(max(top, 0), h), min(max(top + height, 0), h))
    return rows, slice(min(max(left, 0), w), min(max(left + width, 0), w))


def _stays_inside(tape: Tape, spot: Spot) -> bool:
    """Tell whether what comes back of a unit, whatever the ReLUs do, lies inside its field."""
    assert spot.box is not None
    seed = torch.zeros_like(as_maps(tape.activation)[0])
    seed[0, :, spot.at[0], spot.at[1]] = 1
    census = tape.census
    rule = _OPEN if census["relu"] and not census["opaque"] else SALIENCY
    signal = backward(tape, as_maps(tape.activation)[1](seed), rule)[0]
    signal[(slice(None), *_slices(signal, spot.box))] = 0
    return not bool(signal.any())


def _only(signal: Tensor, spot: Spot) -> Tensor:
    assert spot.box is not None
    alone = torch.zeros_like(signal)
    place = (slice(None), *_slices(signal, spot.box))
    alone[place] = signal[place]
    return alone
