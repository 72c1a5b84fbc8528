"""MatConvNet's layers with weights, in the words of PyTorch.

Filters are (h, w, in / groups, out) and slide without being flipped, so that only the axes change
places: (out, in / groups, h, w). Nothing says how many groups there are but the number of channels
that the filters miss. A convolution whose kernel covers its whole map is what MatConvNet calls
fully connected, and becomes `FullyConnected`.

Batch normalization keeps (mean, sigma) of each channel, where sigma = sqrt(variance + epsilon)
already: the variance is taken to be sigma squared and epsilon 0, which is the same number.

*Reference*: `vl_nnconv.m`, `vl_nnconvt.m` and `vl_nnbnorm.m` of MatConvNet 1.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phosphene.formats.matconvnet_net import MatLayer
from phosphene.formats.translation import Size, Translation

Translations = tuple[Translation, ...]
"""What becomes of one layer: modules that run one after the other."""


def convolution(layer: MatLayer, sizes: Sequence[Size]) -> Translations:
    """Translate conv: `nn.Conv2d` or `FullyConnected`, `nn.ZeroPad2d` in front if need be."""
    channels, height, width = sizes[0]
    filters = _filters(layer)
    outputs, depth, *kernel = filters.shape
    if channels % depth or outputs % (channels // depth):
        raise layer.error(
            f"has {outputs} filters of {depth} channels, and cannot run on a map of {channels}: "
            f"the number of channels has to be a multiple, and that of filters a multiple of its "
            f"groups"
        )
    blobs = {"weight": filters} | _bias(layer, outputs)
    stride, dilation = pair(layer, "stride"), pair(layer, "dilate")
    top, bottom, left, right = borders(layer, "pad")
    padded = (height + top + bottom, width + left + right)
    size = tuple(
        (n - d * (k - 1) - 1) // s + 1
        for n, k, s, d in zip(padded, kernel, stride, dilation, strict=True)
    )
    groups, written = channels // depth, (outputs, size[0], size[1])
    arguments: dict[str, Any] = {
        "in_channels": channels, "out_channels": outputs, "kernel_size": tuple(kernel),
        "bias": "bias" in blobs,
    }  # fmt: skip
    if tuple(kernel) == (height, width) == padded and groups == 1 and dilation == (1, 1):
        return (Translation("FullyConnected", arguments, (written,), blobs),)
    arguments |= {"stride": stride, "dilation": dilation, "groups": groups}
    if (top, left) == (bottom, right):
        arguments["padding"] = (top, left)
        return (Translation("Conv2d", arguments, (written,), blobs),)
    border = Translation(
        "ZeroPad2d", {"padding": (left, right, top, bottom)}, ((channels, *padded),)
    )
    return border, Translation("Conv2d", arguments, (written,), blobs)


def transposed(layer: MatLayer, sizes: Sequence[Size]) -> Translations:
    """Translate convt: `nn.ConvTranspose2d`, `nn.ZeroPad2d` behind it cutting uneven crops."""
    channels, height, width = sizes[0]
    filters = _filters(layer)
    depth, per_group, *kernel = filters.shape
    groups = layer.options.wholes("numGroups", (1,))[0]
    if depth != channels or groups < 1 or channels % groups:
        raise layer.error(
            f"has filters of {depth} channels in {groups} groups, and cannot run on a map of "
            f"{channels}"
        )
    outputs = per_group * groups
    blobs = {"weight": filters} | _bias(layer, outputs)
    stride = pair(layer, "upsample")
    top, bottom, left, right = borders(layer, "crop")
    even = (min(top, bottom), min(left, right))
    whole = tuple(
        s * (n - 1) + k - 2 * c
        for n, k, s, c in zip((height, width), kernel, stride, even, strict=True)
    )
    arguments = {
        "in_channels": channels, "out_channels": outputs, "kernel_size": tuple(kernel),
        "stride": stride, "padding": even, "groups": groups, "bias": "bias" in blobs,
    }  # fmt: skip
    size = (outputs, whole[0], whole[1])
    up = Translation("ConvTranspose2d", arguments, (size,), blobs)
    rest = (even[1] - left, even[1] - right, even[0] - top, even[0] - bottom)
    if not any(rest):
        return (up,)
    cut = (outputs, whole[0] + rest[2] + rest[3], whole[1] + rest[0] + rest[1])
    return up, Translation("ZeroPad2d", {"padding": rest}, (cut,))


def batch_norm(layer: MatLayer, sizes: Sequence[Size]) -> Translations:
    """Translate bnorm: `nn.BatchNorm2d` with the statistics of training."""
    channels = sizes[0][0]
    if len(layer.weights) < 3:
        raise layer.error(
            f"needs multipliers, biases and moments, but the file holds {len(layer.weights)} "
            f"arrays; networks saved before moments were kept cannot run on single images"
        )
    multipliers, biases = _per_channel(layer, 0, channels), _per_channel(layer, 1, channels)
    moments = layer.weights[2]
    if moments.shape != (channels, 2):
        raise layer.error(f"needs moments of shape ({channels}, 2), but holds {moments.shape}")
    blobs = {
        "weight": multipliers, "bias": biases, "running_mean": moments[:, 0],
        "running_var": np.square(moments[:, 1], dtype=np.float64),
    }  # fmt: skip
    arguments = {"num_features": channels, "eps": 0.0}
    return (Translation("BatchNorm2d", arguments, (sizes[0],), blobs),)


def scale(layer: MatLayer, sizes: Sequence[Size]) -> Translations:
    """Translate dagnn.Scale: a factor, perhaps an offset, for each channel."""
    if len(sizes) > 1 or not layer.weights:
        raise layer.error("scales by another variable, which is not supported")
    channels = sizes[0][0]
    blobs = {"weight": _per_channel(layer, 0, channels)} | _bias(layer, channels)
    arguments = {"channels": channels, "bias": "bias" in blobs}
    return (Translation("Scale", arguments, (sizes[0],), blobs),)


def pair(layer: MatLayer, name: str, default: int | None = 1) -> tuple[int, int]:
    """Read a (vertical, horizontal) option, given once or twice."""
    given = layer.options.wholes(name, () if default is None else (default,))
    if len(given) not in (1, 2) or min(given) < 1:
        raise layer.error(f"has {given} as its {name}; one or two numbers from 1 on are needed")
    return given[0], given[-1]


def borders(layer: MatLayer, name: str) -> tuple[int, int, int, int]:
    """Read [top bottom left right], also where it is given once, or as [vertical horizontal]."""
    given = layer.options.wholes(name, (0,))
    if len(given) not in (1, 2, 4) or min(given) < 0:
        raise layer.error(
            f"has {given} as its {name}; one, two or four numbers are needed, none below 0"
        )
    top, bottom, left, right = given if len(given) == 4 else (given[0],) * 2 + (given[-1],) * 2
    return top, bottom, left, right


def _filters(layer: MatLayer) -> NDArray[Any]:
    """Return a layer's filters with PyTorch's order of axes."""
    filters = layer.weights[0] if layer.weights else np.empty(0)
    if not filters.size or filters.ndim > 4:
        raise layer.error(
            f"needs filters of shape (height, width, channels, filters), but holds "
            f"{filters.shape if filters.size else 'none'}"
        )
    return filters.reshape(filters.shape + (1,) * (4 - filters.ndim)).transpose(3, 2, 0, 1)


def _bias(layer: MatLayer, outputs: int) -> dict[str, NDArray[Any]]:
    """Return a layer's biases by their name; an empty array says that there are none."""
    if len(layer.weights) < 2 or not layer.weights[1].size:
        return {}
    return {"bias": _per_channel(layer, 1, outputs)}


def _per_channel(layer: MatLayer, index: int, channels: int) -> NDArray[Any]:
    """Return one number a channel, however the file lays them out."""
    numbers = layer.weights[index]
    if numbers.size != channels:
        raise layer.error(
            f"needs {channels} numbers as its weights {index + 1}, one a channel, but holds an "
            f"array of shape {numbers.shape}"
        )
    return numbers.ravel("F")
