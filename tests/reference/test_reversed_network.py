"""The reference, checked against things it does not share code with."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tests.reference import reversed_network as reference
from tests.reference.reversed_network import (
    LRN,
    RELU,
    SETTINGS,
    AdaptiveMaxPool,
    Array,
    AvgPool,
    Conv,
    FullyConnected,
    GlobalMean,
    Layer,
    MaxPool,
    Relu,
    assert_close,
    forward,
    reverse,
)


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng((seed, *shape)).standard_normal(shape)


def deep_chain() -> list[Layer]:
    """Every kind of layer once, on a 19 x 19 image."""
    return [
        Conv(normal(6, 3, 3, 3) / 5, normal(6) / 5, pad=1),
        Relu(),
        LRN(3, alpha=2.0, beta=0.75, k=1.5),
        MaxPool(3, 2),
        Conv(normal(8, 3, 3, 3, seed=1) / 5, normal(8) / 5, pad=2, groups=2, dilation=2),
        Relu(),
        MaxPool(2, 2, ceil=True),
        Conv(normal(8, 8, 2, 3) / 7, None, stride=2, pad=(1, 0, 2, 1)),
        Relu(),
        FullyConnected(normal(5, 72) / 8, normal(5)),
    ]


CHAINS: dict[str, list[Layer]] = {
    "every layer": deep_chain(),
    "padded pools": [
        Conv(normal(4, 3, 3, 3) / 5, normal(4)),
        MaxPool(3, 2, pad=1),
        Relu(),
        MaxPool(2, 3, pad=1, ceil=True),
        AvgPool(2, 1),
    ],
    "pools beyond the image": [MaxPool(3, 3, ceil=True), Relu(), MaxPool(3, 3, ceil=True)],
    "adaptive pool": [Conv(normal(4, 3, 5, 5) / 5), Relu(), AdaptiveMaxPool(4)],
    "even normalization window": [LRN(4, alpha=3.0, beta=0.5, k=2.0), AvgPool(3, 2)],
    "mean over positions": [
        Conv(normal(4, 3, 3, 3) / 5, stride=2),
        Relu(),
        GlobalMean(),
        FullyConnected(normal(5, 4)),
    ],
    "ties": [Relu(), MaxPool(3, 2), MaxPool(2, 1, pad=1)],
}


def by_torch(layer: Layer, x: torch.Tensor) -> torch.Tensor:
    def tensor(array: Array | None) -> torch.Tensor | None:
        return None if array is None else torch.from_numpy(array)

    match layer:
        case Conv():
            top, bottom, left, right = reference._sides(layer.pad)
            weight, bias = tensor(layer.weight), tensor(layer.bias)
            assert weight is not None
            x = F.pad(x, (left, right, top, bottom))
            options = (layer.stride, 0, layer.dilation, layer.groups)
            return F.conv2d(x, weight, bias, *options)
        case Relu():
            return F.relu(x)
        case MaxPool():
            assert isinstance(layer.pad, int)
            return F.max_pool2d(x, layer.kernel, layer.stride, layer.pad, ceil_mode=layer.ceil)
        case AdaptiveMaxPool():
            return F.adaptive_max_pool2d(x, layer.size)
        case LRN():
            return F.local_response_norm(x, layer.size, layer.alpha, layer.beta, layer.k)
        case FullyConnected():
            weight = tensor(layer.weight)
            assert weight is not None
            return F.linear(x.flatten(1), weight, tensor(layer.bias))
        case AvgPool():
            return F.avg_pool2d(x, layer.kernel, layer.stride)
        case GlobalMean():
            return F.adaptive_avg_pool2d(x, 1)


def image_for(name: str) -> Array:
    x = normal(2, 3, 19, 19)
    return np.round(x) if name == "ties" else x


@pytest.mark.parametrize("name", CHAINS)
def test_saliency_is_autograd_at_every_layer(name: str) -> None:
    layers, x = CHAINS[name], image_for(name)
    record = forward(layers, x)
    steps = [torch.from_numpy(x).requires_grad_()]
    for layer in layers:
        steps.append(by_torch(layer, steps[-1]))
    p = normal(*steps[-1].shape, seed=3)
    wanted = torch.autograd.grad(steps[-1], steps[:-1], torch.from_numpy(p))
    signals = reverse(layers, record, p, relu="mask", pool="switches", lrn="backprop")
    for i, signal in enumerate(signals):
        assert_close(record.outputs[i], steps[i + 1].detach().numpy())
        assert_close(signal, wanted[i].numpy())


@pytest.mark.parametrize("name", [name for name in CHAINS if "pool" in name or name == "ties"])
def test_switches_are_torch_indices(name: str) -> None:
    layers = CHAINS[name]
    record = forward(layers, image_for(name))
    pools = [i for i, layer in enumerate(layers) if isinstance(layer, MaxPool | AdaptiveMaxPool)]
    assert pools
    for i in pools:
        layer, x = layers[i], torch.from_numpy(record.inputs[i])
        if isinstance(layer, AdaptiveMaxPool):
            _, indices = F.adaptive_max_pool2d(x, layer.size, return_indices=True)
        else:
            assert isinstance(layer, MaxPool)
            assert isinstance(layer.pad, int)
            options = (layer.kernel, layer.stride, layer.pad)
            _, indices = F.max_pool2d(x, *options, ceil_mode=layer.ceil, return_indices=True)
        switches = record.switches[i]
        assert switches is not None
        assert np.array_equal(switches, indices.numpy())


def unpooled_site(pool: MaxPool | AdaptiveMaxPool, n: int, i: int, j: int) -> list[list[int]]:
    """Where a one-hot output (i, j) lands on an n x n input under centre."""
    record = forward([pool], np.zeros((1, 1, n, n)))
    p = np.zeros_like(record.output)
    p[0, 0, i, j] = 1.0
    (signal,) = reverse([pool], record, p, pool="centre")
    assert signal.sum() in (0.0, 1.0)
    return np.argwhere(signal[0, 0]).tolist()


def test_two_by_two_lands_top_left_and_three_by_three_in_the_middle() -> None:
    for i in range(2):
        for j in range(2):
            assert unpooled_site(MaxPool(2, 2), 4, i, j) == [[2 * i, 2 * j]]
            assert unpooled_site(MaxPool(3, 2), 5, i, j) == [[2 * i + 1, 2 * j + 1]]
    assert unpooled_site(MaxPool(4, 4), 8, 1, 0) == [[5, 1]]
    assert unpooled_site(MaxPool(5, 5), 10, 1, 0) == [[7, 2]]


def test_centre_moves_with_the_padding_and_is_cut_away_on_it() -> None:
    assert unpooled_site(MaxPool(3, 2, pad=1), 5, 1, 0) == [[2, 0]]
    assert unpooled_site(MaxPool(2, 2, pad=1), 5, 0, 1) == []  # row -1 lies on the padding
    assert unpooled_site(MaxPool(2, 2, pad=1), 5, 2, 1) == [[3, 1]]
    # Caffe's AlexNet in MatConvNet's clothes: pad [0 1 0 1] is ceil mode spelt as padding.
    caffe = MaxPool(3, 2, pad=(0, 1, 0, 1))
    assert unpooled_site(caffe, 6, 2, 2) == [[5, 5]]
    assert unpooled_site(MaxPool(3, 2, ceil=True), 6, 2, 2) == [[5, 5]]


def test_centre_beyond_the_image_is_cut_away_in_ceil_mode() -> None:
    assert unpooled_site(MaxPool(3, 3, ceil=True), 7, 2, 0) == []  # window 6..8, centre row 7
    assert unpooled_site(MaxPool(3, 3, ceil=True), 8, 2, 0) == [[7, 1]]


def test_overlapping_windows_add() -> None:
    x = np.zeros((1, 1, 5, 5))
    x[0, 0, 2, 2] = 1.0  # the maximum of all four 3 x 3 windows
    pool: list[Layer] = [MaxPool(3, 2)]
    record = forward(pool, x)
    (signal,) = reverse(pool, record, np.array([[[[1.0, 2.0], [4.0, 8.0]]]]))
    assert signal[0, 0, 2, 2] == 15.0
    assert signal.sum() == 15.0
    (signal,) = reverse(
        [AdaptiveMaxPool(4)], forward([AdaptiveMaxPool(4)], x), np.ones((1, 1, 4, 4))
    )
    assert signal.sum() == 16.0


@pytest.mark.parametrize(("relu", "pool", "lrn"), SETTINGS)
def test_every_setting_is_positively_homogeneous_in_the_seed(
    relu: str, pool: str, lrn: str
) -> None:
    layers = deep_chain()
    record = forward(layers, normal(1, 3, 19, 19))
    p = normal(1, 5, seed=5)
    one = reverse(layers, record, p, relu=relu, pool=pool, lrn=lrn)
    seven = reverse(layers, record, 7 * p, relu=relu, pool=pool, lrn=lrn)
    assert np.abs(one[0]).max() > 1e-6  # a signal arrives, or this test says nothing
    for a, b in zip(one, seven, strict=True):
        assert_close(b, 7 * a)


def test_linear_settings_are_linear_and_rectified_ones_are_not() -> None:
    layers = deep_chain()
    record = forward(layers, normal(1, 3, 19, 19))
    p, q = normal(1, 5, seed=5), normal(1, 5, seed=6)
    for relu in RELU:
        of_p, of_q, of_both = (
            reverse(layers, record, seed, relu=relu)[0] for seed in (p, q, 2 * p - q)
        )
        linear = np.abs(of_both - (2 * of_p - of_q)).max() < 1e-10
        assert linear == ("rectify" not in relu)


def test_sixteen_settings_differ() -> None:
    layers = deep_chain()
    record = forward(layers, normal(1, 3, 19, 19))
    p = normal(1, 5, seed=5)
    images = [
        reverse(layers, record, p, relu=relu, pool=pool, lrn=lrn)[0] for relu, pool, lrn in SETTINGS
    ]
    assert len(images) == 16
    for i, a in enumerate(images):
        for b in images[:i]:
            assert np.abs(a - b).max() > 1e-6


def test_normalization_against_finite_differences() -> None:
    layer = LRN(5, alpha=3.0, beta=0.75, k=2.0)
    x, y = normal(1, 7, 2, 2), normal(1, 7, 2, 2, seed=1)
    back = reference.reverse_lrn(layer, x, y)
    numeric, step = np.zeros_like(x), 1e-5
    for site in np.ndindex(*x.shape):
        ahead, behind = x.copy(), x.copy()
        ahead[site] += step
        behind[site] -= step
        change = forward([layer], ahead).output - forward([layer], behind).output
        numeric[site] = (y * change).sum() / (2 * step)
    assert np.abs(back - numeric).max() < 1e-8


def test_normalization_is_caffe_s_on_one_pixel() -> None:
    """AlexNet's [5 1 2e-5 0.75] of MatConvNet is (5, 1e-4, 0.75, 1) here."""
    x = 100 * normal(1, 6, 1, 1)
    got = forward([LRN(5, 1e-4, 0.75, 1.0)], x).output[0, :, 0, 0]
    v = x[0, :, 0, 0]
    for i in range(6):
        total = sum(v[j] ** 2 for j in range(6) if abs(i - j) <= 2)
        assert got[i] == pytest.approx(v[i] / (1 + 2e-5 * total) ** 0.75, rel=1e-12)


