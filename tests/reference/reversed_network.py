"""The reversed network of the papers, slow and literal, to check the fast one against.

Numpy, float64, loops; no autograd and no torch. A chain network is described by a list of layer
values; :func:`forward` keeps everything each layer saw, and :func:`reverse` walks the list
backwards, layer by layer, as Mahendran and Vedaldi draw it (*Salient Deconvolutional Networks*,
figure 2).

Each layer has one reverse, or a choice of reverses:

- convolution and fully connected: the transpose of the matrix, no bias (equation 6);
- ReLU (equations 7 and 10, section 2.2), x the pre-activation, y the signal from above:
  ``identity`` y; ``rectify`` max(y, 0); ``mask`` y [x > 0]; ``mask+rectify`` max(y, 0) [x > 0];
- max-pooling: ``switches`` sends y to the site of the maximum, sites reached twice add (equation
  9); ``centre`` sends y to the 0-based site (k - 1) // 2 of its window, whatever was there. What
  falls on the padding, or beyond the image in ceil mode, is cut away; overlapping windows add;
- local response normalization: ``backprop`` its derivative, or ``identity``.

Arrays are ``(b, c, h, w)``, or ``(b, n)`` behind a fully connected layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Switches = npt.NDArray[np.int64]
Window = tuple[int, int]
Pad = int | tuple[int, int, int, int]
"""Zeros (conv) or -inf (max-pool) around the input: one number, or (top, bottom, left, right)."""

RELU = ("identity", "rectify", "mask", "mask+rectify")
POOL = ("switches", "centre")
LRN_RULES = ("backprop", "identity")
SETTINGS: tuple[tuple[str, str, str], ...] = tuple(product(RELU, POOL, LRN_RULES))
"""All sixteen (relu, pool, lrn)."""


@dataclass(frozen=True, eq=False)
class Conv:
    """Correlation (no flip) with `weight` (c_out, c_in / groups, kh, kw)."""

    weight: Array
    bias: Array | None = None
    stride: int = 1
    pad: Pad = 0
    groups: int = 1
    dilation: int = 1


@dataclass(frozen=True)
class Relu:
    """max(x, 0)."""


@dataclass(frozen=True)
class MaxPool:
    """Maximum over a square window; `ceil` keeps a last, incomplete window, as torch does."""

    kernel: int
    stride: int
    pad: Pad = 0
    ceil: bool = False


@dataclass(frozen=True)
class AdaptiveMaxPool:
    """Maximum over torch's adaptive windows floor(i n / size) ... ceil((i + 1) n / size)."""

    size: int


@dataclass(frozen=True)
class LRN:
    """x (k + alpha/size * sum of x^2 over `size` channels)^-beta, as torch and Caffe."""

    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0


@dataclass(frozen=True, eq=False)
class FullyConnected:
    """`weight` (n_out, n_in) times the flattened input."""

    weight: Array
    bias: Array | None = None


@dataclass(frozen=True)
class AvgPool:
    """Mean over a square window, no padding."""

    kernel: int
    stride: int


@dataclass(frozen=True)
class GlobalMean:
    """Mean over all positions; the output keeps (b, c, 1, 1)."""


Pool = MaxPool | AdaptiveMaxPool
Layer = Conv | Relu | MaxPool | AdaptiveMaxPool | LRN | FullyConnected | AvgPool | GlobalMean


@dataclass(frozen=True, eq=False)
class Record:
    """What every layer saw: `inputs[i]`, `outputs[i]`, `switches[i]` (max-pool only, else None).

    A switch is the row-major index ``row * w + column`` of the maximum in the layer's input plane.
    """

    inputs: list[Array]
    outputs: list[Array]
    switches: list[Switches | None]

    @property
    def output(self) -> Array:
        """The output of the last layer."""
        return self.outputs[-1]


def forward(layers: Sequence[Layer], x: Array) -> Record:
    """Run the chain on x (b, c, h, w) and keep every step."""
    record = Record([], [], [])
    x = np.asarray(x, dtype=np.float64)
    for layer in layers:
        y, switches = _forward_layer(layer, x)
        record.inputs.append(x)
        record.outputs.append(y)
        record.switches.append(switches)
        x = y
    return record


