r"""The filters on a tape, and the reversed pass with others in their place.

A reversed network `phi^dagger(y, r; W^dagger)` transposes every linear layer of the network `phi`
that it reverses. With `W^dagger = W` it is the pass of `core.reversal`; here each layer may have
filters of its own, in the shape of those that it transposes, and the result can be derived by them
(Mahendran, thesis 2018, equation 7.10).

The tape is walked from the layer down to the image. A convolution sends its signal on through the
transposed convolution by the given filters, a fully connected layer by the transposed matrix.
Bottlenecks do what the rule says (`core.reversal.replacements`). All else on the way has to be
linear for the signal: it brings together, takes apart, averages, moves or scales, and does its own
derivative.

*Departure.* A batch normalization in evaluation mode is a fixed factor for each channel. It keeps
it: the filters beside it can learn any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node
from torch.nn import functional as F

from phosphene.core.nodes import saved
from phosphene.core.reversal import replacements
from phosphene.core.rules import Reversal
from phosphene.core.tape import Tape
from phosphene.errors import ReversalError

_CONVOLUTION = "ConvolutionBackward0"
_MATRICES = ("AddmmBackward0", "MmBackward0")
# What passes a signal on linearly, whatever values it saw in the forward pass.
_LINEAR = frozenset(
    "Add Alias AsStrided AvgPool2D AdaptiveAvgPool2D Cat Clone ConstantPadNd Copy CudnnBatchNorm "
    "Expand Flip Mean MiopenBatchNorm NativeBatchNorm Narrow Neg Permute PixelShuffle "
    "PixelUnshuffle ReflectionPad2D ReplicationPad2D Reshape ReshapeAlias Select Slice Split "
    "SplitWithSizes Squeeze Stack Sub Sum T ToCopy Transpose Unbind UnsafeView Unsqueeze "
    "UpsampleBilinear2D UpsampleNearest2D View".split()
)
_SCALING = ("Mul", "Div")


@dataclass(frozen=True, eq=False)
class Filter:
    """A linear layer on a tape.

    Attributes:
        node: Its node.
        weight: Its filters: (c_out, c_in / groups, kh, kw) of a convolution, (n_out, n_in) of a
            fully connected layer.
        inputs: How many channels, or units, its input has: what its reverse puts out.
    """

    node: Node
    weight: Tensor
    inputs: int


def filters_of(tape: Tape) -> tuple[Filter, ...]:
    """List the linear layers between image and layer, from the image upwards.

    A layer that a pass runs twice is there twice. What only makes the denominator of a response
    normalization is left out.

    Args:
        tape: The forward pass, of maps.

    Raises:
        ReversalError: One of them is a convolution over more or fewer than two axes, or a
            transposed one.
    """
    found = []
    passed = _passed(tape)
    for node in filter(passed.__contains__, tape.nodes):
        name = node.name()
        if name == _CONVOLUTION:
            weight = saved(node, "weight").detach()
            if weight.dim() != 4 or saved(node, "transposed"):
                kind = "transposed" if saved(node, "transposed") else f"{weight.dim() - 2}-D"
                raise ReversalError(
                    f"the network has a {kind} convolution, whose reverse cannot be learned: only "
                    "networks of plain 2-D convolutions and fully connected layers have one"
                )
            found.append(Filter(node, weight, weight.shape[1] * int(saved(node, "groups"))))
        elif name in _MATRICES:
            matrix = saved(node, "mat2")
            if matrix is not None:
                found.append(Filter(node, matrix.detach().t(), matrix.shape[0]))
    return tuple(found)


def reversed_by_filters(
    tape: Tape,
    seed: Tensor,
    rule: Reversal,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor] = (),
) -> Tensor:
    """Send a signal back through a tape, with other filters than the network's own.

    Args:
        tape: The forward pass; it is kept.
        seed: The signal to start from, in the activation's shape.
        rule: How to reverse the bottlenecks on the way.
        weights: For each of `filters_of`, in its order and shapes.
        biases: (inputs,) for each, added to what its reverse puts out; none if empty.

    Returns:
        (b, c, h, w), the signal at the network's input. Gradients flow to weights and
        biases, and to nothing else.

    Raises:
        NothingToReverse: The rule changes ReLUs, and the tape holds none.
        OpaqueGraph: Part of the tape cannot be looked into.
        ReversalError: Something on the way is neither linear nor a bottleneck that the rule knows.
        ValueError: There are not as many weights, or other shapes, than the tape has filters.
    """
    filters = filters_of(tape)
    shapes = [tuple(f.weight.shape) for f in filters]
    if [tuple(w.shape) for w in weights] != shapes or len(biases) not in (0, len(filters)):
        raise ValueError(f"filters of shapes {shapes} are needed, with a bias for each or none")
    if not torch.is_grad_enabled():
        return _walked(tape, seed, rule, filters, [*weights, *biases])
    signal: Tensor = _Pass.apply(tape, seed, rule, filters, *weights, *biases)  # type: ignore[no-untyped-call]
    return signal


class _Pass(torch.autograd.Function):
    """The walk as one function of its filters.

    What the tape has saved is itself derivable by the image. Derivatives are taken by filters alone
    here, so that nothing runs through the network's own pass for that.
    """

    @staticmethod
    def forward(
        ctx: Any,
        tape: Tape,
        seed: Tensor,
        rule: Reversal,
        filters: Sequence[Filter],
        *learned: Tensor,
    ) -> Tensor:
        leaves = [w.detach().requires_grad_(w.requires_grad) for w in learned]
        with torch.enable_grad():
            signal = _walked(tape, seed.detach(), rule, filters, leaves)
        ctx.signal, ctx.leaves = signal, leaves
        return signal.detach()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        wanted = [w for w in ctx.leaves if w.requires_grad]
        found = iter(torch.autograd.grad(ctx.signal, wanted, gradients, True, allow_unused=True))
        own = [next(found) if w.requires_grad else None for w in ctx.leaves]
        return None, None, None, None, *own


def _walked(
    tape: Tape, seed: Tensor, rule: Reversal, filters: Sequence[Filter], learned: Sequence[Tensor]
) -> Tensor:
    replaced = dict(replacements(tape, rule))
    known = {bottleneck.node for bottleneck in tape.bottlenecks}
    biases: Sequence[Tensor | None] = learned[len(filters) :] or [None] * len(filters)
    transposed = {
        f.node: _transposed(f, weight, bias)
        for f, weight, bias in zip(filters, learned[: len(filters)], biases, strict=True)
    }
    leaf = (tape.leaf, 0)
    within = {*tape.nodes, tape.leaf}
    arrived: dict[tuple[Node, int], Tensor] = {(tape.edge.node, tape.edge.output_nr): seed}
    for node in reversed(tape.nodes):
        outputs = len(node._input_metadata)
        signals = [arrived.pop((node, number), None) for number in range(outputs)]
        if all(signal is None for signal in signals):
            continue
        sent: Sequence[Tensor | None]
        if node in transposed:
            sent = transposed[node](signals)
        else:
            if node not in known:
                _check_linear(node, within)
            sent = _tuple(node(*signals))  # type: ignore[operator]
            if node in replaced:
                sent = _tuple(replaced[node](sent, signals))  # type: ignore[arg-type]
        for (child, number), signal in zip(node.next_functions, sent, strict=True):
            if child is not None and child in within and signal is not None:
                place = (child, number)
                arrived[place] = arrived[place] + signal if place in arrived else signal
    return arrived[leaf]


def _passed(tape: Tape) -> set[Node]:
    """Return the nodes that a signal passes where response normalizations are the identity."""
    direct = {b.node: b.direct for b in tape.bottlenecks if b.kind == "lrn"}
    passed = {tape.edge.node}
    for node in reversed(tape.nodes):
        if node in passed:
            below = [child for child, _ in node.next_functions if child is not None]
            ways = below if node not in direct else [node.next_functions[direct[node]][0]]
            passed.update(child for child in ways if child is not None)
    return passed


def _transposed(
    found: Filter, weight: Tensor, bias: Tensor | None
) -> Callable[[Sequence[Tensor | None]], list[Tensor | None]]:
    """Return the reverse of a linear layer, from the signals at the node to those it sends on."""
    node = found.node
    if node.name() in _MATRICES:
        place = len(node.next_functions) - 2  # behind the bias of addmm

        def multiplied(signals: Sequence[Tensor | None]) -> list[Tensor | None]:
            assert signals[0] is not None
            sent = signals[0] @ weight
            own = sent if bias is None else sent + bias
            return [own if i == place else None for i in range(len(node.next_functions))]

        return multiplied
    stride, padding, dilation = (
        tuple(map(int, saved(node, what))) for what in ("stride", "padding", "dilation")
    )
    size, groups = saved(node, "input").shape[-2:], int(saved(node, "groups"))

    def convolved(signals: Sequence[Tensor | None]) -> list[Tensor | None]:
        signal = signals[0]
        assert signal is not None
        # Rows behind the last window that the convolution has not looked at.
        rest = [
            size[i]
            - (
                (signal.shape[i + 2] - 1) * stride[i]
                - 2 * padding[i]
                + dilation[i] * (weight.shape[i + 2] - 1)
                + 1
            )
            for i in (0, 1)
        ]
        sent = F.conv_transpose2d(signal, weight, bias, stride, padding, rest, groups, dilation)
        return [sent, *[None] * (len(node.next_functions) - 1)]

    return convolved


def _check_linear(node: Node, within: set[Node]) -> None:
    operation = node.name().partition("Backward")[0]
    branches = sum(child in within for child, _ in node.next_functions)
    scaling = operation in _SCALING and branches == 1
    # By statistics of what it normalizes it would be something else for every image.
    own = operation.endswith("BatchNorm") and saved(node, "training")
    if (operation in _LINEAR and not own) or scaling:
        return
    raise ReversalError(
        f"{operation} lies on the way to the image, which is neither linear nor a ReLU, max-pool "
        "or response normalization: such networks have no reverse that could be learned"
    )


def _tuple(sent: Any) -> Sequence[Any]:
    return sent if isinstance(sent, tuple) else (sent,)
