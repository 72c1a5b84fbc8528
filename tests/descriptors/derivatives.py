"""What is asked of the derivatives of every descriptor."""

from __future__ import annotations

import pytest
import torch
from torch import nn


def assert_differences(net: nn.Module, shape: tuple[int, int, int, int]) -> None:
    """Compare with central differences, in double precision, along one pixel and at random.

    Args:
        net: The descriptor.
        shape: (b, c, h, w) of images to try.
    """
    generator = torch.Generator().manual_seed(3)
    image = torch.rand(shape, dtype=torch.float64, generator=generator) * 255
    leaf = image.clone().requires_grad_()
    found = net(leaf)
    signal = torch.randn(found.shape, dtype=torch.float64, generator=generator)
    (slope,) = torch.autograd.grad((found * signal).sum(), leaf)
    single = torch.zeros_like(image)
    single[0, 0, 17, 11] = 1
    for direction in (single, torch.randn(image.shape, dtype=torch.float64, generator=generator)):
        eps = 1e-5
        up, down = ((net(image + s * eps * direction) * signal).sum() for s in (1, -1))
        numeric = float(up - down) / (2 * eps)
        assert float((slope * direction).sum()) == pytest.approx(numeric, rel=1e-5, abs=1e-9)
