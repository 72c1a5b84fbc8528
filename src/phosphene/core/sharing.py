r"""How every node of a tape shares the probability of excitation backprop among its inputs.

| node | p on its output goes |
|---|---|
| convolution, matrix product | to a w+ (p / w+ a), a the input cut at zero |
| average, sum over places, interpolation | the same way; all its weights are positive |
| sum of branches | to the summands in proportion to a, cut at zero: a negative one gets nothing |
| max-pool | to the arg-max of its window (the switches) |
| ReLU and other rectifiers | through |
| batch normalization, factors | through, with the factor's sign: see below |
| local response normalization | through, to the tensor that is normalised |
| concatenation, reshapes, pads, constants added | through |

What has other nodes (products of two branches, softmax, attention, compiled code) is refused.

*Decisions beyond the paper.* It asks for activations of at least zero. Here negative inputs excite
nothing: a is cut at zero. A layer that nothing but shifts and factors part from the image counts
each channel from its darkest pixel (a shift that its bias, which has no part, would take up).

A batch normalization behind a convolution is one linear layer with it, whose weights are w
times the channel's factor: where the factor is negative, -w+ = max(-w, 0) excites. So behind a
negative factor p travels with a minus sign, as far as the next weights, which then count negated;
a rectifier, which no layer of weights can be merged through, ends it. A dual unit (contrastive) is
the same thing: a seed with a minus sign. Sums share -p in proportion to max(-a, 0).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.graph import Node

from phosphene.core.excitation import PRODUCTS, Hook, Signals, of_convolution, of_product, over, put
from phosphene.core.nodes import RECTIFIERS, operation, remedy, saved, shape_of
from phosphene.core.tape import Bottleneck, Tape, between
from phosphene.core.values import AVERAGES, MOVES, Values, linear_map
from phosphene.errors import OpaqueGraph

Before = Callable[[Signals], tuple[Tensor, ...]]

_WEIGHTED = ("Convolution", *PRODUCTS)
_NORMS = ("NativeBatchNorm", "CudnnBatchNorm")
_FACTORS = ("Mul", "Div", "Neg", "Rsub", "Sub", *_NORMS)
_SUMS = ("Add", "Sub")
_ONE_TO_ONE = ("Sigmoid", "Tanh", "Hardsigmoid", "Hardtanh")
_THROUGH = MOVES | {"Add", "Cat", "ConstantPadNd", "Max", "Maximum", "Stack"}


@dataclass(frozen=True)
class Share:
    """What is put on a node: something done to the signals that arrive, and to those it sends."""

    node: Node
    before: Before | None = None
    after: Hook | None = None


@dataclass(frozen=True)
class Sharing:
    """How a tape shares p.

    Attributes:
        shares: The nodes that do something else than their derivative.
        crown: The nodes that p reaches on some way without having met weights: what is negated in a
            dual unit lies below them.
    """

    shares: tuple[Share, ...]
    crown: frozenset[Node]


def sharing(tape: Tape, end: Node | None = None) -> Sharing:
    """Say how the nodes of a tape share p.

    Args:
        tape: The forward pass.
        end: The node whose output p is wanted at; what is no part of the way there is not looked
            into. The network's input by default.

    Raises:
        OpaqueGraph: A node is of no kind known here, or shares by values that the tape has not.
    """
    plan = _Plan(tape)
    way = set(between(tape.edge.node, end or tape.leaf))
    shares = [plan.share(node) for node in reversed(tape.nodes) if node in plan.reached & way]
    used = tuple(share for share in shares if share.before or share.after)
    return Sharing(used, frozenset(plan.crown))


class _Plan:
    """A walk from a tape's layer down to the image.

    Attributes:
        reached: The nodes that p reaches so far.
        signed: Those that p may reach with a minus sign.
        crown: Those that it reaches without having met weights; see `Sharing`.
    """

    def __init__(self, tape: Tape) -> None:
        top = tape.edge.node
        self._tape = tape
        self._on = {tape.leaf, *tape.nodes}
        self._values = Values(tape)
        self._kinds: dict[Node, Bottleneck] = {b.node: b for b in tape.bottlenecks}
        self._plain = self._shifts_and_factors()
        self.reached, self.signed, self.crown = {top}, {top}, {top}

    def share(self, node: Node) -> Share:
        """Say what a node does, and note what it reaches; parents come before their children."""
        name, bottleneck = operation(node), self._kinds.get(node)
        ways = [i for i, (n, _) in enumerate(node.next_functions) if n in self._on]
        kind = bottleneck.kind if bottleneck else ""
        signed, crown = node in self.signed, node in self.crown
        share = Share(node)
        if kind in ("opaque", "custom"):
            raise OpaqueGraph(_opaque(node.name()))
        if kind == "lrn" and bottleneck is not None:
            ways = [bottleneck.direct]
            share = Share(node, after=_through(node, ways[0], False))
        elif kind in ("relu", *RECTIFIERS) or name in _ONE_TO_ONE:
            share = Share(node, after=_through(node, ways[0], not crown and signed))
            signed = crown
        elif name in _WEIGHTED:
            if len(ways) > 1:
                raise OpaqueGraph(_unknown(node.name(), "both its factors depend on the image"))
            share = Share(node, after=self._weighted(node, ways[0], signed))
            signed = crown = False
        elif name in AVERAGES:
            share = self._average(node)
        elif name in _SUMS and len(ways) == 2:
            share = Share(node, after=self._summed(node))
            signed = signed or name == "Sub"
        elif name in _FACTORS and len(ways) == 1:
            share = Share(node, after=self._factor(node, ways[0]))
            signed = signed or _may_be_negative(node)
        elif kind != "pool" and name not in _THROUGH:
            raise OpaqueGraph(_unknown(node.name(), "no share is known for it"))
        for i in ways:
            child = node.next_functions[i][0]
            assert child is not None
            self.reached.add(child)
            if signed:
                self.signed.add(child)
            if crown:
                self.crown.add(child)
        return share

    def _shifts_and_factors(self) -> set[Node]:
        """Return the nodes that nothing but shifts, factors and moves part from the image."""
        plain = {self._tape.leaf}
        for node in self._tape.nodes:
            inputs = [n for n, _ in node.next_functions if n in self._on]
            moves = operation(node) in _THROUGH or operation(node) in _FACTORS
            if node not in self._kinds and moves and all(n in plain for n in inputs):
                plain.add(node)
        return plain

    def _input(self, node: Node, i: int) -> Tensor:
        source, output = node.next_functions[i]
        value = self._values.of(source, output)
        if value is None:
            raise OpaqueGraph(
                _unknown(
                    node.name(),
                    "the tape does not tell what flows into it (where the layers before it are "
                    "frozen, let their weights require gradients: requires_grad_(True))",
                )
            )
        return value

    def _excitatory(self, node: Node, i: int) -> Tensor:
        """Return an input's activations of at least zero."""
        value = self._input(node, i)
        if node.next_functions[i][0] in self._plain and value.dim() == 4:
            return value - value.amin((-2, -1), keepdim=True)
        return value.clamp(min=0)

    def _weighted(self, node: Node, i: int, signed: bool) -> Hook:
        a = self._excitatory(node, i)
        if operation(node) == "Convolution":
            return of_convolution(node, a, signed)
        return of_product(node, i, a, signed)

    def _average(self, node: Node) -> Share:
        a = self._excitatory(node, 0)
        total = linear_map(node, a)
        count = len(node.next_functions)
        return Share(
            node,
            lambda signals: (over(signals[0], total),),
            lambda computed, _: put(a * computed[0], 0, count),
        )

    def _summed(self, node: Node) -> Hook:
        alpha = float(saved(node, "alpha")) * (-1 if operation(node) == "Sub" else 1)
        parts = [self._input(node, 0), alpha * self._input(node, 1)]
        if parts[0].shape != parts[1].shape:
            raise OpaqueGraph(_unknown(node.name(), "it sums branches of different shapes"))
        turns = (1.0, -1.0 if alpha < 0 else 1.0)
        above = [part.clamp(min=0) for part in parts]
        below = [(-part).clamp(min=0) for part in parts]

        def hook(computed: Signals, signals: Signals) -> tuple[Tensor | None, ...]:
            p = signals[0]
            up, down = over(p, above[0] + above[1]), over(p, below[0] + below[1])
            sent = (
                torch.where(p >= 0, up * a, down * b) for a, b in zip(above, below, strict=True)
            )
            # A branch that leads to nothing that is asked for gets nothing.
            return tuple(
                None if wanted is None else turn * part
                for wanted, turn, part in zip(computed, turns, sent, strict=True)
            )

        return hook

    def _factor(self, node: Node, i: int) -> Hook:
        name, count = operation(node), len(node.next_functions)
        if name in _NORMS and saved(node, "running_mean") is None:
            raise OpaqueGraph(_unknown(node.name(), "it normalises by the image's statistics"))
        source, output = node.next_functions[i]
        assert source is not None
        if shape_of(source, output) != shape_of(node):
            raise OpaqueGraph(_unknown(node.name(), "it stretches what depends on the image"))
        return lambda computed, signals: put(signals[0].abs() * computed[i].sign(), i, count)


def _through(node: Node, i: int, rectified: bool) -> Hook:
    count = len(node.next_functions)
    return lambda _, signals: put(signals[0].clamp(min=0) if rectified else signals[0], i, count)


def _may_be_negative(node: Node) -> bool:
    if operation(node) in _NORMS:
        weight = saved(node, "weight")
        return weight is not None and bool((weight < 0).any())
    return True


def _opaque(name: str) -> str:
    short = name.rpartition("::")[2]
    advice = remedy(name) or f"if it rectifies, say register_rule({short!r}, like='relu')"
    return f"excitation backprop cannot look inside {short} on the tape: {advice}"


def _unknown(name: str, why: str) -> str:
    return f"excitation backprop cannot share what arrives at {name} on the tape: {why}"
