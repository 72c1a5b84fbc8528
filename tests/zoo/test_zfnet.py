"""Zeiler and Fergus' network, against figure 3 of their paper."""

from __future__ import annotations

import pytest

from phosphene.core.network import Network
from phosphene.zoo.zfnet import zfnet
from tests.zoo.natives import check_census, check_classifier, check_fully_convolutional


@pytest.fixture(scope="module")
def network() -> Network:
    return zfnet()


def test_figure_3(network: Network) -> None:
    layers = {layer.name: layer for layer in network.layers()}
    assert {name: layer.shape for name, layer in layers.items() if "relu" not in name} == {
        "conv1": (96, 110, 110), "pool1": (96, 55, 55), "norm1": (96, 55, 55),
        "conv2": (256, 26, 26), "pool2": (256, 13, 13), "norm2": (256, 13, 13),
        "conv3": (384, 13, 13), "conv4": (384, 13, 13), "conv5": (256, 13, 13),
        "pool5": (256, 6, 6), "fc6": (4096, 1, 1), "drop6": (4096, 1, 1), "fc7": (4096, 1, 1),
        "drop7": (4096, 1, 1), "fc8": (1000, 1, 1), "prob": (1000, 1, 1),
    }  # fmt: skip
    fields = {name: (layer.kernel, layer.field.stride) for name, layer in layers.items()}
    assert fields["conv1"] == ((7, 7), (2, 2))
    assert fields["conv2"] == ((5, 5), (8, 8))
    assert fields["conv5"] == ((3, 3), (16, 16))


def test_a_classifier(network: Network) -> None:
    check_classifier(network, 224)
    check_census(network, "relu 7, pool 3, lrn 2")
    check_fully_convolutional(network, 256)
