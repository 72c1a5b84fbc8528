"""The operations of a network, read from the tape of one pass.

Layers are where modules have noted that their output was made (`core.record`); what is no module
but brings branches together, such as the sum of a residual block, is found on the tape itself, and
so are rectifiers and pools that are called as functions. Everything else on the tape (reshapes, the
arithmetic inside a module) is passed over: it belongs to the operation above.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import torch
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.autograd.graph import Node as TapeNode

from phosphene.atlas.model import Node
from phosphene.core.network import Network
from phosphene.core.nodes import kind_of, shape_of
from phosphene.core.record import Capture, output_tensor, record
from phosphene.core.tape import Tape

_WORDS = {"add": "sum", "cat": "concatenation", "mul": "product", "stack": "concatenation"}


def nodes_of(net: Network, layers: Iterable[str] = ()) -> tuple[Node, ...]:
    """Read a network's operations and how they hang together from the tape of a gray image.

    Args:
        net: The network.
        layers: Names of the layers that an atlas shows, as `net[name]` takes them; a node whose
            output such a layer puts out carries the name, also where it goes by another.

    Returns:
        The image, and the operations in the order they run. Modules that hold others are left out,
        unless nothing in them runs as a module; so is what no gradient flows through.

    Raises:
        NetworkError: The network does not run.
        UnknownLayer: No layer goes by one of the names.
    """
    shown = {str(net.address(name)): name for name in layers if name}
    with net.running(gradients=True):
        x = net.blank()
        output, captures = record(net.module, x, None, values=False, run=net.run)
    tensor = output_tensor(output)
    found = [(str(a), c) for a, c in captures.items() if c.edge is not None]
    edges = [c.edge for _, c in found if c.edge is not None]
    if tensor.requires_grad:
        edges.append(get_gradient_edge(tensor))
    if not edges:
        return ()
    spelled = {path: name for name, path in net.aliases.items()}
    return _read(Tape(x, torch.empty(0), edges[-1]), found, shown, spelled)


def _read(
    tape: Tape,
    found: Sequence[tuple[str, Capture]],
    shown: dict[str, str],
    spelled: dict[str, str],
) -> tuple[Node, ...]:
    made = _made(found)
    places = {name: place for place, (name, _) in enumerate(found)}
    taken = {spelled.get(name, name) for name, _ in found}
    image = Node(_unused("image", taken, ""), "input", (), tuple(int(n) for n in tape.x.shape[1:]))
    # What is no module comes right behind the last that it depends on.
    order: dict[str, tuple[int, int]] = {image.name: (-1, 0)}
    nodes = [image]
    sources: dict[TapeNode, tuple[str, ...]] = {tape.leaf: (image.name,)}
    for at in tape.nodes:
        below = (sources.get(child, ()) for child, _ in at.next_functions if child is not None)
        inputs = tuple(dict.fromkeys(name for names in below for name in names))
        if at in made:
            given = any(name in shown for name, _ in made[at])
            for name, capture in made[at]:
                title = spelled.get(name, name)
                kind = type(capture.module).__name__
                layer = shown.get(name, "") if given else _holder(capture, found, shown)
                nodes.append(Node(title, kind, inputs, capture.shape[1:], layer))
                order[title] = (places[name], 0)
                inputs = (title,)
        elif len(inputs) > 1 or kind_of(at) in ("relu", "pool"):
            kind = _kind(at)
            name = _unused(kind, taken, " 1")
            nodes.append(Node(name, kind, inputs, shape_of(at)[1:]))
            order[name] = (max(order[other][0] for other in inputs), len(nodes))
            inputs = (name,)
        sources[at] = inputs
    return tuple(sorted(nodes, key=lambda node: order[node.name]))


def _made(found: Sequence[tuple[str, Capture]]) -> dict[TapeNode, list[tuple[str, Capture]]]:
    """Find what to call each node of the tape: by its innermost modules."""
    paths = [name for name, _ in found]
    holders = {path[:k] for path in paths for k in range(len(path)) if path[k] == "."}
    by_node: dict[TapeNode, list[tuple[str, Capture]]] = {}
    for name, capture in found:
        edge: GradientEdge | None = capture.edge
        if edge is not None:
            by_node.setdefault(edge.node, []).append((name, capture))
    made = {}
    for node, entries in by_node.items():
        leaves = [entry for entry in entries if entry[0] not in holders]
        made[node] = leaves or entries[:1]
    return made


def _holder(capture: Capture, found: Sequence[tuple[str, Capture]], shown: dict[str, str]) -> str:
    """Return the name of the layer of an atlas that holds a module and puts out the same."""
    same = (other for other, c in found if other in shown and c.edge == capture.edge)
    holder = next(same, None)
    return shown[holder] if holder is not None else ""


def _kind(at: TapeNode) -> str:
    word = re.sub(r"Backward\d*$", "", at.name()).lower()
    return _WORDS.get(word, word)


def _unused(kind: str, taken: set[str], first: str) -> str:
    name, number = kind + first, 1
    while name in taken:
        number += 1
        name = f"{kind} {number}"
    taken.add(name)
    return name