@given(st.data())
def test_equation_10(data: st.DataObject) -> None:
    """Both rectifying reverses keep the polarity of y; the masked one is silent where y is zero."""
    shape = data.draw(array_shapes(min_dims=4, max_dims=4, max_side=3))
    numbers = st.floats(-1e3, 1e3) | st.sampled_from([0.0, -0.0])
    x, back = (data.draw(arrays(np.float64, shape, elements=numbers)) for _ in range(2))
    record = forward([Relu()], x)
    y = record.output
    (deconvnet,) = reverse([Relu()], record, back, relu="rectify")
    (desalinet,) = reverse([Relu()], record, back, relu="mask+rectify")
    (salinet,) = reverse([Relu()], record, back, relu="mask")
    assert (y * deconvnet >= 0).all()
    assert (deconvnet >= 0).all()
    assert (y * desalinet >= 0).all()
    assert (desalinet[y == 0] == 0).all()
    assert (salinet[y == 0] == 0).all()
    assert np.array_equal(deconvnet, np.maximum(back, 0))
    assert np.array_equal(desalinet, np.maximum(back, 0) * (x > 0))


@pytest.mark.parametrize(
    "layer",
    [
        Conv(normal(4, 2, 3, 2), None, stride=2, pad=1),
        Conv(normal(4, 1, 3, 3), None, pad=(2, 0, 1, 3), groups=2, dilation=2),
        Conv(normal(2, 2, 2, 2), normal(2), stride=3),
    ],
)
def test_transposed_convolution_is_the_transposed_matrix(layer: Conv) -> None:
    """rho(F) of equation 6, column by column: the image of each one-hot input, less the bias."""
    shape = (1, 2, 6, 7)
    at_zero = forward([layer], np.zeros(shape)).output
    columns = []
    for site in range(int(np.prod(shape))):
        one_hot = np.zeros(shape)
        one_hot.flat[site] = 1.0
        columns.append((forward([layer], one_hot).output - at_zero).ravel())
    rho = np.stack(columns, axis=1)
    y = normal(*at_zero.shape, seed=2)
    assert_close(reference.reverse_conv(layer, shape, y).ravel(), rho.T @ y.ravel())