def reverse(
    layers: Sequence[Layer],
    record: Record,
    p: Array,
    *,
    relu: str = "mask",
    pool: str = "switches",
    lrn: str = "backprop",
    to: int | None = None,
) -> list[Array]:
    """Send the seed p, shaped as the output of the last of `layers`, back through the chain.

    Returns the backward signals at the INPUT of each layer: ``signals[i]`` belongs to ``layers[i]``
    and has the shape of its input; ``signals[0]`` is the signal at the image. With `to`, stop at
    the input of ``layers[to]``: the list then covers ``layers[to:]``. To start from an inner layer
    pass the first n layers, ``reverse(layers[:n], record, p)``; the record may be longer.
    """
    if relu not in RELU or pool not in POOL or lrn not in LRN_RULES:
        raise ValueError(f"unknown rule: relu={relu!r}, pool={pool!r}, lrn={lrn!r}")
    y = np.asarray(p, dtype=np.float64)
    if y.shape != record.outputs[len(layers) - 1].shape:
        raise ValueError(f"seed {y.shape}, output {record.outputs[len(layers) - 1].shape}")
    signals: list[Array] = []
    for i in reversed(range(to or 0, len(layers))):
        x, layer = record.inputs[i], layers[i]
        match layer:
            case Relu():
                y = reverse_relu(x, y, relu)
            case MaxPool() | AdaptiveMaxPool() if pool == "centre":
                y = unpool_to_centre(layer, x.shape, y)
            case MaxPool() | AdaptiveMaxPool():
                switches = record.switches[i]
                assert switches is not None
                y = unpool_by_switches(x.shape, switches, y)
            case LRN():
                y = reverse_lrn(layer, x, y) if lrn == "backprop" else y
            case Conv():
                y = reverse_conv(layer, x.shape, y)
            case FullyConnected():
                y = (y @ layer.weight).reshape(x.shape)
            case AvgPool():
                y = _reverse_average(layer, x.shape, y)
            case GlobalMean():
                y = np.broadcast_to(y, x.shape) / (x.shape[2] * x.shape[3])
        signals.append(y)
    return signals[::-1]


def _forward_layer(layer: Layer, x: Array) -> tuple[Array, Switches | None]:
    match layer:
        case Conv():
            return forward_conv(layer, x), None
        case Relu():
            return np.maximum(x, 0.0), None
        case MaxPool() | AdaptiveMaxPool():
            return forward_max_pool(layer, x)
        case LRN():
            return x * lrn_denominator(layer, x) ** -layer.beta, None
        case FullyConnected():
            y = x.reshape(len(x), -1) @ layer.weight.T
            return (y if layer.bias is None else y + layer.bias), None
        case AvgPool():
            return _forward_average(layer, x), None
        case GlobalMean():
            return x.mean(axis=(2, 3), keepdims=True), None


# Convolution


def forward_conv(layer: Conv, x: Array) -> Array:
    """y[o,i,j] = sum over c,u,v of F[o,c,u,v] x[c, i s + u d - top, j s + v d - left] + bias[o]."""
    padded = _pad(x, layer.pad)
    outputs, _, kernel_h, kernel_w = layer.weight.shape
    size = _conv_size(layer, padded.shape)
    y = np.zeros((len(x), outputs, *size))
    for into, source in _groups(layer, x.shape[1]):
        for u, v in product(range(kernel_h), range(kernel_w)):
            rows, columns = _taps(layer, u, size[0]), _taps(layer, v, size[1])
            filters = layer.weight[into, :, u, v]
            seen = padded[:, source, rows, columns]
            y[:, into] += np.einsum("oc,bchw->bohw", filters, seen)
    return y if layer.bias is None else y + layer.bias[None, :, None, None]


