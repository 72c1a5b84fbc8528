"""What can be found out about a network by itself: its input, its layers, its class scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from phosphene.core.layers import Address, Layer
from phosphene.core.preprocessing import Order
from phosphene.core.receptive_field import axes_by_node, field_of
from phosphene.core.record import Capture, output_tensor, record
from phosphene.core.scores import RESHAPES, back_through, ends_in_softmax, score_edge
from phosphene.core.tape import Tape
from phosphene.errors import NetworkError

if TYPE_CHECKING:
    from phosphene.core.network import Network


@dataclass(frozen=True)
class Head:
    """The end of a classifier.

    Attributes:
        layer: The module that makes the class scores; `None` where no module does.
        softmax: Whether the network goes on to a softmax.
        classes: How many classes there are.
    """

    layer: Address | None
    softmax: bool
    classes: int

    def probabilities(self, output: Tensor) -> Tensor:
        """Turn what the network puts out, (b, k) or (b, k, h, w), into (b, k) probabilities.

        A softmax is applied unless the network ends in one; maps are averaged after it.
        """
        output = output.detach().float()
        probabilities = output if self.softmax else output.softmax(1)
        return probabilities.flatten(2).mean(2) if output.dim() > 2 else probabilities


def find_head(network: Network) -> Head:
    """Find the class scores of a network, by the rules of `core.scores`.

    Raises:
        NetworkError: It has none.
    """
    _, tensor, captures = _gray_pass(network)
    if tensor.dim() < 2 or not tensor.requires_grad:
        raise NetworkError(
            f"{network.name} puts out {tuple(tensor.shape)}, which are no class scores (batch, "
            "classes, ...) that depend on the image: name the layer of the unit"
        )
    edge = get_gradient_edge(tensor)
    scores = score_edge(edge)
    layer = next((a for a, c in captures.items() if c.edge and _unshaped(c.edge) == scores), None)
    return Head(layer, ends_in_softmax(edge), int(tensor.shape[1]))


def _unshaped(edge: GradientEdge) -> GradientEdge:
    """Go back through reshapes, by which a layer may end (`FullyConnected` makes maps of codes)."""
    return back_through(edge, RESHAPES.__contains__)


def list_layers(network: Network, input_size: tuple[int, int] | None = None) -> list[Layer]:
    """List the layers that a pass runs, in order; see `Network.layers`."""
    x, tensor, captures = _gray_pass(network, input_size)
    edges = [capture.edge for capture in captures.values() if capture.edge]
    if tensor.requires_grad:
        edges.append(get_gradient_edge(tensor))
    # An output without gradients (an arg-max) leaves the tape of the last layer that has some.
    axes = axes_by_node(Tape(x, torch.empty(0), edges[-1])) if edges else {}
    spelled = {path: name for name, path in network.aliases.items()}
    return [
        Layer(
            str(address),
            type(capture.module).__name__,
            capture.shape[1:],
            field_of(axes.get(capture.edge.node)) if capture.edge else None,
            sum(p.numel() for p in capture.module.parameters(recurse=False)),
            spelled.get(str(address), ""),
            _kernel(capture),
        )
        for address, capture in captures.items()
    ]


# What looks at one place at a time. Activations share no base class in PyTorch, but a module.
_POINTWISE = (
    nn.modules.batchnorm._BatchNorm,
    nn.modules.dropout._DropoutNd,
    nn.LocalResponseNorm,
    nn.ChannelShuffle,
    nn.Identity,
)


def _kernel(capture: Capture) -> tuple[int, int] | None:
    """Return the window of a layer that makes maps; see `Layer.kernel`."""
    module = capture.module
    if len(capture.shape) != 4:
        return None
    match getattr(module, "kernel_size", None):
        case int(side):
            return side, side
        case (int(height), int(width)):
            return height, width
    if isinstance(module, nn.Softmax | nn.LogSoftmax | nn.Softmin):
        return (1, 1) if module.dim in (1, -3) else None
    activation = type(module).__module__ == nn.ReLU.__module__
    return (1, 1) if activation or isinstance(module, _POINTWISE) else None


def _gray_pass(
    network: Network, input_size: tuple[int, int] | None = None
) -> tuple[Tensor, Tensor, dict[Address, Capture]]:
    """Run a network on a gray image: its input, its output, and every layer's edge."""
    with network.running(gradients=True):
        x = network.blank(input_size)
        try:
            output, captures = record(network.module, x, None, values=False, run=network.run)
        except NetworkError as error:
            if input_size is not None:
                raise
            size = "x".join(str(n) for n in network.preprocessing.input_size)
            raise NetworkError(
                f"{error} ({size} is what its preprocessing says: if it should see another size, "
                "open it with Preprocessing((height, width)))"
            ) from error
    return x, output_tensor(output), captures


def input_channels(module: nn.Module) -> int | None:
    """Return the channels that a module's first convolution takes; `None` if it has none."""
    convolutions = (child for child in module.modules() if isinstance(child, nn.Conv2d))
    first = next(convolutions, None)
    return first.in_channels if first else None


def input_order(module: nn.Module) -> Order:
    """Tell gray networks from RGB ones, and from those that take no photographs."""
    orders: dict[int | None, Order] = {None: "RGB", 3: "RGB", 1: "gray"}
    return orders.get(input_channels(module), "any")
