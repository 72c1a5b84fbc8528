"""Where attention is read, and how its map is brought back to the image.

A layer is chosen that everything on its way from the image to the unit passes, so that no branch
is left out, and whose map is no pool's: Grad-CAM reads the last of them, as its authors read the
last rectified convolution of VGG; excitation backprop the last whose map has twenty rows and
columns or more (ten, where there is none), as its authors read GoogLeNet at 28x28 and VGG-16 behind
the pool of its last 28x28 maps. So deep, the unit and its dual differ in place, too.

A map has one value for each unit; on the image it stands at the centre of the unit's receptive
field, and between the centres it is linear.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge

from phosphene.core.attention import IMAGE, Attention, GradCam, Rule
from phosphene.core.network import Network
from phosphene.core.nodes import operation
from phosphene.core.receptive_field import ReceptiveField, axes_by_node, field_of
from phosphene.core.record import output_tensor, record
from phosphene.core.representation import Representation
from phosphene.core.rules import Reversal
from phosphene.core.scores import score_edge
from phosphene.core.tape import Tape
from phosphene.core.values import AVERAGES
from phosphene.errors import SettingError, UnknownLayer

# Rows and columns that a map of excitation should have, or at least.
_ENOUGH = (20, 10)


def end_of(
    net: Network, rule: Rule, cut: Representation, size: tuple[int, int], to: str | None = None
) -> str | None:
    """Return the layer that a rule's signal stops at; `None` for the image.

    Args:
        net: The network.
        rule: A reversed network, or a rule of attention.
        cut: The layer of the unit.
        size: (h, w) of the image.
        to: The layer that was asked for.

    Raises:
        SettingError: The rule names one layer, and `to` another.
        UnknownLayer: As for `layer_of`.
    """
    if isinstance(rule, Reversal):
        return to
    if to is not None:
        if rule.at and rule.at != to:
            raise SettingError(
                f"{rule.name!r} is read there, and to={to!r} says elsewhere: say one"
            )
        return to
    return None if rule.at == IMAGE else rule.at or layer_of(net, rule, cut, size)


def layer_of(net: Network, rule: Attention, cut: Representation, size: tuple[int, int]) -> str:
    """Choose the layer at which a rule is read.

    Args:
        net: The network.
        rule: A rule that names no layer.
        cut: The layer of the unit.
        size: (h, w) of the image.

    Raises:
        UnknownLayer: No layer of maps lies in front of the unit's that everything passes.
    """
    found = list(_passed(net, cut, size))
    if not found:
        raise UnknownLayer(
            f"in front of {cut.layer or 'the output'!r} there is no layer of maps that everything "
            f"passes: name the one to read, as in {f'{rule.name}@LAYER'!r}"
        )
    for enough in () if isinstance(rule, GradCam) else _ENOUGH:
        fine = [name for name, side in found if side >= enough]
        if fine:
            return fine[-1]
    return found[-1][0]


def _passed(net: Network, cut: Representation, size: tuple[int, int]) -> Iterator[tuple[str, int]]:
    """Yield layers of maps that everything passes, from the image up, and their shorter sides."""
    with net.running(gradients=True):
        x = net.blank(size)
        made, captures = record(net.module, x, None, values=False, run=net.run)
        if cut.address is not None:
            edge = captures[cut.address].edge
        else:
            edge = get_gradient_edge(output_tensor(made))
            edge = score_edge(edge) if cut.rewind else edge
    if edge is None:
        return
    tape = Tape(x, torch.empty(0), edge, cut.layer)
    axes, narrow = axes_by_node(tape), _narrow(tape)
    pools = {b.node for b in tape.bottlenecks if b.kind == "pool"}
    at: dict[Node, tuple[str, int]] = {}
    for address, capture in captures.items():
        node = capture.edge.node if capture.edge else None
        if node is None or node not in narrow or node in at or len(capture.shape) != 4:
            continue
        field, (height, width) = field_of(axes.get(node)), capture.shape[2:]
        maps = height * width > 1 and field is not None and 0 not in field.stride
        if maps and node not in pools and operation(node) not in AVERAGES:
            at[node] = (str(address), min(height, width))
    yield from (at[node] for node in tape.nodes if node in at)


def _narrow(tape: Tape) -> set[Node]:
    """Return the nodes in front of a tape's layer that no branch goes past."""
    place = {tape.leaf: -1, **{node: i for i, node in enumerate(tape.nodes)}}
    # How many edges begin and end to go past the nodes.
    turns = [0] * (len(tape.nodes) + 1)
    for node, i in place.items():
        for child, _ in node.next_functions if i >= 0 else ():
            if child in place:
                turns[place[child] + 1] += 1
                turns[i] -= 1
    past = accumulate(turns)
    return {node for node, count in zip(tape.nodes[:-1], past, strict=False) if not count}


def field_at(tape: Tape, layer: str) -> ReceptiveField:
    """Return where the units of an inner layer of a tape look.

    Raises:
        UnknownLayer: It is no layer of maps, its units look at no place of their own, or it is not
            in front of the unit.
    """
    capture = tape.captures[layer]
    edge: GradientEdge | None = capture.edge
    field = field_of(axes_by_node(tape).get(edge.node)) if edge else None
    if len(capture.shape) != 4 or capture.shape[2] * capture.shape[3] == 1:
        raise UnknownLayer(
            f"layer {layer!r} puts out {capture.shape[1:]} for an image, no map: read attention at "
            "convolutions or activations"
        )
    if edge is None or edge.node not in tape.nodes:
        raise UnknownLayer(
            f"layer {layer!r} does not lie between the image and {tape.layer or 'the output'!r}: "
            "read attention in front of the unit"
        )
    if field is None or 0 in field.stride:
        raise UnknownLayer(
            f"units of layer {layer!r} look at no place of their own: choose another layer of maps"
        )
    return field


def on_image(maps: Tensor, field: ReceptiveField, size: tuple[int, int]) -> Tensor:
    """Bring maps to the image.

    Args:
        maps: (b, 1, rows, columns).
        field: Where their units look.
        size: (h, w) of the image.

    Returns:
        (b, 1, h, w), linear between the centres of the receptive fields, and beyond the outermost
        as at them.
    """
    down, right = (
        _between(sites, (torch.arange(pixels) - centre) / stride).to(maps)
        for sites, pixels, centre, stride in zip(
            maps.shape[-2:], size, field.centre, field.stride, strict=True
        )
    )
    return down @ maps @ right.mT


def _between(sites: int, at: Tensor) -> Tensor:
    """Return the matrix (len(at), sites) that interpolates linearly at fractional sites."""
    distance = at.clamp(0, sites - 1)[:, None] - torch.arange(sites)
    return (1 - distance.abs()).clamp(min=0)
