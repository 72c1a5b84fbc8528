"""The tape: the autograd graph of one forward pass, walked backwards.

Autograd has already brought every way of writing a network to the same few kinds of node, and
what a reversed network needs from the forward pass (the *bottleneck information* of Mahendran &
Vedaldi, ECCV 2016: rectification masks and pooling switches) is just what those nodes have saved.
So nothing is done to the model: the tape behind its output is walked once, its bottlenecks are
found, and rules are put on them for the length of one backward pass (`core.reversal`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge

from phosphene.core.lrn import direct_branch
from phosphene.core.nodes import kind_of, self_check
from phosphene.core.record import Capture
from phosphene.errors import NetworkError


@dataclass(frozen=True)
class Bottleneck:
    """A place on the tape that loses information on the way forward.

    Attributes:
        kind: One of the kinds of `core.nodes`: `relu`, `pool`, `lrn`, another rectifier,
            `opaque` or `custom`.
        node: The node of the tape.
        direct: For `lrn`, which of the node's two inputs is the tensor that was normalised.
    """

    kind: str
    node: Node
    direct: int = 0


@dataclass(frozen=True)
class Census:
    """How many bottlenecks of each kind a tape holds.

    >>> print(Census({"relu": 13, "pool": 5}))
    relu 13, pool 5, lrn 0
    """

    counts: Mapping[str, int] = field(default_factory=dict)

    def __getitem__(self, kind: str) -> int:
        return self.counts.get(kind, 0)

    def __str__(self) -> str:
        """Return `relu 13, pool 5, lrn 0`, and any other kinds behind."""
        kinds = ["relu", "pool", "lrn", *sorted(set(self.counts) - {"relu", "pool", "lrn"})]
        return ", ".join(f"{kind} {self[kind]}" for kind in kinds)


class Tape:
    """The graph of one forward pass from the network's input to one layer.

    Attributes:
        x: (b, c, h, w) input of the network, the leaf that signals arrive at.
        activation: What the layer put out, detached: (b, c, h, w), (b, c) or (b, n, d).
        edge: Where on the graph the activation was made.
        layer: Name of the layer; empty for the network's output.
        captures: Other layers noted in the same pass, by name: inner ends for signals.
    """

    def __init__(
        self,
        x: Tensor,
        activation: Tensor,
        edge: GradientEdge,
        layer: str = "",
        captures: Mapping[str, Capture] | None = None,
    ):
        self_check()
        self.x = x
        self.activation = activation
        self.edge = edge
        self.layer = layer
        self.captures = dict(captures or {})
        self._nodes: tuple[Node, ...] | None = None
        self._bottlenecks: tuple[Bottleneck, ...] | None = None

    @property
    def leaf(self) -> Node:
        """The node that the signals on the network's input arrive at."""
        with torch.inference_mode(False):
            return get_gradient_edge(self.x).node

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes between input and layer, each after all it depends on."""
        if self._nodes is None:
            self._nodes = tuple(between(self.edge.node, self.leaf))
            if not self._nodes:
                name = f"layer {self.layer!r}" if self.layer else "the output"
                raise NetworkError(
                    f"{name} does not depend on the image through differentiable layers "
                    "(a detach, an arg-max or torch.no_grad stands between them)"
                )
        return self._nodes

    @property
    def bottlenecks(self) -> tuple[Bottleneck, ...]:
        """The bottlenecks between input and layer, from the input upwards."""
        if self._bottlenecks is None:
            self._bottlenecks = tuple(_bottlenecks(self.nodes))
        return self._bottlenecks

    @property
    def census(self) -> Census:
        """How many bottlenecks of each kind there are."""
        return Census(Counter(bottleneck.kind for bottleneck in self.bottlenecks))

    @property
    def compiled(self) -> bool:
        """Whether `torch.compile` has hidden a part of the tape in one node."""
        return any(
            bottleneck.kind == "opaque" and "CompiledFunction" in bottleneck.node.name()
            for bottleneck in self.bottlenecks
        )


def between(last: Node, first: Node) -> Iterator[Node]:
    """Yield the nodes on any path from `first` to `last`, in topological order."""
    reaches: dict[Node, bool] = {first: True}
    stack: list[tuple[Node, bool]] = [(last, False)]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            children = [child for child, _ in node.next_functions if child is not None]
            reaches[node] = any(reaches.get(child, False) for child in children)
            if reaches[node]:
                yield node
        elif node not in reaches:
            reaches[node] = False
            stack.append((node, True))
            stack.extend((child, False) for child, _ in node.next_functions if child is not None)


def _bottlenecks(nodes: tuple[Node, ...]) -> Iterator[Bottleneck]:
    for node in nodes:
        kind = kind_of(node)
        if kind is not None:
            yield Bottleneck(kind, node)
        elif (direct := direct_branch(node)) is not None:
            yield Bottleneck("lrn", node, direct)
