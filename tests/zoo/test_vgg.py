"""VGG-M and VGG-VD-16; their tables are in `test_tables.py`."""

from __future__ import annotations

import pytest
import torch

from phosphene.core.network import Network
from phosphene.zoo.vgg import vgg_m, vgg_vd_16
from tests.zoo.natives import (
    check_census,
    check_classifier,
    check_fully_convolutional,
    check_seeds,
    noise,
)


@pytest.fixture(scope="module")
def medium() -> Network:
    return vgg_m()


@pytest.fixture(scope="module")
def deep() -> Network:
    return vgg_vd_16()


def test_vgg_m(medium: Network) -> None:
    check_classifier(medium, 224)
    check_census(medium, "relu 7, pool 3, lrn 2")
    check_fully_convolutional(medium, 256)


def test_the_normalization_is_matconvnets(medium: Network) -> None:
    # [5 2 1e-4 0.75]: alpha weighs the sum.
    _, maps = medium.record(noise(medium), ["relu1", "norm1"])
    x, y = maps["relu1"].double(), maps["norm1"].double()
    window = x[:, 8:13]
    expected = x[:, 10] / (2 + 1e-4 * (window**2).sum(1)) ** 0.75
    torch.testing.assert_close(y[:, 10], expected, rtol=1e-4, atol=1e-5)


def test_vgg_vd_16(deep: Network) -> None:
    check_classifier(deep, 224)
    check_census(deep, "relu 15, pool 5, lrn 0")


@pytest.mark.slow
def test_vgg_vd_16_slides(deep: Network) -> None:
    check_fully_convolutional(deep, 256)


def test_random_weights(medium: Network, deep: Network) -> None:
    weight = medium.module.state_dict()["fc6.weight"]
    assert weight.std().item() == pytest.approx(0.01, rel=0.01)
    weight = deep.module.state_dict()["conv3_2.weight"]
    assert weight.abs().max().item() == pytest.approx((6 / (9 * 512)) ** 0.5, rel=1e-3)
    # Glorot's weights carry a signal through sixteen layers.
    _, maps = deep.record(noise(deep), ["conv1_1", "fc8"])
    assert maps["fc8"].std() > 1e-4 * maps["conv1_1"].std()
    check_seeds(medium, vgg_m(), vgg_m(seed=1))
