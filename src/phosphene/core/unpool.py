"""Unpooling to the centre: max-pooling reversed without switches.

Each output goes to one site of its window, the 0-based (k - 1) // 2 along each axis, counted on
the padded input. What falls on the padding, or behind the end of the input where the last window
is cut off (ceil mode), is lost. Where windows of an adaptive pool overlap so far that two share a
site, their signals add.

*Reference.* Mahendran & Vedaldi, ECCV 2016, section 2.2 ("unpool to the center").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.autograd.graph import Node

from phosphene.core.nodes import reduced_sizes, saved, shape_of
from phosphene.errors import ReversalError

Hook = Callable[[Sequence[Tensor], Sequence[Tensor]], tuple[Tensor]]


def unpool_to_centre(node: Node) -> Hook:
    """Return the hook that reverses one max-pooling node.

    Args:
        node: A node of the kind `pool`.

    Returns:
        A hook from (what the node computed, the signal on its output) to the signal on its input.

    Raises:
        ReversalError: The pool draws its windows at random, so that they have no centre.
    """
    sites = _sites(node)
    squeezed = hasattr(node, "_saved_keepdim") and not saved(node, "keepdim")

    def hook(computed: Sequence[Tensor], signals: Sequence[Tensor]) -> tuple[Tensor]:
        signal, image = signals[0], computed[0]
        if squeezed:
            for dim in sorted(sites):
                signal = signal.unsqueeze(dim % image.dim())
        for dim, index in sites.items():
            size = image.shape[dim]
            index = index.to(signal.device)
            if (outside := (index < 0) | (index >= size)).any():
                inside = (~outside).nonzero().flatten()
                signal, index = signal.index_select(dim, inside), index[inside]
            shape = list(signal.shape)
            shape[dim] = size
            signal = signal.new_zeros(shape).index_add(dim, index, signal)
        return (signal,)

    return hook


def _sites(node: Node) -> dict[int, Tensor]:
    """Return, by pooled axis (counted from the back), the input index of every output."""
    name = node.name()
    outputs = shape_of(node)
    if name.startswith("AdaptiveMaxPool"):
        inputs = saved(node, "self").shape
        axes = range(-int(name[len("AdaptiveMaxPool")]), 0)
        return {axis: _adaptive(int(inputs[axis]), outputs[axis]) for axis in axes}
    if name.startswith(("MaxPool", "MkldnnMaxPool")):
        kernel, padding, dilation = (
            saved(node, part) for part in ("kernel_size", "padding", "dilation")
        )
        stride = saved(node, "stride") or kernel
        return {
            axis: torch.arange(outputs[axis]) * stride[axis]
            - padding[axis]
            + (kernel[axis] - 1) // 2 * dilation[axis]
            for axis in range(-len(kernel), 0)
        }
    if name in ("AmaxBackward0", "MaxBackward0"):
        sizes = reduced_sizes(node)
        return {axis: torch.tensor([(size - 1) // 2]) for axis, size in sizes.items()}
    raise ReversalError(
        f"{name.removesuffix('Backward0')} has no centre to unpool to: choose pool='switches'"
    )


def _adaptive(inputs: int, outputs: int) -> Tensor:
    index = torch.arange(outputs)
    start = index * inputs // outputs
    end = -(-(index + 1) * inputs // outputs)
    return start + (end - start - 1) // 2