def test_biases_have_no_part_on_the_way_back() -> None:
    conv, fc = (
        Conv(normal(4, 3, 3, 3), 100 * normal(4)),
        FullyConnected(normal(5, 4 * 17 * 17), normal(5)),
    )
    layers: Sequence[Layer] = [conv, fc]
    record = forward(layers, normal(1, 3, 19, 19))
    for signal in reverse(layers, record, np.zeros((1, 5)), relu="rectify"):
        assert not signal.any()


def test_batch_is_singles() -> None:
    layers, x, p = deep_chain(), normal(3, 3, 19, 19), normal(3, 5)
    together = reverse(layers, forward(layers, x), p, relu="mask+rectify", pool="centre")[0]
    for i in range(3):
        one = slice(i, i + 1)
        alone = reverse(
            layers, forward(layers, x[one]), p[one], relu="mask+rectify", pool="centre"
        )[0]
        assert_close(together[one], alone)


def test_part_of_the_chain() -> None:
    layers = deep_chain()
    record = forward(layers, normal(1, 3, 19, 19))
    p = normal(*record.outputs[5].shape)
    whole = reverse(layers[:6], record, p)
    assert [s.shape for s in whole] == [x.shape for x in record.inputs[:6]]
    for a, b in zip(reverse(layers[:6], record, p, to=2), whole[2:], strict=True):
        assert_close(a, b)


def test_wrong_rules_and_seeds_are_refused() -> None:
    record = forward([Relu()], np.zeros((1, 1, 2, 2)))
    with pytest.raises(ValueError, match="unknown rule"):
        reverse([Relu()], record, np.zeros((1, 1, 2, 2)), relu="guided")
    with pytest.raises(ValueError, match="seed"):
        reverse([Relu()], record, np.zeros((1, 1, 3, 3)))


def test_assert_close_can_fail() -> None:
    with pytest.raises(AssertionError, match="largest difference"):
        assert_close(np.ones(3) + 1e-9, np.ones(3))
    with pytest.raises(AssertionError, match="shape"):
        assert_close(np.ones((1, 3)), np.ones(3))


def test_a_reverse_takes_under_a_second() -> None:
    layers = deep_chain()
    record = forward(layers, normal(1, 3, 19, 19))
    start = time.process_time()
    reverse(layers, record, np.ones((1, 5)))
    assert time.process_time() - start < 1.0
