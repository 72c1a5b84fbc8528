"""The one table of what PyTorch calls the nodes of its tape.

Node names (`ReluBackward0`) and what they save (`_saved_kernel_size`) are undocumented, so they
are kept here and nowhere else, and `self_check` compares them with the PyTorch at hand before the
first use.

A node is sorted into a *kind* of bottleneck:

| kind | nodes |
|---|---|
| `relu` | `max(x, 0)` in every spelling: relu, clamp, clamp_min, threshold, maximum |
| `pool` | max-pooling, adaptive too, and the maximum over whole maps |
| `lrn` | the division that ends a local response normalisation |
| `relu6`, `leaky_relu`, `elu`, ... | other rectifiers: left alone unless a rule opts them in |
| `opaque` | compiled, scripted, checkpointed or written-to-a-slice code: cannot be looked into |
| `custom` | a user's `autograd.Function` that `register_rule` has not introduced |
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node
from torch.nn import functional as F

from phosphene.errors import UnsupportedTorch

# Rectifiers that are no max(x, 0); a rule may include them by these names.
RECTIFIERS = (
    "relu6",
    "leaky_relu",
    "prelu",
    "elu",
    "gelu",
    "silu",
    "hardswish",
    "mish",
    "softplus",
)

_REMEDIES = {
    "CompiledFunctionBackward": "pass the model as it was before torch.compile",
    "DifferentiableGraphBackward": "open the eager model instead of the scripted one",
    "CheckpointFunctionBackward": "checkpoint with use_reentrant=False",
    "CopySlices": "write the layer to a new tensor instead of in place on a slice",
}

# Custom functions the user has introduced: class name of the node -> kind.
_registered: dict[str, str] = {}


def register_rule(function: type[torch.autograd.Function] | str, like: str) -> None:
    """Tell phosphene that a custom `autograd.Function` behaves like a known kind of bottleneck.

    Its own `backward` is then taken for the rule `mask` (or `switches`, `backprop`), and replaced
    or rectified by the other rules exactly as for the built-in kind.

    Args:
        function: The Function class, or the name of its tape node (`"MyReLUBackward"`).
        like: `"relu"`, one of the other rectifiers, or `"linear"` for functions without a
            bottleneck (this only silences the warning).
    """
    name = function if isinstance(function, str) else f"{function.__name__}Backward"
    if like not in ("relu", "linear", *RECTIFIERS):
        known = ", ".join(("relu", "linear", *RECTIFIERS))
        raise ValueError(f"like={like!r} is no kind of bottleneck; choose one of {known}")
    _registered[name] = like


def kind_of(node: Node) -> str | None:
    """Return the kind of bottleneck a node is; `None` for linear and unremarkable nodes."""
    name = node.name()
    if name in _KINDS:
        found = _KINDS[name]
        return found if isinstance(found, str) else found(node)
    if remedy(name):
        return "opaque"
    if name in _registered:
        like = _registered[name]
        return None if like == "linear" else like
    if isinstance(node, torch.autograd.function.BackwardCFunction):
        return "custom"
    return None


def remedy(name: str) -> str | None:
    """Say what to do about an opaque node; `None` if a node of this name is not opaque."""
    return next((advice for part, advice in _REMEDIES.items() if part in name), None)


def strict_mask(node: Node) -> Tensor | None:
    """Return [x > 0] for spellings of ReLU whose own derivative at x = 0 is not 0.

    `relu` and `threshold` pass nothing at 0, as the papers want; `clamp` passes all of it and
    `maximum` half, so their signal must be masked once more. `None` where that is not needed.
    """
    name = node.name()
    if name in ("ClampMinBackward0", "ClampBackward0", "ClampBackward1"):
        positive: Tensor = saved(node, "self") > 0
        return positive
    if name == "MaximumBackward0":
        # One of the two operands is zero everywhere, so this is where the other is positive.
        either: Tensor = (saved(node, "self") > 0) | (saved(node, "other") > 0)
        return either
    return None


def operation(node: Node) -> str:
    """Return what a node reverses, `Convolution` for all spellings of a convolution."""
    return node.name().partition("Backward")[0]


def saved(node: Node, attribute: str) -> Any:
    """Read what a node has saved, such as `kernel_size`."""
    return getattr(node, f"_saved_{attribute}")


def shape_of(node: Node, output: int = 0) -> tuple[int, ...]:
    """Return the shape of the tensor that a node made in the forward pass."""
    return tuple(int(n) for n in node._input_metadata[output].shape)


def _is_zero(bound: Any) -> bool:
    return bound is not None and not torch.as_tensor(bound).any()


def _if_zero(attribute: str) -> Callable[[Node], str | None]:
    return lambda node: "relu" if _is_zero(saved(node, attribute)) else None


def _maximum(node: Node) -> str | None:
    (left, _), (right, _) = node.next_functions
    constant = "other" if right is None else "self" if left is None else None
    return "relu" if constant and _is_zero(saved(node, constant)) else None


def _hardtanh(node: Node) -> str | None:
    return "relu6" if _is_zero(saved(node, "min_val")) else None


def _clamp(node: Node) -> str | None:
    if not _is_zero(saved(node, "min")):
        return None
    return "relu" if saved(node, "max") is None else "relu6"


def reduced_sizes(node: Node) -> dict[int, int]:
    """Return which axes (counted from the back) a maximum or mean reduces, and their sizes."""
    if hasattr(node, "_saved_self_sym_sizes"):
        shape = tuple(int(n) for n in saved(node, "self_sym_sizes"))
    else:
        shape = tuple(saved(node, "self").shape)
    dims = saved(node, "dim")
    # Saved dimensions are unsigned: -1 comes back as 2**64 - 1.
    found = [d - 2**64 if d >= 2**63 else d for d in ([dims] if isinstance(dims, int) else dims)]
    return {d % len(shape) - len(shape): shape[d] for d in found}


def _spatial_maximum(node: Node) -> str | None:
    # A maximum over the last two axes is a pool; one over channels is a maxout.
    axes = reduced_sizes(node)
    return "pool" if axes and min(axes) >= -2 else None


_KINDS: dict[str, str | Callable[[Node], str | None]] = {
    "ReluBackward0": "relu",
    "ThresholdBackward0": _if_zero("threshold"),
    "ThresholdBackward1": _if_zero("threshold"),
    "ClampMinBackward0": _if_zero("min"),
    "ClampBackward0": _clamp,
    "ClampBackward1": _clamp,
    "MaximumBackward0": _maximum,
    "HardtanhBackward0": _hardtanh,
    "LeakyReluBackward0": "leaky_relu",
    "PreluKernelBackward0": "prelu",
    "EluBackward0": "elu",
    "CeluBackward0": "elu",
    "GeluBackward0": "gelu",
    "SiluBackward0": "silu",
    "HardswishBackward0": "hardswish",
    "MishBackward0": "mish",
    "SoftplusBackward0": "softplus",
    "MaxPool2DWithIndicesBackward0": "pool",
    "MaxPool3DWithIndicesBackward0": "pool",
    "AdaptiveMaxPool2DBackward0": "pool",
    "AdaptiveMaxPool3DBackward0": "pool",
    "FractionalMaxPool2DBackward0": "pool",
    "MkldnnMaxPool2DBackward0": "pool",
    "AmaxBackward0": _spatial_maximum,
    "MaxBackward0": _spatial_maximum,
}


@functools.cache
def self_check() -> None:
    """Compare the table with the PyTorch at hand, once.

    Raises:
        UnsupportedTorch: A node has another name, or saves other things, than the table says.
    """
    with torch.enable_grad():
        x = torch.ones(1, 4, 4, 4, requires_grad=True)
        spellings: list[tuple[str, Tensor, str, tuple[str, ...]]] = [
            ("relu", F.relu(x), "ReluBackward0", ("result",)),
            ("clamp", x.clamp(min=0), "ClampBackward1", ("self", "min", "max")),
            ("clamp_min", x.clamp_min(0), "ClampMinBackward0", ("self", "min")),
            ("threshold", F.threshold(x, 0, 0), "ThresholdBackward0", ("threshold",)),
            ("relu6", F.relu6(x), "HardtanhBackward0", ("min_val",)),
            (
                "max_pool2d",
                F.max_pool2d(x, 2),
                "MaxPool2DWithIndicesBackward0",
                ("self", "result1", "kernel_size", "stride", "padding", "dilation"),
            ),
            (
                "conv2d",
                F.conv2d(x, x.detach()),
                "ConvolutionBackward0",
                (
                    "input",
                    "weight",
                    "bias_sym_sizes_opt",
                    "stride",
                    "padding",
                    "dilation",
                    "transposed",
                    "output_padding",
                    "groups",
                ),
            ),
            (
                "linear",
                F.linear(x.flatten(1), x.flatten(1), x.flatten()[:1]),
                "AddmmBackward0",
                ("mat1", "mat2", "alpha", "beta"),
            ),
            ("mm", x.flatten(1) @ x.flatten(1).detach().mT, "MmBackward0", ("self", "mat2")),
            (
                "batch_norm",
                F.batch_norm(x, x.detach()[0, :, 0, 0], x.detach()[0, :, 0, 0]),
                "NativeBatchNormBackward0",
                ("input", "weight", "running_mean", "running_var", "eps"),
            ),
            ("avg_pool2d", F.avg_pool2d(x, 2), "AvgPool2DBackward0", ("self",)),
            ("mean", x.mean((2, 3)), "MeanBackward1", ("dim",)),
            ("add", x + x, "AddBackward0", ("alpha",)),
            ("sub", x - x, "SubBackward0", ("alpha",)),
            ("cat", torch.cat([x, x], 1), "CatBackward0", ("dim",)),
            ("pow", x.pow(0.75), "PowBackward0", ("exponent",)),
            ("div", x / x, "DivBackward0", ()),
        ]
    for spelling, y, name, attributes in spellings:
        node = y.grad_fn
        assert node is not None
        lacks = [a for a in attributes if not hasattr(node, f"_saved_{a}")]
        if node.name() != name or lacks or not hasattr(node, "_input_metadata"):
            raise UnsupportedTorch(
                f"PyTorch {torch.__version__} records {spelling} as {node.name()}"
                f"{f' without {lacks[0]}' if lacks else ''}, where phosphene knows {name}: "
                "install a version between 2.11 and 2.13"
            )