def reverse_conv(layer: Conv, shape: tuple[int, ...], y: Array) -> Array:
    """Transposed convolution: each output puts its filter, times its value, where it had looked."""
    top, bottom, left, right = _sides(layer.pad)
    b, c, h, w = shape
    padded = np.zeros((b, c, top + h + bottom, left + w + right))
    _, _, kernel_h, kernel_w = layer.weight.shape
    size = (y.shape[2], y.shape[3])
    for into, source in _groups(layer, c):
        for u, v in product(range(kernel_h), range(kernel_w)):
            rows, columns = _taps(layer, u, size[0]), _taps(layer, v, size[1])
            filters = layer.weight[into, :, u, v]
            padded[:, source, rows, columns] += np.einsum("oc,bohw->bchw", filters, y[:, into])
    return padded[:, :, top : top + h, left : left + w]


def _groups(layer: Conv, channels: int) -> Iterator[tuple[slice, slice]]:
    """(output channels, input channels) of each group."""
    n_out, n_in = len(layer.weight) // layer.groups, channels // layer.groups
    for g in range(layer.groups):
        yield slice(g * n_out, (g + 1) * n_out), slice(g * n_in, (g + 1) * n_in)


def _taps(layer: Conv, offset: int, outputs: int) -> slice:
    """The padded rows (or columns) that one tap of the filter meets, one for each output."""
    start = offset * layer.dilation
    return slice(start, start + (outputs - 1) * layer.stride + 1, layer.stride)


def _conv_size(layer: Conv, padded: tuple[int, ...]) -> tuple[int, int]:
    kernel_h, kernel_w = layer.weight.shape[2:]
    return (
        (padded[2] - layer.dilation * (kernel_h - 1) - 1) // layer.stride + 1,
        (padded[3] - layer.dilation * (kernel_w - 1) - 1) // layer.stride + 1,
    )


def _sides(pad: Pad) -> tuple[int, int, int, int]:
    return (pad, pad, pad, pad) if isinstance(pad, int) else pad


def _pad(x: Array, pad: Pad) -> Array:
    top, bottom, left, right = _sides(pad)
    return np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))


# ReLU


def reverse_relu(x: Array, y: Array, rule: str) -> Array:
    """The four reverses of max(x, 0); the mask is strict, x > 0."""
    mask = np.where(x > 0, 1.0, 0.0)
    match rule:
        case "identity":
            return y
        case "rectify":
            return np.maximum(y, 0.0)
        case "mask":
            return y * mask
        case "mask+rectify":
            return np.maximum(y, 0.0) * mask
    raise ValueError(rule)


# Max-pooling


def windows(layer: Pool, h: int, w: int) -> tuple[list[Window], list[Window]]:
    """The [start, stop) rows and columns of each output, in input coordinates.

    They may begin before 0 (padding) and end beyond the image (padding, ceil mode).
    """
    if isinstance(layer, AdaptiveMaxPool):
        return _adaptive_windows(layer.size, h), _adaptive_windows(layer.size, w)
    top, bottom, left, right = _sides(layer.pad)
    return _plain_windows(layer, h, top, bottom), _plain_windows(layer, w, left, right)


