"""The activations between the nodes of a tape, from what the nodes have saved.

A tape keeps what its derivatives need: most inputs, the results of rectifiers. What else is asked
for is computed again from that: reshapes, averages and sums of known values, and affine layers
whose weights the tape leads to. A frozen bias is none of these: such a value is not known.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd.graph import Node
from torch.nn import functional as F

from phosphene.core.nodes import kind_of, operation, saved, shape_of
from phosphene.core.tape import Tape

Edge = tuple[Node, int]

# By node: under which names it saves the values that come in, and by which of its inputs.
_INPUTS: dict[str, dict[int, str]] = {
    "Convolution": {0: "input"},
    "NativeBatchNorm": {0: "input"},
    "CudnnBatchNorm": {0: "input"},
    "Addmm": {1: "mat1", 2: "mat2"},
    "Mm": {0: "self", 1: "mat2"},
    "Bmm": {0: "self", 1: "mat2"},
    "Baddbmm": {1: "batch1", 2: "batch2"},
    "AvgPool2D": {0: "self"},
    "AvgPool3D": {0: "self"},
    "AdaptiveAvgPool2D": {0: "self"},
    "MaxPool2DWithIndices": {0: "self"},
    "AdaptiveMaxPool2D": {0: "self"},
    "Gelu": {0: "self"},
    "Silu": {0: "self"},
    "Hardswish": {0: "self"},
}
# Rectifiers and their like that save what comes in, and what they make of it.
_BENT: dict[str, Callable[[Tensor, Node], Tensor]] = {
    "LeakyRelu": lambda x, node: F.leaky_relu(x, saved(node, "negative_slope")),
    "PreluKernel": lambda x, node: torch.where(x > 0, x, x * saved(node, "weight").detach()),
    "Celu": lambda x, node: F.celu(x, float(saved(node, "alpha"))),
    "Gelu": lambda x, node: F.gelu(x, approximate=saved(node, "approximate")),
    "Silu": lambda x, node: F.silu(x),
    "Hardswish": lambda x, node: F.hardswish(x),
    "Hardsigmoid": lambda x, node: F.hardsigmoid(x),
    "Mish": lambda x, node: F.mish(x),
    "Hardtanh": lambda x, node: x.clamp(
        float(saved(node, "min_val")), float(saved(node, "max_val"))
    ),
    "Elu": lambda x, node: torch.ops.aten.elu(
        x, *(saved(node, part) for part in ("alpha", "scale", "input_scale"))
    ),
    "Softplus": lambda x, node: F.softplus(
        x, float(saved(node, "beta")), float(saved(node, "threshold"))
    ),
}
_RESULTS = ("Relu", "Sigmoid", "Tanh")
# One tensor in and one out, all of it linear: sums, averages, and what moves values about.
MOVES = frozenset(
    "Alias AsStrided Clone Copy Expand Flip Gather Index IndexSelect Narrow Permute "
    "PixelShuffle PixelUnshuffle ReflectionPad2D Repeat ReplicationPad2D ReshapeAlias Roll Select "
    "Slice Split SplitWithSizes Squeeze T ToCopy Transpose Unbind UnsafeSplit UnsafeView Unsqueeze "
    "UpsampleNearest2D UpsampleNearestExact2D View".split()
)
AVERAGES = frozenset(
    "AdaptiveAvgPool2D AdaptiveAvgPool3D AvgPool2D AvgPool3D Mean Sum "
    "UpsampleBicubic2D UpsampleBilinear2D".split()
)


class Values:
    """What flows along the edges of a tape.

    Args:
        tape: The forward pass.
    """

    def __init__(self, tape: Tape) -> None:
        self._known: dict[Edge, Tensor | None] = {}
        for node in tape.nodes:
            for i, attribute in _INPUTS.get(operation(node), {}).items():
                value, (source, output) = _kept(node, attribute), node.next_functions[i]
                if value is not None and source is not None:
                    self._known.setdefault((source, output), value)
        for capture in tape.captures.values():
            if capture.edge is not None and capture.value is not None:
                self._known[capture.edge.node, capture.edge.output_nr] = capture.value.detach()
        self._known[tape.edge.node, tape.edge.output_nr] = tape.activation
        self._known[tape.leaf, 0] = tape.x.detach()

    def of(self, node: Node | None, output: int = 0) -> Tensor | None:
        """Return the value that a node put out; `None` where the tape does not tell."""
        if node is None:
            return None
        if (node, output) not in self._known:
            self._known[node, output] = self._made(node, output)
        return self._known[node, output]

    def _made(self, node: Node, output: int) -> Tensor | None:
        name = operation(node)
        if name in _RESULTS:
            return _kept(node, "result")
        if kind_of(node) == "relu":
            given = self._input(node, next(i for i, (n, _) in enumerate(node.next_functions) if n))
            return given.clamp(min=0) if given is not None else _rectified(node)
        if name in _BENT:
            bent = _kept(node, "self")
            return None if bent is None else _BENT[name](bent, node)
        if name.startswith(("MaxPool2D", "AdaptiveMaxPool2D")):
            given, places = _kept(node, "self"), _kept(node, "result1")
            if given is None or places is None:
                return None
            return given.flatten(-2).gather(-1, places.flatten(-2)).view(places.shape)
        if (name in MOVES or name in AVERAGES) and len(node.next_functions) == 1:
            given = self._input(node, 0)
            return None if given is None else linear_map(node, given, output)
        made = _MADE.get(name)
        return made(self, node) if made else None

    def _input(self, node: Node, i: int) -> Tensor | None:
        source, output = node.next_functions[i]
        weight = getattr(source, "variable", None)
        return weight.detach() if isinstance(weight, Tensor) else self.of(source, output)

    def _sum(self, node: Node) -> Tensor | None:
        one, other = self._input(node, 0), self._input(node, 1)
        if one is None or other is None:
            return None
        sign = -1 if operation(node) == "Sub" else 1
        return one + sign * float(saved(node, "alpha")) * other

    def _joined(self, node: Node) -> Tensor | None:
        parts = [self._input(node, i) for i in range(len(node.next_functions))]
        known = [part for part in parts if part is not None]
        dim = int(saved(node, "dim"))
        return torch.cat(known, dim) if len(known) == len(parts) else None

    def _convolved(self, node: Node) -> Tensor | None:
        given, weight = self._input(node, 0), saved(node, "weight")
        bias = self._input(node, 2)
        if given is None or (bias is None and any(saved(node, "bias_sym_sizes_opt"))):
            return None
        parts = ("stride", "padding", "dilation", "transposed", "output_padding", "groups")
        settings = [saved(node, part) for part in parts]
        found: Tensor = torch.ops.aten.convolution(given, weight.detach(), bias, *settings)
        return found

    def _normalized(self, node: Node) -> Tensor | None:
        given, weight, bias = self._input(node, 0), saved(node, "weight"), self._input(node, 2)
        mean, variance = saved(node, "running_mean"), saved(node, "running_var")
        if given is None or mean is None or (bias is None and weight is not None):
            return None
        epsilon = "epsilon" if hasattr(node, "_saved_epsilon") else "eps"
        return F.batch_norm(
            given, mean, variance, weight, bias, False, 0.0, saved(node, epsilon)
        ).detach()

    def _multiplied(self, node: Node) -> Tensor | None:
        first = 1 if operation(node) == "Addmm" else 0
        left, right = self._input(node, first), _kept(node, "mat2")
        bias = self._input(node, 0) if first else torch.zeros(())
        if left is None or right is None or bias is None:
            return None
        product = left @ right
        if not first:
            return product
        return float(saved(node, "beta")) * bias + float(saved(node, "alpha")) * product

    def _divided(self, node: Node) -> Tensor | None:
        top, bottom = _kept(node, "self"), _kept(node, "other")
        return None if top is None or bottom is None else top / bottom


_MADE: dict[str, Callable[[Values, Node], Tensor | None]] = {
    "Add": Values._sum,
    "Sub": Values._sum,
    "Cat": Values._joined,
    "Convolution": Values._convolved,
    "NativeBatchNorm": Values._normalized,
    "CudnnBatchNorm": Values._normalized,
    "Addmm": Values._multiplied,
    "Mm": Values._multiplied,
    "Div": Values._divided,
}


def linear_map(node: Node, value: Tensor, output: int = 0) -> Tensor:
    """Apply what a linear node with one input does to another value.

    A node knows the transpose W^T alone; its derivative by the signal, transposed, is W.

    Args:
        node: The node.
        value: In the shape of its input.
        output: Which of its outputs is wanted.
    """
    with torch.inference_mode(False), torch.enable_grad():
        signals: list[Tensor | None] = [None] * len(node._input_metadata)
        wanted = value.new_zeros(shape_of(node, output)).requires_grad_()
        signals[output] = wanted
        apply: Callable[..., Tensor | tuple[Tensor, ...]] = node  # type: ignore[assignment]
        sent = apply(*signals)
        sent = sent if isinstance(sent, Tensor) else sent[0]
        (found,) = torch.autograd.grad(sent, wanted, value.clone())
    return found.detach()


def _rectified(node: Node) -> Tensor | None:
    given = _kept(node, "self")
    return None if given is None else given.clamp(min=0)


def _kept(node: Node, attribute: str) -> Tensor | None:
    try:
        value = getattr(node, f"_saved_{attribute}", None)
    except RuntimeError:
        return None  # a later layer has written over it
    return value.detach() if isinstance(value, Tensor) else None
