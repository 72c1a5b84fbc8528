"""The network's operations as the boxes of its drawing: what has no place of its own joins another.

An activation, normalisation or dropout behind a convolution is one more word in the convolution's
box, as the papers' figures have it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from phosphene.atlas.model import Node

_MINOR = re.compile(
    r"(\w*ReLU6?|\w*Norm\w*|\w*Dropout\w*|Identity|Flatten|\w*ELU|SiLU|\w*Swish|\w*wish|Mish"
    r"|\w*Sigmoid|\w*Tanh|Softplus|\w*Softmax\w*|ScaleShift)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Box:
    """One box.

    Attributes:
        name: What stands in it.
        kinds: What is done in it, in order.
        inputs: Numbers of the boxes that it takes its input from, all smaller than its own.
        shape: What it puts out.
        layer: The name of the layer that it leads to; empty for none.
        names: The operations in it.
    """

    name: str
    kinds: tuple[str, ...]
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    layer: str
    names: tuple[str, ...]


def boxes(nodes: Sequence[Node]) -> tuple[Box, ...]:
    """Make the boxes of a network, each after those it depends on.

    An input that names no earlier node is left out; of two nodes of one name the later holds.
    """
    made: list[Box] = []
    where: dict[str, int] = {}
    readers = Counter(name for node in nodes for name in set(node.inputs))
    for node in nodes:
        inputs = tuple(sorted({where[name] for name in node.inputs if name in where}))
        if len(inputs) == 1 and _joins(node, made[inputs[0]], readers):
            made[inputs[0]] = _joined(made[inputs[0]], node)
            where[node.name] = inputs[0]
            continue
        where[node.name] = len(made)
        made.append(Box(node.name, (node.kind,), inputs, node.shape, node.layer, (node.name,)))
    return tuple(made)


def _joins(node: Node, box: Box, readers: Counter[str]) -> bool:
    alone = readers[box.names[-1]] == 1 and (box.names[-1] in node.inputs)
    return alone and not (node.layer and box.layer) and bool(_MINOR.fullmatch(node.kind))


def _joined(box: Box, node: Node) -> Box:
    return replace(
        box,
        kinds=(*box.kinds, node.kind),
        shape=node.shape or box.shape,
        layer=box.layer or node.layer,
        names=(*box.names, node.name),
    )