def _plain_windows(layer: MaxPool, n: int, before: int, after: int) -> list[Window]:
    space = n + before + after - layer.kernel
    count = (-(-space // layer.stride) if layer.ceil else space // layer.stride) + 1
    if layer.ceil and (count - 1) * layer.stride >= n + before:
        count -= 1  # a window may not start in the far padding
    starts = [i * layer.stride - before for i in range(count)]
    return [(start, start + layer.kernel) for start in starts]


def _adaptive_windows(size: int, n: int) -> list[Window]:
    return [(i * n // size, -(-(i + 1) * n // size)) for i in range(size)]


def forward_max_pool(layer: Pool, x: Array) -> tuple[Array, Switches]:
    """Maximum and switch of each window; of equal values the first in row-major order wins."""
    b, c, h, w = x.shape
    rows, columns = windows(layer, h, w)
    y = np.zeros((b, c, len(rows), len(columns)))
    switches = np.zeros(y.shape, dtype=np.int64)
    for (i, (r0, r1)), (j, (c0, c1)) in product(enumerate(rows), enumerate(columns)):
        r0, r1, c0, c1 = max(r0, 0), min(r1, h), max(c0, 0), min(c1, w)
        seen = x[:, :, r0:r1, c0:c1].reshape(b, c, -1)
        first = seen.argmax(axis=2)
        y[:, :, i, j] = seen.max(axis=2)
        switches[:, :, i, j] = (r0 + first // (c1 - c0)) * w + (c0 + first % (c1 - c0))
    return y, switches


def unpool_by_switches(shape: tuple[int, ...], switches: Switches, y: Array) -> Array:
    """Every output's value goes to the site of its maximum."""
    b, c, h, w = shape
    x = np.zeros((b, c, h * w))
    image, channel = np.indices((b, c))
    for i, j in product(range(y.shape[2]), range(y.shape[3])):
        x[image, channel, switches[:, :, i, j]] += y[:, :, i, j]
    return x.reshape(b, c, h, w)


def unpool_to_centre(layer: Pool, shape: tuple[int, ...], y: Array) -> Array:
    """Every output's value goes to site (k - 1) // 2 of its window; off the image it is lost."""
    _, _, h, w = shape
    x = np.zeros(shape)
    rows, columns = windows(layer, h, w)
    for (i, (r0, r1)), (j, (c0, c1)) in product(enumerate(rows), enumerate(columns)):
        row, column = r0 + (r1 - r0 - 1) // 2, c0 + (c1 - c0 - 1) // 2
        if 0 <= row < h and 0 <= column < w:
            x[:, :, row, column] += y[:, :, i, j]
    return x


# Local response normalization


def _lrn_window(layer: LRN, channel: int, channels: int) -> range:
    """The channels that normalize one; torch puts the longer half of an even window first."""
    before, after = layer.size // 2, (layer.size - 1) // 2
    return range(max(channel - before, 0), min(channel + after, channels - 1) + 1)


def lrn_denominator(layer: LRN, x: Array) -> Array:
    """n_i = k + alpha/size * sum of x_j^2 over the window of i."""
    n = np.full(x.shape, layer.k)
    for i in range(x.shape[1]):
        for j in _lrn_window(layer, i, x.shape[1]):
            n[:, i] += layer.alpha / layer.size * x[:, j] ** 2
    return n


def reverse_lrn(layer: LRN, x: Array, y: Array) -> Array:
    """y_i n_i^-beta - 2 a beta x_i * (sum over windows j holding i of y_j x_j n_j^(-beta-1))."""
    a, channels = layer.alpha / layer.size, x.shape[1]
    n = lrn_denominator(layer, x)
    back = y * n**-layer.beta
    for j in range(channels):
        for i in _lrn_window(layer, j, channels):
            shared = y[:, j] * x[:, j] * n[:, j] ** (-layer.beta - 1)
            back[:, i] -= 2 * a * layer.beta * x[:, i] * shared
    return back


# Averages


def _forward_average(layer: AvgPool, x: Array) -> Array:
    rows, columns = windows(MaxPool(layer.kernel, layer.stride), *x.shape[2:])
    y = np.zeros((*x.shape[:2], len(rows), len(columns)))
    for (i, (r0, r1)), (j, (c0, c1)) in product(enumerate(rows), enumerate(columns)):
        y[:, :, i, j] = x[:, :, r0:r1, c0:c1].mean(axis=(2, 3))
    return y


def _reverse_average(layer: AvgPool, shape: tuple[int, ...], y: Array) -> Array:
    x = np.zeros(shape)
    rows, columns = windows(MaxPool(layer.kernel, layer.stride), *shape[2:])
    for (i, (r0, r1)), (j, (c0, c1)) in product(enumerate(rows), enumerate(columns)):
        x[:, :, r0:r1, c0:c1] += y[:, :, i : i + 1, j : j + 1] / layer.kernel**2
    return x


def assert_close(got: Any, wanted: Array, tolerance: float = 1e-10) -> None:
    """Equal shapes, and values to `tolerance` times the largest wanted value (at least 1)."""
    got = np.asarray(got, dtype=np.float64)
    assert got.shape == wanted.shape, f"shape {got.shape}, wanted {wanted.shape}"
    error = float(np.abs(got - wanted).max(initial=0.0))
    scale = max(1.0, float(np.abs(wanted).max(initial=0.0)))
    assert error <= tolerance * scale, f"largest difference {error:.3g} on a scale of {scale:.3g}"
