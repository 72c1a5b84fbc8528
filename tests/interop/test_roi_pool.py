"""Regions are pooled as torchvision pools them, there and back."""

from __future__ import annotations

import pytest
import torch
from torchvision.ops import nms
from torchvision.ops import roi_pool as theirs

from phosphene.transfer.detection.boxes import suppressed
from phosphene.transfer.detection.roi_pool import roi_pool


def regions(count: int, maps: int, width: int, height: int, seed: int) -> torch.Tensor:
    """Some within the photograph, some across its rim, some outside, a few upside down."""
    generator = torch.Generator().manual_seed(seed)
    at = torch.rand(count, 2, generator=generator) * 1.4 - 0.2
    size = torch.rand(count, 2, generator=generator) - 0.05
    corners = torch.cat((at, at + size), 1) * torch.tensor([width, height] * 2)
    number = torch.randint(maps, (count, 1), generator=generator)
    return torch.cat((number, corners.round(decimals=1)), 1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("size", [(6, 6), (7, 7), (3, 5), (1, 1)], ids=str)
@pytest.mark.parametrize("scale", [1 / 16, 1 / 8, 0.3])
def test_is_torchvisions(dtype: torch.dtype, size: tuple[int, int], scale: float) -> None:
    generator = torch.Generator().manual_seed(1)
    # Rectified, and so coarse that most of it is equal to something else.
    maps = (torch.randn(2, 5, 23, 38, generator=generator) * 3).round().clamp(min=0).to(dtype)
    rois = regions(300, 2, round(38 / scale), round(23 / scale), 2).to(dtype)
    ours, other = maps.clone().requires_grad_(), maps.clone().requires_grad_()
    found, expected = roi_pool(ours, rois, size, scale), theirs(other, rois, size, scale)
    assert torch.equal(found, expected)
    # Whole numbers, so that no sum hangs on its order.
    signal = torch.randint(-9, 9, found.shape, generator=generator).to(dtype)
    found.backward(signal)
    expected.backward(signal)
    assert ours.grad is not None
    assert other.grad is not None
    assert torch.equal(ours.grad, other.grad)


@pytest.mark.parametrize("overlap", [0.1, 0.3, 0.5, 0.7])
def test_suppression_is_torchvisions(overlap: float) -> None:
    generator = torch.Generator().manual_seed(3)
    boxes = regions(400, 1, 100, 80, 4)[:, 1:].double()
    boxes[:, 2:] = torch.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    scores = torch.rand(400, generator=generator, dtype=torch.float64)
    expected = nms(boxes, scores, overlap)
    assert suppressed(boxes.numpy(), scores.numpy(), overlap).tolist() == expected.tolist()
