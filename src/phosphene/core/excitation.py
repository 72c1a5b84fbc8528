"""Excitation backprop over weights: p on the output of a linear layer, shared among its inputs.

    p_j = a_j sum_i w+_ij p_i / (sum_k w+_ik a_k)

The layer runs once by its positive weights, w+ = max(w, 0), on its input a >= 0, and p over that
is sent through its transpose by the same weights. A negative p asks the negated weights: it is
shared by max(-w, 0), and what arrives is positive (`core.sharing` says what this is good for).

*Reference.* Zhang et al., ECCV 2016, eq. 2 and 3, and its supplement for convolutions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node

from phosphene.core.nodes import operation, saved

Signals = Sequence[Tensor]
Hook = Callable[[Signals, Signals], tuple[Tensor | None, ...]]

_SETTINGS = ("stride", "padding", "dilation", "transposed", "output_padding", "groups")
# What their two factors are saved as, and which input the left one is.
PRODUCTS = {
    "Addmm": ("mat1", "mat2", 1),
    "Mm": ("self", "mat2", 0),
    "Bmm": ("self", "mat2", 0),
    "Baddbmm": ("batch1", "batch2", 1),
}


def of_convolution(node: Node, a: Tensor, signed: bool) -> Hook:
    """Return the hook of a convolution, transposed ones too.

    Args:
        node: Its node.
        a: Its input, at least zero.
        signed: Whether p may come with a minus sign, for the negated weights.
    """
    settings = [saved(node, part) for part in _SETTINGS]

    def seen(weight: Tensor) -> Tensor:
        found: Tensor = torch.ops.aten.convolution(a, weight, None, *settings)
        return found

    def sent(q: Tensor, weight: Tensor) -> Tensor:
        asked = [True, False, False]
        found: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
            q, a, weight, None, *settings, asked
        )
        return found[0]

    weight = saved(node, "weight").detach()
    return _excited(a, weight, seen, sent, signed, 0, len(node.next_functions))


def of_product(node: Node, i: int, a: Tensor, signed: bool) -> Hook:
    """Return the hook of a matrix product with weights.

    Args:
        node: Its node.
        i: Which of the node's inputs depends on the image.
        a: That input, at least zero.
        signed: Whether p may come with a minus sign, for the negated weights.
    """
    *names, first = PRODUCTS[operation(node)]
    left = i == first
    weight = saved(node, str(names[1 if left else 0])).detach()
    if hasattr(node, "_saved_alpha"):
        weight = weight * saved(node, "alpha")

    def seen(weight: Tensor) -> Tensor:
        return a @ weight if left else weight @ a

    def sent(q: Tensor, weight: Tensor) -> Tensor:
        return q @ weight.mT if left else weight.mT @ q

    return _excited(a, weight, seen, sent, signed, i, len(node.next_functions))


def _excited(
    a: Tensor,
    weight: Tensor,
    seen: Callable[[Tensor], Tensor],
    sent: Callable[[Tensor, Tensor], Tensor],
    signed: bool,
    i: int,
    count: int,
) -> Hook:
    """Share by the positive weights, and -p by the negative ones, from W a and W^T q."""

    @cache
    def side(sign: int) -> tuple[Tensor, Tensor]:
        half = (sign * weight).clamp(min=0)
        return half, seen(half)

    def half_of(p: Tensor, sign: int) -> Tensor:
        half, total = side(sign)
        return a * sent(over(p, total), half)

    def hook(_: Signals, signals: Signals) -> tuple[Tensor | None, ...]:
        p = signals[0]
        if not signed:
            return put(half_of(p, 1), i, count)
        both = half_of(p.clamp(min=0), 1) + half_of((-p).clamp(min=0), -1)
        return put(both, i, count)

    return hook


def over(p: Tensor, total: Tensor) -> Tensor:
    """Divide p by what excites in total; where nothing does, nothing is passed on."""
    return torch.where(total > torch.finfo(total.dtype).tiny, p / total, 0)


def put(signal: Tensor, i: int, count: int) -> tuple[Any, ...]:
    """Send a signal to one of a node's `count` inputs, and nothing to the others."""
    return (*[None] * i, signal, *[None] * (count - i - 1))
