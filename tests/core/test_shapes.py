"""Shapes without values are those of real passes."""

from __future__ import annotations

import pytest
import torch

from phosphene import Network, Preprocessing, open_network
from phosphene.core.shapes import output_shape
from phosphene.errors import NetworkError


def test_they_are_those_of_a_real_pass() -> None:
    net = open_network("demo")
    for size in ((96, 96), (97, 120), (150, 99)):
        image = torch.rand(1, 3, *size)
        for layer in ("conv1", "pool2", "fc8"):
            assert output_shape(net[layer], size) == tuple(net[layer](image).shape)
    assert all(type(p) is torch.nn.Parameter for p in net.module.parameters())


def test_too_small_an_image_is_said() -> None:
    with pytest.raises(NetworkError):
        output_shape(open_network("demo")["conv5"], (5, 5))


def test_shapes_that_depend_on_values_are_computed() -> None:
    class Odd(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[..., : int(x.sum()) % 3 + 1]

    net = Network(torch.nn.Sequential(Odd()), Preprocessing((4, 4)))
    assert output_shape(net["0"], (4, 4)) == (1, 3, 4, 1)
