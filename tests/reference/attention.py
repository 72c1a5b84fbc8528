"""Excitation backprop and Grad-CAM, slow and literal, to check the fast ones against.

Numpy, float64, loops over units; no autograd and no torch. A network is a chain of the layers of
`tests.reference.reversed_network`, whose forward pass is used; branches are put together by
`share`.

*Excitation backprop* (Zhang et al., ECCV 2016, eq. 2 and 3): for every unit i of a layer with
probability p_i, its input j gets p_i a_j w+_ij / sum_k a_k w+_ik. The weights of the
last layer negated make its dual. *Grad-CAM* (Selvaraju et al., ICCV 2017, eq. 1 and 2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from tests.reference import reversed_network as r
from tests.reference.reversed_network import Array

Sums = Callable[[tuple[int, ...]], list[tuple[tuple[int, ...], float]]]
"""From the index of an output to the inputs it sums, with their weights."""


def excitation(
    layers: Sequence[r.Layer], record: r.Record, p: Array, *, dual: bool = False
) -> list[Array]:
    """Send p, shaped as the output of the last layer, down the chain.

    Returns p at the INPUT of each layer. With `dual` the weights of the last layer are negated.
    The image's channels count from their minima.
    """
    found: list[Array] = []
    for i in reversed(range(len(layers))):
        x, layer = record.inputs[i], layers[i]
        a = x - x.min((2, 3), keepdims=True) if i == 0 else np.maximum(x, 0)
        sign = -1.0 if dual and i == len(layers) - 1 else 1.0
        match layer:
            case r.Relu() | r.LRN():
                p = p.reshape(x.shape)
            case r.MaxPool() | r.AdaptiveMaxPool():
                switches = record.switches[i]
                assert switches is not None
                p = r.unpool_by_switches(x.shape, switches, p)
            case r.Conv():
                p = share(a, p, conv_sums(layer, x.shape, sign))
            case r.FullyConnected():
                p = share(a, p, fc_sums(layer, x.shape, sign))
            case r.AvgPool():
                p = share(a, p, average_sums(layer.kernel, layer.stride))
            case r.GlobalMean():
                p = share(a, p, mean_sums(x.shape))
        found.append(p)
    return found[::-1]


def share(a: Array, p: Array, sums: Sums) -> Array:
    """Share the probability of every output among the inputs that excite it."""
    sent = np.zeros_like(a)
    for output in np.ndindex(*p.shape):
        if p[output] == 0:
            continue
        exciting = [(j, a[j] * w) for j, w in sums(output) if w > 0 and a[j] > 0]
        total = sum(part for _, part in exciting)
        for j, part in exciting:
            sent[j] += p[output] * part / total
    return sent


def conv_sums(layer: r.Conv, shape: tuple[int, ...], sign: float = 1.0) -> Sums:
    """The sums of a convolution without dilation, padded alike on all sides."""
    assert isinstance(layer.pad, int)
    pad = layer.pad
    outputs, inputs, height, width = layer.weight.shape

    def sums(output: tuple[int, ...]) -> list[tuple[tuple[int, ...], float]]:
        b, o, i, j = output
        first = o // (outputs // layer.groups) * inputs
        found = []
        for c, u, v in product(range(inputs), range(height), range(width)):
            y, x = i * layer.stride + u - pad, j * layer.stride + v - pad
            if 0 <= y < shape[2] and 0 <= x < shape[3]:
                found.append(((b, first + c, y, x), sign * float(layer.weight[o, c, u, v])))
        return found

    return sums


def fc_sums(layer: r.FullyConnected, shape: tuple[int, ...], sign: float = 1.0) -> Sums:
    """The sums of a fully connected layer."""
    places = list(np.ndindex(*shape[1:]))
    return lambda output: [
        ((output[0], *place), sign * float(w))
        for place, w in zip(places, layer.weight[output[1]], strict=True)
    ]


def average_sums(kernel: int, stride: int) -> Sums:
    """The sums of a mean over windows."""
    return lambda output: [
        ((output[0], output[1], output[2] * stride + u, output[3] * stride + v), kernel**-2.0)
        for u, v in product(range(kernel), range(kernel))
    ]


def mean_sums(shape: tuple[int, ...]) -> Sums:
    """The sums of a mean over whole maps."""
    places = list(np.ndindex(*shape[2:]))
    return lambda output: [((*output[:2], *place), 1 / len(places)) for place in places]


def grad_cam(activation: Array, derivative: Array) -> Array:
    """(b, 1, h, w): max(0, sum_k alpha_k A^k), alpha_k the mean of d score / d A^k."""
    b, c, h, w = activation.shape
    found = np.zeros((b, 1, h, w))
    for i in range(b):
        alpha = [0.0] * c
        for k, u, v in product(range(c), range(h), range(w)):
            alpha[k] += derivative[i, k, u, v] / (h * w)
        for y, x in product(range(h), range(w)):
            total = sum(alpha[k] * activation[i, k, y, x] for k in range(c))
            found[i, 0, y, x] = max(0.0, total)
    return found
