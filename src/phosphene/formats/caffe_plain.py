"""Caffe's layers without weights, in the words of PyTorch.

*Pooling* is where the two differ most. Caffe rounds the size of the output up and then drops a
last window that would start beyond the image and its leading padding; `ceil_mode=True` does the
same. An average counts the places of the padding, though not those that rounding up adds beyond
it; `count_include_pad=True` does the same.

*Departures*: with a stride above the kernel's size and no padding, Caffe keeps a last window that
lies wholly outside of the image and fills it with the lowest float; torch drops it.

*Reference*: `pooling_layer.cpp`, `lrn_layer.cpp` and `caffe.proto` of Caffe 1.0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod
from typing import Any

from phosphene.formats.caffe_net import CaffeLayer
from phosphene.formats.caffe_weighted import pair
from phosphene.formats.translation import Size, Translation, alike, cropped, joined

_Rule = Callable[[CaffeLayer, Sequence[Size]], Translation]


def pooling(layer: CaffeLayer, sizes: Sequence[Size]) -> Translation:
    """Translate Pooling: maximum or average, over windows or the whole map."""
    options = layer.options("pooling_param")
    method = options.text("pool", "MAX")
    maximum = method in ("MAX", "0")
    if not maximum and method not in ("AVE", "1"):
        raise layer.error(f"pools by {method}, and only MAX and AVE are supported")
    if len(layer.tops) > 1:
        raise layer.error("writes the places of its maxima, which is not supported")
    channels, *size = sizes[0]
    if options.flag("global_pooling", False):
        kind = "AdaptiveMaxPool2d" if maximum else "AdaptiveAvgPool2d"
        return Translation(kind, {"output_size": 1}, ((channels, 1, 1),))
    kernel, stride = pair(options, "kernel"), pair(options, "stride", 1)
    pad = pair(options, "pad", 0)
    if min(*kernel, *stride) < 1 or min(pad) < 0:
        raise layer.error("has a kernel or stride below 1, or a negative padding")
    if any(2 * p > k for p, k in zip(pad, kernel, strict=True)):
        raise layer.error(
            f"pads by {pad}, more than half of its windows of {kernel}, which is not supported"
        )
    # Later Caffe has round_mode, some of its descendants a flag instead.
    ceil = options.text("round_mode", "CEIL") in ("CEIL", "0") and options.flag("ceil_mode", True)
    height, width = (
        _pooled(n, k, s, p, ceil) for n, k, s, p in zip(size, kernel, stride, pad, strict=True)
    )
    arguments: dict[str, Any] = {
        "kernel_size": kernel, "stride": stride, "padding": pad, "ceil_mode": ceil,
    }  # fmt: skip
    kind = "MaxPool2d" if maximum else "AvgPool2d"
    return Translation(kind, arguments, ((channels, height, width),))


def _pooled(size: int, kernel: int, stride: int, pad: int, ceil: bool) -> int:
    reach = size + 2 * pad - kernel
    count = (-(-reach // stride) if ceil else reach // stride) + 1
    return count - 1 if ceil and (count - 1) * stride >= size + pad else count


def lrn(layer: CaffeLayer, sizes: Sequence[Size]) -> Translation:
    """Translate LRN: `nn.LocalResponseNorm`, or `WithinChannelLRN`, where k is always 1."""
    options = layer.options("lrn_param")
    size = options.whole("local_size", 5)
    if size < 1 or size % 2 == 0:
        raise layer.error(
            f"normalizes over {size} neighbours, and only odd numbers can be centered"
        )
    arguments: dict[str, Any] = {
        "size": size,
        "alpha": options.real("alpha", 1.0),
        "beta": options.real("beta", 0.75),
    }
    if options.text("norm_region", "ACROSS_CHANNELS") in ("WITHIN_CHANNEL", "1"):
        return Translation("WithinChannelLRN", arguments, (sizes[0],))
    arguments["k"] = options.real("k", 1.0)
    return Translation("LocalResponseNorm", arguments, (sizes[0],))


def concat(layer: CaffeLayer, sizes: Sequence[Size]) -> Translation:
    """Translate Concat, along the channels or a direction of the maps."""
    options = layer.options("concat_param")
    axis = _axis(layer, options.whole("axis", options.whole("concat_dim", 1)))
    return joined(sizes, axis, layer.error)


def slices(layer: CaffeLayer, sizes: Sequence[Size]) -> Translation:
    """Translate Slice, at the given points or into equal pieces."""
    options = layer.options("slice_param")
    axis = _axis(layer, options.whole("axis", options.whole("slice_dim", 1)))
    whole, count = sizes[0][axis - 1], len(layer.tops)
    points = options.wholes("slice_point") or tuple(
        whole * piece // count for piece in range(1, count)
    )
    parts = tuple(stop - start for start, stop in pairwise((0, *points, whole)))
    if len(parts) != count or min(parts) < 1:
        raise layer.error(f"cannot cut {whole} into {count} pieces at {points}")
    written = []
    for part in parts:
        size = list(sizes[0])
        size[axis - 1] = part
        written.append((size[0], size[1], size[2]))
    return Translation("Slice", {"sizes": parts, "dim": axis}, tuple(written))


def eltwise(layer: CaffeLayer, sizes: Sequence[Size]) -> Translation:
    """Translate Eltwise: a product, a sum with coefficients or a maximum."""
    options = layer.options("eltwise_param")
    word = options.text("operation", "SUM")
    operation = {"PROD": "prod", "0": "prod", "SUM": "sum", "1": "sum", "MAX": "max", "2": "max"}
    if word not in operation:
        raise layer.error(f"combines by {word}; known are PROD, SUM and MAX")
    size = alike(sizes, "combines", layer.error)
    coefficients = options.reals("coeff") if operation[word] == "sum" else ()
    if coefficients and len(coefficients) != len(sizes):
        raise layer.error(f"has {len(coefficients)} coefficients for {len(sizes)} maps")
    arguments = {"operation": operation[word], "coefficients": coefficients}
    return Translation("Eltwise", arguments, (size,))


def crop(layer: CaffeLayer, sizes: Sequence[Size]) -> Translation:
    """Translate Crop of height and width."""
    options = layer.options("crop_param")
    offset = options.wholes("offset") or (0,)
    if options.whole("axis", 2) not in (2, -2) or len(offset) > 2 or len(sizes) != 2:
        raise layer.error("crops other axes than height and width, which is not supported")
    return cropped(sizes, (offset[0], offset[-1]), layer.error)


def flatten(layer: CaffeLayer, sizes: Sequence[Size]) -> Translation:
    """Translate Flatten of all axes."""
    options = layer.options("flatten_param")
    if options.whole("axis", 1) != 1 or options.whole("end_axis", -1) not in (-1, 3):
        raise layer.error("flattens some axes only, which is not supported")
    return Translation("Flatten", {}, ((prod(sizes[0]), 1, 1),))


def padding(layer: CaffeLayer, sizes: Sequence[Size]) -> Translation:
    """Translate the padding layer of the first generation: `nn.ZeroPad2d`."""
    pad = layer.options("").whole("pad", 0)
    channels, height, width = sizes[0]
    return Translation(
        "ZeroPad2d", {"padding": pad}, ((channels, height + 2 * pad, width + 2 * pad),)
    )


def python(layer: CaffeLayer, sizes: Sequence[Size]) -> Translation:
    """Translate the one Python layer whose meaning is known, padding by zeros; no code is run.

    *Reference*: appendix A of Mahendran's thesis (2018), `PadLayer` with the `param_str`
    `"[top, bottom, left, right]"`, which brings TensorFlow's padding to Caffe.
    """
    options = layer.options("python_param")
    name = options.text("layer", "")
    numbers = re.fullmatch(
        r"\s*\[?\s*(\d+(?:\s*,\s*\d+){3})\s*\]?\s*", options.text("param_str", "")
    )
    if name != "PadLayer" or numbers is None:
        raise layer.error(
            f"is {name or 'unnamed'!r}, Python code that cannot be had from a file; only PadLayer "
            'with a param_str "[top, bottom, left, right]" is known'
        )
    top, bottom, left, right = (int(part) for part in numbers[1].split(","))
    channels, height, width = sizes[0]
    size = (channels, height + top + bottom, width + left + right)
    return Translation("ZeroPad2d", {"padding": (left, right, top, bottom)}, (size,))


def relu(layer: CaffeLayer, sizes: Sequence[Size]) -> Translation:
    """Translate ReLU, which may have a slope on its negative side."""
    slope = layer.options("relu_param").real("negative_slope", 0.0)
    if slope:
        return Translation("LeakyReLU", {"negative_slope": slope}, (sizes[0],))
    return Translation("ReLU", {}, (sizes[0],))


def power(layer: CaffeLayer, sizes: Sequence[Size]) -> Translation:
    """Translate Power: `(shift + scale * x) ** power`."""
    options = layer.options("power_param")
    defaults = {"power": 1.0, "scale": 1.0, "shift": 0.0}
    arguments = {name: options.real(name, value) for name, value in defaults.items()}
    return Translation("Power", arguments, (sizes[0],))


def softmax(layer: CaffeLayer, sizes: Sequence[Size]) -> Translation:
    """Translate Softmax, over the channels unless told otherwise."""
    axis = _axis(layer, layer.options("softmax_param").whole("axis", 1))
    return Translation("Softmax", {"dim": axis}, (sizes[0],))


def dropout(layer: CaffeLayer, sizes: Sequence[Size]) -> Translation:
    """Translate Dropout, which does nothing to a network in use."""
    ratio = layer.options("dropout_param").real("dropout_ratio", 0.5)
    return Translation("Dropout", {"p": ratio}, (sizes[0],))


def elu(layer: CaffeLayer, sizes: Sequence[Size]) -> Translation:
    """Translate ELU."""
    alpha = layer.options("elu_param").real("alpha", 1.0)
    return Translation("ELU", {"alpha": alpha}, (sizes[0],))


def split(layer: CaffeLayer, sizes: Sequence[Size]) -> Translation:
    """Translate Split, by which Caffe gives one blob to several layers."""
    return Translation("Identity", {}, (sizes[0],) * len(layer.tops))


def _as(kind: str) -> _Rule:
    """Make the rule of a layer that has no options."""
    return lambda layer, sizes: Translation(kind, {}, (sizes[0],))


def _axis(layer: CaffeLayer, axis: int) -> int:
    positive = axis + 4 if axis < 0 else axis
    if positive not in (1, 2, 3):
        raise layer.error(f"works along axis {axis}; supported are channels, height and width")
    return positive


PLAIN: dict[str, _Rule] = {
    "AbsVal": _as("Absolute"),
    "BNLL": _as("Softplus"),
    "Concat": concat,
    "Crop": crop,
    "Dropout": dropout,
    "ELU": elu,
    "Eltwise": eltwise,
    "Flatten": flatten,
    "LRN": lrn,
    "Padding": padding,
    "Pooling": pooling,
    "Power": power,
    "Python": python,
    "ReLU": relu,
    "ReLU6": _as("ReLU6"),
    "Sigmoid": _as("Sigmoid"),
    "Slice": slices,
    "Softmax": softmax,
    "Split": split,
    "TanH": _as("Tanh"),
}
"""The layers without weights, by Caffe's name of their type."""
