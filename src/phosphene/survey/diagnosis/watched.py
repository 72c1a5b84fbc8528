"""Which layers of a network are watched while it sees images, and what each is held to.

Not every silence is a fault: what is negative behind a convolution may be positive behind the
normalization or the sum that follows. So units are called dead only where a ReLU is known to stand:
at the ReLUs that are modules or, where a network calls none as one, at layers whose answers all go
straight into a ReLU on the tape.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn
from torch.autograd.graph import Node

from phosphene.core.network import Network
from phosphene.core.nodes import kind_of
from phosphene.core.record import Capture, output_tensor, record
from phosphene.survey.diagnosis.weights import KINDS

_BOUNDED = (nn.Sigmoid, nn.Hardsigmoid, nn.Tanh, nn.Hardtanh, nn.Softsign)  # ReLU6 is a Hardtanh


@dataclass(frozen=True)
class Watched:
    """The layers whose activity is judged.

    Attributes:
        weighted: Convolutions and fully connected layers whose answers are not normalized at once:
            how large these are.
        rectified: Layers of which nothing but positive answers goes on.
        bounded: Activations with bounds, but for the network's output: that of a good classifier
            is at its bounds.
        gates: Those of `bounded` that scale whole maps, as squeeze-and-excitation does; to be open
            or shut is their work.
    """

    weighted: tuple[str, ...]
    rectified: tuple[str, ...]
    bounded: tuple[str, ...]
    gates: frozenset[str] = frozenset()

    @property
    def all(self) -> tuple[str, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys((*self.weighted, *self.rectified, *self.bounded)))


def watched(net: Network) -> Watched:
    """Choose the layers to look at, by one pass over a gray image."""
    with net.running(gradients=True):
        output, captures = record(net.module, net.blank(), None, values=False, run=net.run)
        behind = _behind(output_tensor(output).grad_fn)
    # Containers come with the last layer in them, and have the same answers.
    leaves = [c for c in captures.values() if not any(True for _ in c.module.children())]
    leaves = [c for c in leaves if 1 <= len(c.shape) - 1 <= 3]
    followed = dict(zip(map(_name, leaves), leaves[1:], strict=False))
    weighted = tuple(
        _name(c)
        for c in leaves
        if isinstance(c.module, KINDS)
        and not (_name(c) in followed and _normalizes(followed[_name(c)].module))
    )
    rectified = tuple(_name(c) for c in leaves if _rectifies(c.module)) or tuple(
        _name(c) for c in leaves if _into_relu(c, behind)
    )
    bounded = [c for c in leaves[:-1] if isinstance(c.module, _BOUNDED)]
    return Watched(
        weighted,
        rectified,
        tuple(map(_name, bounded)),
        frozenset(_name(c) for c in bounded if _is_gate(c, leaves)),
    )


def _name(capture: Capture) -> str:
    return str(capture.address)


def _rectifies(module: nn.Module) -> bool:
    if isinstance(module, nn.Hardtanh):
        return module.min_val == 0
    return isinstance(module, nn.ReLU | nn.Threshold)


def _normalizes(module: nn.Module) -> bool:
    # By name too, as packages have their own; a response normalization keeps the scale.
    name = type(module).__name__
    return "Norm" in name and "Response" not in name


def _is_gate(capture: Capture, leaves: list[Capture]) -> bool:
    """Tell whether a layer says one number a channel, and larger maps come behind it."""
    if any(side > 1 for side in capture.shape[2:]):
        return False
    later = leaves[leaves.index(capture) + 1 :]
    return any(len(c.shape) == 4 and max(c.shape[2:]) > 1 for c in later)


def _into_relu(capture: Capture, behind: dict[Node, list[Node]]) -> bool:
    """Tell whether all that goes on from a layer goes through a ReLU first."""
    on = behind.get(capture.edge.node, []) if capture.edge else []
    return bool(on) and all(kind_of(node) in ("relu", "relu6") for node in on)


def _behind(last: Node | None) -> dict[Node, list[Node]]:
    """Return, for every node of a tape, the nodes that take its output."""
    found: dict[Node, list[Node]] = {}
    stack, seen = [last] if last is not None else [], {last}
    while stack:
        node = stack.pop()
        for before, _ in node.next_functions:
            if before is None:
                continue
            found.setdefault(before, []).append(node)
            if before not in seen:
                seen.add(before)
                stack.append(before)
    return found
