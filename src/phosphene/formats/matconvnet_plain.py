"""MatConvNet's layers without weights, in the words of PyTorch.

*Pooling* pads by [top bottom left right] and rounds down, floor((n + p1 + p2 - k) / s) + 1: a
maximum ignores the padding, an average is over the places of the map alone. Networks from Caffe,
which rounds up, have more padding at the end than at the beginning; wherever that is exactly
what `ceil_mode` does for maps of any size, it becomes that. What PyTorch's own layers cannot do
becomes `PaddedMaxPool2d` or `PaddedAvgPool2d`.

*Local response normalization* has [N kappa alpha beta] and does not divide alpha by N, as PyTorch
does. With an even N the two lean to different sides, so that is refused.

*Reference*: `vl_nnpool.m`, `vl_nnnormalize.m` and `pooling_cpu.cpp` of MatConvNet 1.0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from phosphene.formats.matconvnet_net import MatLayer
from phosphene.formats.matconvnet_weighted import (
    Translations,
    batch_norm,
    borders,
    convolution,
    pair,
    scale,
    transposed,
)
from phosphene.formats.translation import Size, Translation, alike, cropped, joined


def pooling(layer: MatLayer, sizes: Sequence[Size]) -> Translations:
    """Translate pool: maximum or average."""
    method = layer.options.text("method", "max")
    if method not in ("max", "avg"):
        raise layer.error(f"pools by {method!r}, and only 'max' and 'avg' are supported")
    # SimpleNN says `pool`, DagNN `poolSize`.
    field = "pool" if "pool" in layer.options else "poolSize"
    kernel, stride = pair(layer, field, None), pair(layer, "stride")
    top, bottom, left, right = borders(layer, "pad")
    if max(top, bottom) >= kernel[0] or max(left, right) >= kernel[1]:
        raise layer.error(
            f"pads by {(top, bottom, left, right)}, which has to be less than its windows of "
            f"{kernel[0]}x{kernel[1]}"
        )
    channels, height, width = sizes[0]
    written = (
        channels,
        (height + top + bottom - kernel[0]) // stride[0] + 1,
        (width + left + right - kernel[1]) // stride[1] + 1,
    )
    arguments: dict[str, Any] = {"kernel_size": kernel, "stride": stride}
    excess = (bottom - top, right - left)
    floor, ceil = excess == (0, 0), excess == (stride[0] - 1, stride[1] - 1)
    if (floor or ceil) and 2 * top <= kernel[0] and 2 * left <= kernel[1]:
        arguments |= {"padding": (top, left), "ceil_mode": not floor}
        if method == "avg":
            arguments["count_include_pad"] = False
        kind = "MaxPool2d" if method == "max" else "AvgPool2d"
    else:
        arguments["padding"] = (left, right, top, bottom)
        kind = "PaddedMaxPool2d" if method == "max" else "PaddedAvgPool2d"
    return (Translation(kind, arguments, (written,)),)


def lrn(layer: MatLayer, sizes: Sequence[Size]) -> Translations:
    """Translate lrn: `nn.LocalResponseNorm`."""
    param = layer.options.reals("param", (5, 1, 0.0001 / 5, 0.75))
    if len(param) != 4:
        raise layer.error(f"has {param} as its param; [N kappa alpha beta] is needed")
    size, kappa, alpha, beta = param
    if size < 1 or size % 2 != 1:
        raise layer.error(
            f"normalizes over {size:g} channels, and only odd numbers can be centered"
        )
    arguments = {"size": int(size), "alpha": alpha * size, "beta": beta, "k": kappa}
    return (Translation("LocalResponseNorm", arguments, (sizes[0],)),)


def relu(layer: MatLayer, sizes: Sequence[Size]) -> Translations:
    """Translate relu, which may leak on its negative side."""
    leak = layer.options.reals("leak", (0.0,))[0]
    if leak:
        return (Translation("LeakyReLU", {"negative_slope": leak}, (sizes[0],)),)
    return (Translation("ReLU", {}, (sizes[0],)),)


def sigmoid(layer: MatLayer, sizes: Sequence[Size]) -> Translations:
    """Translate sigmoid."""
    return (Translation("Sigmoid", {}, (sizes[0],)),)


def softmax(layer: MatLayer, sizes: Sequence[Size]) -> Translations:
    """Translate softmax, which is over the channels."""
    return (Translation("Softmax", {"dim": 1}, (sizes[0],)),)


def dropout(layer: MatLayer, sizes: Sequence[Size]) -> Translations:
    """Translate dropout, which does nothing to a network in use."""
    rate = layer.options.reals("rate", (0.5,))[0]
    if not 0 <= rate <= 1:
        raise layer.error(f"has a rate of {rate:g}, which has to be from 0 to 1")
    return (Translation("Dropout", {"p": rate}, (sizes[0],)),)


def concat(layer: MatLayer, sizes: Sequence[Size]) -> Translations:
    """Translate concat, along MATLAB's third axis, the channels, or a direction of the maps."""
    dim = layer.options.wholes("dim", (3,))[0]
    if dim not in (1, 2, 3):
        raise layer.error(f"joins along axis {dim}; supported are 1, 2 and 3 (the channels)")
    # MATLAB's height, width, channels are PyTorch's 2, 3, 1.
    axis = {1: 2, 2: 3, 3: 1}[dim]
    return (joined(sizes, axis, layer.error),)


def total(layer: MatLayer, sizes: Sequence[Size]) -> Translations:
    """Translate sum."""
    size = alike(sizes, "adds", layer.error)
    return (Translation("Eltwise", {"operation": "sum"}, (size,)),)


def crop(layer: MatLayer, sizes: Sequence[Size]) -> Translations:
    """Translate dagnn.Crop: the first map to the size of the second."""
    offset = layer.options.wholes("crop", (0, 0))
    if len(sizes) != 2:
        raise layer.error(f"reads {len(sizes)} variables, and needs two")
    return (cropped(sizes, (offset[0], offset[-1]), layer.error),)


RULES: dict[str, Callable[[MatLayer, Sequence[Size]], Translations]] = {
    "bnorm": batch_norm,
    "concat": concat,
    "conv": convolution,
    "convt": transposed,
    "crop": crop,
    "dropout": dropout,
    "lrn": lrn,
    "pool": pooling,
    "relu": relu,
    "scale": scale,
    "sigmoid": sigmoid,
    "softmax": softmax,
    "sum": total,
}
"""All layers, by SimpleNN's name of their type."""
