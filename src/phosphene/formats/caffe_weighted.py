"""Caffe's layers with weights, in the words of PyTorch.

Each function takes one layer of the description, the sizes of the maps it reads and its blobs from
the weights' file, and says which module it is. Convolution weights are (out, in / groups, h, w)
in both; those of InnerProduct are (out, c*h*w), a kernel of the size of its map, flattened.
Deconvolution's are (in, out / groups, h, w) in both. BatchNorm stores *sums* of mean and variance
and in a third blob what to divide them by.

*Reference*: the `layers/*.cpp` of Caffe 1.0 and `caffe.proto` for the defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phosphene.formats.caffe_net import CaffeLayer
from phosphene.formats.message import Message
from phosphene.formats.translation import Size, Translation

Blobs = Sequence[NDArray[np.float32]]


def pair(options: Message, name: str, default: int | None = None) -> tuple[int, int]:
    """Read a (vertical, horizontal) option in any of its spellings.

    Args:
        options: The layer's options.
        name: `"kernel"`, `"stride"`, `"pad"` or `"dilation"`. Given once or twice under the name
            itself (the kernel under `kernel_size`), or as `name_h` and `name_w`.
        default: What it is where nothing is given; without it, that is an error.
    """
    whole = "kernel_size" if name == "kernel" else name
    given = options.wholes(whole) or (options.wholes("kernelsize") if name == "kernel" else ())
    if f"{name}_h" in options or f"{name}_w" in options:
        return options.whole(f"{name}_h", default), options.whole(f"{name}_w", default)
    if not given:
        value = options.whole(whole, default)
        return value, value
    return given[0], given[-1]


def convolution(layer: CaffeLayer, sizes: Sequence[Size], blobs: Blobs) -> Translation:
    """Translate Convolution: `nn.Conv2d`."""
    return _sliding(layer, sizes[0], blobs, transposed=False)


def deconvolution(layer: CaffeLayer, sizes: Sequence[Size], blobs: Blobs) -> Translation:
    """Translate Deconvolution: `nn.ConvTranspose2d`."""
    return _sliding(layer, sizes[0], blobs, transposed=True)


def _sliding(layer: CaffeLayer, size: Size, blobs: Blobs, transposed: bool) -> Translation:
    options = layer.options("convolution_param")
    kernel, stride, pad, dilation, groups, outputs = _geometry(layer, options, size)
    channels, bias = size[0], _has_bias(options)
    first, second = (channels, outputs) if transposed else (outputs, channels)
    expected = [(first, second // groups, *kernel), (outputs,)]
    weights = checked(layer, blobs, expected[: 1 + bias])
    geometry = zip(size[1:], kernel, stride, pad, dilation, strict=True)
    height, width = (
        s * (n - 1) + d * (k - 1) + 1 - 2 * p
        if transposed
        else (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in geometry
    )
    arguments = {
        "in_channels": channels, "out_channels": outputs, "kernel_size": kernel, "stride": stride,
        "padding": pad, "dilation": dilation, "groups": groups, "bias": bias,
    }  # fmt: skip
    kind = "ConvTranspose2d" if transposed else "Conv2d"
    return Translation(kind, arguments, ((outputs, height, width),), _named(weights))


def inner_product(layer: CaffeLayer, sizes: Sequence[Size], blobs: Blobs) -> Translation:
    """Translate InnerProduct: `FullyConnected`, its kernel the map that it is declared on."""
    options = layer.options("inner_product_param")
    if options.whole("axis", 1) != 1:
        raise layer.error(f"has axis {options.whole('axis')}, and only 1 is supported")
    outputs, bias = options.whole("num_output"), _has_bias(options)
    inputs = prod(sizes[0])
    transposed = options.flag("transpose", False)
    expected = [(inputs, outputs) if transposed else (outputs, inputs), (outputs,)]
    weights = checked(layer, blobs, expected[: 1 + bias])
    weights[0] = (weights[0].T if transposed else weights[0]).reshape(outputs, *sizes[0])
    arguments = {
        "in_channels": sizes[0][0], "out_channels": outputs, "kernel_size": sizes[0][1:],
        "bias": bias,
    }  # fmt: skip
    return Translation("FullyConnected", arguments, ((outputs, 1, 1),), _named(weights))


def batch_norm(layer: CaffeLayer, sizes: Sequence[Size], blobs: Blobs) -> Translation:
    """Translate BatchNorm: `nn.BatchNorm2d` with the statistics of training and nothing learned."""
    channels = sizes[0][0]
    mean, variance, factor = checked(layer, blobs, [(channels,), (channels,), (1,)])
    # Caffe takes a factor of 0, of a network never trained, to mean that all statistics are 0.
    scale = np.float32(0 if factor[0] == 0 else 1 / factor[0])
    arguments = {
        "num_features": channels, "affine": False,
        "eps": layer.options("batch_norm_param").real("eps", 1e-5),
    }  # fmt: skip
    statistics = {"running_mean": mean * scale, "running_var": variance * scale}
    return Translation("BatchNorm2d", arguments, (sizes[0],), statistics)


def scale(layer: CaffeLayer, sizes: Sequence[Size], blobs: Blobs) -> Translation:
    """Translate Scale with weights of its own: a factor, perhaps an offset, for each channel."""
    options = layer.options("scale_param")
    if len(layer.bottoms) > 1 or options.whole("axis", 1) != 1 or options.whole("num_axes", 1) != 1:
        raise layer.error(
            "scales by another blob or over other axes than the channels, which is not supported"
        )
    channels, bias = sizes[0][0], options.flag("bias_term", False)
    weights = checked(layer, blobs, [(channels,), (channels,)][: 1 + bias])
    arguments = {"channels": channels, "bias": bias}
    return Translation("Scale", arguments, (sizes[0],), _named(weights))


def prelu(layer: CaffeLayer, sizes: Sequence[Size], blobs: Blobs) -> Translation:
    """Translate PReLU: `nn.PReLU`."""
    shared = layer.options("prelu_param").flag("channel_shared", False)
    channels = 1 if shared else sizes[0][0]
    # A shared slope is a blob without axes, read as one number.
    weights = checked(layer, blobs, [(channels,)])
    return Translation("PReLU", {"num_parameters": channels}, (sizes[0],), _named(weights))


def checked(
    layer: CaffeLayer, blobs: Blobs, expected: Sequence[tuple[int, ...]]
) -> list[NDArray[np.float32]]:
    """Return a layer's blobs in the shapes that its description asks for.

    Blobs from before 2015 have four axes, the superfluous ones in front and of size 1.

    Raises:
        FormatError: Their number or a shape differs.
    """
    if len(blobs) != len(expected):
        raise layer.error(
            f"needs {len(expected)} blobs of weights, but the .caffemodel holds {len(blobs)}; the "
            f"two files belong to different networks"
        )
    result = []
    for blob, shape in zip(blobs, expected, strict=True):
        padded = (1,) * (blob.ndim - len(shape)) + shape
        if blob.shape != padded and (blob.shape, shape) != ((), (1,)):
            raise layer.error(
                f"needs weights of shape {shape}, but the .caffemodel holds {blob.shape}; the two "
                f"files belong to different networks"
            )
        result.append(blob.reshape(shape))
    return result


def _geometry(
    layer: CaffeLayer, options: Message, size: Size
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int], int, int]:
    if options.whole("axis", 1) != 1:
        raise layer.error(f"has axis {options.whole('axis')}, and only 1 is supported")
    kernel, stride = pair(options, "kernel"), pair(options, "stride", 1)
    pad, dilation = pair(options, "pad", 0), pair(options, "dilation", 1)
    groups, outputs = options.whole("group", 1), options.whole("num_output")
    if min(*kernel, *stride, *dilation, groups, outputs) < 1 or min(pad) < 0:
        raise layer.error("has a kernel, stride, dilation, group or output count below 1")
    if size[0] % groups or outputs % groups:
        raise layer.error(
            f"cannot split {size[0]} channels in and {outputs} out into {groups} groups"
        )
    return kernel, stride, pad, dilation, groups, outputs


def _has_bias(options: Message) -> bool:
    return options.flag("bias_term", options.flag("biasterm", True))


def _named(weights: Sequence[NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
    return dict(zip(("weight", "bias"), weights, strict=False))


WEIGHTED: dict[str, Callable[[CaffeLayer, Sequence[Size], Blobs], Translation]] = {
    "BatchNorm": batch_norm,
    "Convolution": convolution,
    "Deconvolution": deconvolution,
    "InnerProduct": inner_product,
    "PReLU": prelu,
    "Scale": scale,
}
"""The layers with weights, by Caffe's name of their type."""
