"""What an energy sees of a network: the codes of its layers, and the way back from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

from phosphene.core.looking import looking
from phosphene.core.network import Network
from phosphene.core.receptive_field import ReceptiveField
from phosphene.core.representation import Representation
from phosphene.core.reversal import backward
from phosphene.core.rules import Reversal
from phosphene.core.tape import Tape
from phosphene.errors import NothingToReverse, OpaqueGraph


@dataclass(frozen=True, eq=False)
class Code:
    """What a layer makes of images.

    Attributes:
        value: (b, ...), detached.
        edge: Where on the tape it was made.
        tape: The way back, where the network has one of phosphene's.
    """

    value: Tensor
    edge: GradientEdge
    tape: Tape | None = None

    @classmethod
    def of(cls, value: Tensor) -> Code:
        """Take a tensor that autograd has made."""
        return cls(value.detach(), get_gradient_edge(value))

    def straight_back(self, pull: Tensor) -> Tensor | None:
        """Send a signal back past all ReLUs, as if each of them were the identity.

        Where the derivative is zero because a unit behind ReLUs is silent, this still says what
        would wake it.

        Args:
            pull: The code's shape.

        Returns:
            The network's input's shape; `None` where the tape cannot be reversed.
        """
        if self.tape is None:
            return None
        try:
            return backward(self.tape, pull, Reversal(relu="identity"))
        except (NothingToReverse, OpaqueGraph):
            return None


Phi = Callable[[Tensor], Mapping[str, Code]]
"""From the network's own input, a leaf that requires a gradient, to codes by layer."""


def cut_at(net: Network, layer: str) -> Representation:
    """Cut a network at a layer; without a name at its output."""
    return net[layer] if layer else net.output


def field_of(phi: Representation) -> ReceptiveField | None:
    """Return the receptive field of a representation; `None` where it is not defined."""
    return phi.network.receptive_field(phi.layer) if phi.layer else None


@contextmanager
def codes_of(net: Network, cuts: Mapping[str, Representation]) -> Iterator[Phi]:
    """Keep a network ready for many passes; the gradients belong into the `with` block, too.

    Args:
        net: The network.
        cuts: What is to be seen of it, by any names.
    """
    with looking(net, list(cuts.values())) as look:

        def phi(x: Tensor) -> dict[str, Code]:
            tapes: Sequence[Tape] = look(x)
            return {
                name: Code(tape.activation, tape.edge, tape)
                for name, tape in zip(cuts, tapes, strict=True)
            }

        yield phi
