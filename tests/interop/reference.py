"""Reversed networks without phosphene: rectifiers replaced where they are called.

A `TorchFunctionMode` sees every call of a torch function, whoever makes it, and puts one autograd
Function in the place of each rectifier. Its forward pass is the function's own; its backward pass
is the rule. No node of the tape is looked at, no module is touched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


class Rectified(torch.autograd.Function):
    """Any rectifier, sent back by a rule: `deconvnet`, `guided`, or its own derivative."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, function: Callable[[Tensor], Tensor], rule: str, in_place: bool
    ) -> Tensor:
        ctx.save_for_backward(x.clone())
        ctx.function, ctx.rule = function, rule
        y = function(x)
        if not in_place:
            return y
        ctx.mark_dirty(x)
        return x.copy_(y)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (signal,) = gradients
        if ctx.rule != "deconvnet":
            with torch.enable_grad():
                x = ctx.saved_tensors[0].detach().requires_grad_()
                y = ctx.function(x)
            (signal,) = torch.autograd.grad(y, x, signal)
        if ctx.rule != "saliency":
            signal = signal.clamp(min=0)
        return signal, None, None, None


RELU = {F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_}
CLAMPS = {torch.clamp, torch.clamp_, Tensor.clamp, Tensor.clamp_, Tensor.clamp_min}
# The other rectifiers by the names that phosphene's census has for them.
OTHERS = {
    F.relu6: "relu6", F.hardtanh: "relu6", F.silu: "silu", F.gelu: "gelu",
    F.hardswish: "hardswish", F.leaky_relu: "leaky_relu", F.elu: "elu",
}  # fmt: skip


class Replaced(TorchFunctionMode):
    """Put a rule in the place of the rectifiers that are called in a `with` block.

    Args:
        rule: `saliency`, `deconvnet` or `guided`.
        include: Rectifiers other than ReLU that follow the rule.

    Attributes:
        calls: How often each kind was called.
    """

    def __init__(self, rule: str, include: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.rule, self.include = rule, include
        self.calls: dict[str, int] = {}

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        kind = "relu" if function in RELU else OTHERS.get(function)
        if (
            function in CLAMPS
            and not kwargs.get("max")
            and (args[1:2] or [kwargs.get("min")])[0] == 0
        ):
            kind = "relu" if len(args) < 3 else None
        if kind is None:
            return function(*args, **kwargs)
        self.calls[kind] = self.calls.get(kind, 0) + 1
        if kind != "relu" and kind not in self.include:
            return function(*args, **kwargs)
        in_place = kwargs.pop("inplace", False) or getattr(function, "__name__", "").endswith("_")
        x, *rest = args
        if function in (F.relu, F.relu6, F.silu, F.hardswish) and rest:
            in_place = in_place or bool(rest.pop(0))

        def plain(value: Tensor) -> Tensor:
            return torch.relu(value) if kind == "relu" else function(value, *rest, **kwargs)

        return Rectified.apply(x, plain, self.rule, in_place)


def reference(
    module: torch.nn.Module,
    x: Tensor,
    p: Tensor,
    rule: str,
    include: tuple[str, ...] = (),
) -> tuple[Tensor, dict[str, int]]:
    """Send a signal back through a model by a rule.

    Args:
        module: The model, in evaluation mode.
        x: Its input.
        p: The signal on its output.
        rule: `saliency`, `deconvnet` or `guided`.
        include: Rectifiers other than ReLU that follow it.

    Returns:
        The signal on its input, and how often each rectifier was called.
    """
    x = x.detach().clone().requires_grad_()
    with Replaced(rule, include) as replaced:
        output = logits(module(x * 1))
    (signal,) = torch.autograd.grad(output, x, p)
    return signal, replaced.calls


def logits(output: Any) -> Tensor:
    """Return the class scores in what a model puts out."""
    if isinstance(output, Tensor):
        return output
    return output.logits if hasattr(output, "logits") else output[0]
