"""A network cut at a layer: the representation phi of the papers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge

from phosphene.core.finite import check_finite
from phosphene.core.layers import Address
from phosphene.core.nodes import shape_of
from phosphene.core.record import Capture, output_tensor, record
from phosphene.core.scores import score_edge
from phosphene.core.tape import Tape
from phosphene.errors import NetworkError

if TYPE_CHECKING:
    from phosphene.core.network import Network


class Representation:
    """phi: RGB images in [0, 1] to what one layer puts out, running no layer behind it.

    Any input size is taken that the layers before the cut allow. Made by `net["conv5"]`,
    `net.scores` and `net.output`.

    Attributes:
        network: The network it is cut from.
        address: The layer, and which of its calls; `None` for the network's output.
        rewind: Whether the output is taken back to the class scores before it, for networks that
            compute them in no module of their own.
    """

    def __init__(self, network: Network, address: Address | None, rewind: bool = False):
        self.network = network
        self.address = address
        self.rewind = rewind

    @property
    def layer(self) -> str:
        """Name of the layer; empty for the output."""
        return str(self.address) if self.address else ""

    def __repr__(self) -> str:
        return f"Representation({self.network.name or 'network'} -> {self.layer or 'output'})"

    def __call__(self, image: Tensor) -> Tensor:
        """Run the network up to the layer.

        Args:
            image: (b, 3, h, w) RGB in [0, 1].

        Returns:
            The layer's output, (b, c, h', w') for maps; gradients flow back to the image.
        """
        return self.of_input(self.network.input_of(image))

    def of_input(self, x: Tensor) -> Tensor:
        """Run the network up to the layer on (b, c, h, w), its own input, already normalized."""
        with self.network.running():
            if self.address is None:
                return output_tensor(self.network.run(self.network.module, x))
            address = [self.address]
            _, captures = record(self.network.module, x, address, stop=True, run=self.network.run)
        value = captures[self.address].value
        assert value is not None
        return value

    def tape(self, image: Tensor, to: Iterable[str] = ()) -> Tape:
        """Run the network up to the layer and keep the tape.

        Args:
            image: (b, 3, h, w) RGB in [0, 1].
            to: Names of layers on the way at which signals may be wanted.

        Returns:
            The tape. Its leaf is the network's own input, after normalization.
        """
        return self.network.tapes(image, [self], to)[0]

    def on_tape(
        self, x: Tensor, output: Tensor | None, captures: dict[Address, Capture], to: Iterable[str]
    ) -> Tape:
        """Make the tape of this layer from a pass that has been recorded.

        Args:
            x: The network's input, a leaf that requires a gradient.
            output: The network's output, where the pass ran to its end.
            captures: What the pass noted, this layer and all of `to` among it.
            to: Names of inner layers.
        """
        if self.address is not None:
            capture = captures[self.address]
            assert capture.value is not None
            value, edge = capture.value.detach(), capture.edge
        else:
            assert output is not None
            value = output.detach()
            edge = get_gradient_edge(output) if output.requires_grad else None
        name = self.layer or "the output"
        if edge is None:
            raise NetworkError(
                f"{name} does not depend on the image through differentiable layers (a detach, an "
                "arg-max or torch.no_grad stands between them)"
            )
        if self.rewind:
            edge, value = _rewound(edge, value)
        check_finite(value, self.network.module, x.detach(), self.network.run)
        inner = {name: captures[self.network.address(name)] for name in to}
        return Tape(x, value, edge, self.layer, inner)


def _rewound(edge: GradientEdge, output: Tensor) -> tuple[GradientEdge, Tensor]:
    """Go back from the output to the class scores, where the tape has their values."""
    scores = score_edge(edge)
    shape = shape_of(scores.node, scores.output_nr)
    if output.numel() == torch.Size(shape).numel():
        return scores, output.reshape(shape)
    # Behind the scores stands the final ReLU, which has saved them, or what it made of them.
    node: Node | None = edge.node
    while node is not None and node.next_functions:
        if (scores.node, scores.output_nr) in node.next_functions:
            for kept in ("_saved_self", "_saved_result"):
                value = getattr(node, kept, None)
                if isinstance(value, Tensor) and tuple(value.shape) == shape:
                    return scores, value.detach()
        node = node.next_functions[0][0]
    return edge, output
