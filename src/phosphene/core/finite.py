"""Finding where NaN and infinity come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from phosphene.core.record import record
from phosphene.errors import NotFinite


def all_finite(values: Tensor) -> bool:
    """Tell whether there is neither NaN nor infinity among values."""
    # The sum of finite values is finite, unless it overflows, and far cheaper than looking at each.
    return bool(torch.isfinite(values.sum())) or bool(torch.isfinite(values).all())


def check_finite(
    activation: Tensor, module: nn.Module, x: Tensor, run: Callable[[nn.Module, Tensor], Any]
) -> None:
    """Raise if an activation is not finite, naming the layer that began it.

    Args:
        activation: What a layer put out, or a signal that came back.
        module: The network, which is run once more if that is not finite.
        x: Its input.
        run: How to call it.

    Raises:
        NotFinite: With the layer whose weights or output are the first that are not finite.
    """
    if all_finite(activation):
        return
    if not torch.isfinite(x).all():
        raise NotFinite("the image holds NaN or infinite pixels: look at how it was made")
    for name, weight in module.named_parameters():
        if not torch.isfinite(weight).all():
            layer, _, part = name.rpartition(".")
            bad = int((~torch.isfinite(weight)).sum())
            raise NotFinite(
                f"the {part} of layer {layer!r} holds {bad} NaN or infinite values of "
                f"{weight.numel()}: the file is damaged or the training diverged"
            )
    with torch.no_grad():  # the values alone
        _, captures = record(module, x, None, run=run)
    for address, capture in captures.items():
        if capture.value is not None and not torch.isfinite(capture.value).all():
            raise NotFinite(
                f"layer {str(address)!r} is the first to put out NaN or infinity: is the "
                "preprocessing the network's own, and the precision high enough?"
            )
    raise NotFinite(
        "NaN or infinity arises between the network's layers, or on the way back through them"
    )
