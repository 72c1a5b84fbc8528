from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from phosphene.errors import NetworkError
from phosphene.formats.layers import (
    KINDS,
    Concat,
    Crop,
    Eltwise,
    Flatten,
    FullyConnected,
    Power,
    Scale,
    Slice,
    WithinChannelLRN,
)
from tests.reference.caffe_pooling import across_channels_lrn, pool, within_channel_lrn


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_torch_pools_as_caffe_does(data: st.DataObject) -> None:
    kernel = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    stride = tuple(data.draw(st.integers(1, k)) for k in kernel)
    pad = tuple(data.draw(st.integers(0, k // 2)) for k in kernel)
    size = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    # Caffe lets the first window reach beyond the image by rounding up, once.
    assume(all(n + 2 * p + s > k for n, p, s, k in zip(size, pad, stride, kernel, strict=True)))
    x = np.random.default_rng(sum(size)).normal(size=(2, *size))
    for method, kind in (("MAX", nn.MaxPool2d), ("AVE", nn.AvgPool2d)):
        module = kind(kernel, stride, pad, ceil_mode=True)
        found = module(torch.from_numpy(x)[None])[0].numpy()
        np.testing.assert_allclose(found, pool(x, kernel, stride, pad, method), atol=1e-12)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_normalization_within_channels(size: int) -> None:
    x = np.random.default_rng(0).normal(size=(2, 4, 6))
    found = WithinChannelLRN(size, 0.7, 0.6)(torch.from_numpy(x)[None])[0].numpy()
    np.testing.assert_allclose(found, within_channel_lrn(x, size, 0.7, 0.6))


@pytest.mark.parametrize("size", [1, 3, 5])
def test_torch_normalizes_across_channels_as_caffe_does(size: int) -> None:
    x = np.random.default_rng(0).normal(size=(6, 2, 3))
    found = nn.LocalResponseNorm(size, 0.7, 0.6, 1.5)(torch.from_numpy(x)[None])[0].numpy()
    np.testing.assert_allclose(found, across_channels_lrn(x, size, 0.7, 0.6, 1.5))


class TestFullyConnected:
    @pytest.mark.parametrize("bias", [True, False])
    def test_is_a_matrix_product_on_its_own_map(self, bias: bool) -> None:
        layer = FullyConnected(3, 5, (4, 2), bias=bias).double()
        x = torch.randn(2, 3, 4, 2, dtype=torch.float64, requires_grad=True)
        y = layer(x)
        assert y.shape == (2, 5, 1, 1)
        weight = layer.weight.flatten(1)
        torch.testing.assert_close(y[:, :, 0, 0], F.linear(x.flatten(1), weight, layer.bias))
        torch.testing.assert_close(y, nn.Conv2d.forward(layer, x))
        assert torch.autograd.gradcheck(layer, x)

    def test_slides_over_a_larger_map(self) -> None:
        layer = FullyConnected(3, 5, (4, 2))
        x = torch.randn(2, 3, 6, 7)
        y = layer(x)
        assert y.shape == (2, 5, 3, 6)
        torch.testing.assert_close(y[:, :, 2:3, 1:2], layer(x[:, :, 2:6, 1:3]))

    @pytest.mark.parametrize("size", [(3, 2), (4, 1), (3, 9)])
    def test_needs_the_map_it_was_declared_on(self, size: tuple[int, int]) -> None:
        with pytest.raises(
            NetworkError, match=f"of {size[0]}x{size[1]}, but needs the 4x2 .*larger"
        ):
            FullyConnected(3, 5, (4, 2))(torch.zeros(1, 3, *size))

    def test_wrong_channels_are_torchs_error(self) -> None:
        with pytest.raises(RuntimeError, match="channels"):
            FullyConnected(3, 5, (4, 2))(torch.zeros(1, 6, 4, 2))


def test_combinations() -> None:
    a, b, c = torch.randn(3, 1, 2, 3, 3).unbind()
    torch.testing.assert_close(Eltwise()(a, b, c), a + b + c)
    torch.testing.assert_close(Eltwise("sum", (1.0, -2.0))(a, b), a - 2 * b)
    torch.testing.assert_close(Eltwise("prod")(a, b, c), a * b * c)
    torch.testing.assert_close(Eltwise("max")(a, b, c), torch.maximum(a, torch.maximum(b, c)))
    joined = Concat()(a, b)
    assert joined.shape == (1, 4, 3, 3)
    first, second = Slice((1, 3))(joined)
    torch.testing.assert_close(first, a[:, :1])
    torch.testing.assert_close(second, joined[:, 1:])
    assert Flatten()(a).shape == (1, 18, 1, 1)
    torch.testing.assert_close(Crop((1, 0))(a, b[..., :2, :1]), a[..., 1:3, :1])
    torch.testing.assert_close(Power(2.0, 3.0, 1.0)(a), (1 + 3 * a) ** 2)
    torch.testing.assert_close(KINDS["Absolute"]()(a), a.abs())
    scale = Scale(2)
    with torch.no_grad():
        scale.weight.copy_(torch.tensor([2.0, 3.0]))
        scale.bias.copy_(torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(scale(a), torch.stack([a[:, 0] * 2, a[:, 1] * 3 + 1], 1))
    assert Scale(2, bias=False).bias is None


def test_no_layer_changes_its_input() -> None:
    x = torch.randn(1, 3, 5, 5)
    before = x.clone()
    for kind in ("ReLU", "Absolute", "Power", "Flatten", "Sigmoid", "ELU", "LeakyReLU", "Eltwise"):
        KINDS[kind]()(x)
        assert torch.equal(x, before), kind
