"""Regions are pooled cell by cell as the reference does, there and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from phosphene.errors import SettingError
from phosphene.transfer.detection import roi_pool as pooling
from phosphene.transfer.detection.roi_pool import cells_of, pool_cells, roi_pool
from tests.reference import roi_pool as literal


def regions(rng: np.random.Generator, count: int, maps: int, side: float) -> list[list[float]]:
    """Some within, some across the rim, some outside, some upside down."""
    made = []
    for _ in range(count):
        x, y = rng.uniform(-0.3 * side, 1.2 * side, 2)
        w, h = rng.uniform(-0.1 * side, 0.8 * side, 2)
        made.append([float(rng.integers(maps)), x, y, x + w, y + h])
    return np.round(np.array(made), 1).tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("size", [(6, 6), (7, 7), (2, 5), (1, 1)], ids=str)
@pytest.mark.parametrize("offset", [(0.0, 0.0), (14.0, 6.0)], ids=str)
def test_is_the_reference_there_and_back(
    dtype: torch.dtype, size: tuple[int, int], offset: tuple[float, float]
) -> None:
    rng = np.random.default_rng(sum(size))
    # Rectified and coarse: most of what is compared is equal to something else.
    features = torch.from_numpy(rng.integers(-4, 5, (2, 3, 11, 17))).to(dtype).clamp(min=0)
    features.requires_grad_()
    rois = regions(rng, 40, 2, 180)
    pooled = roi_pool(features, torch.tensor(rois, dtype=dtype), size, 1 / 16, offset)
    single = dtype == torch.float32
    values, places = literal.roi_pool(features.tolist(), rois, size, 1 / 16, offset, single)
    assert torch.equal(pooled.detach(), torch.tensor(values, dtype=dtype))
    signal = torch.from_numpy(rng.integers(-5, 6, pooled.shape)).to(dtype)
    pooled.backward(signal)
    assert features.grad is not None
    back = literal.backward(features.tolist(), rois, places, signal.tolist())
    assert torch.equal(features.grad, torch.tensor(back, dtype=dtype))


@pytest.mark.parametrize("size", [6, 7])
def test_bins_of_every_length(size: int) -> None:
    features = torch.rand(1, 1, 64, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    rois = [[0.0, 0.0, float(a), 2.0, float(b)] for a in range(0, 64, 3) for b in range(a, 64)]
    found = roi_pool(features, torch.tensor(rois), size)
    values, _ = literal.roi_pool(features.tolist(), rois, (size, size), 1.0, single=True)
    assert torch.equal(found, torch.tensor(values))


def test_negative_values_and_both_zeros() -> None:
    row = torch.tensor([-0.0, 0.0, -2.0, -1.0, -torch.inf, torch.inf])
    features = row.view(1, 1, 1, 6).clone().requires_grad_()
    rois = torch.tensor([[0.0, 0, 0, 1, 0], [0, 2, 0, 3, 0], [0, 4, 0, 5, 0]])
    pooled = roi_pool(features, rois, 1)
    assert pooled.flatten().tolist() == [0.0, -1.0, torch.inf]
    pooled.sum().backward()
    assert features.grad is not None
    assert features.grad.flatten().tolist() == [1, 0, 0, 1, 0, 1]  # the first of equals


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_what_is_not_a_number_shows(dtype: torch.dtype) -> None:
    features = torch.zeros(1, 1, 3, 3, dtype=dtype)
    features[0, 0, 1, 1] = -torch.nan
    pooled = roi_pool(features, torch.tensor([[0.0, 0, 0, 2, 2], [0, 0, 0, 0, 0]], dtype=dtype), 1)
    assert pooled.isnan().flatten().tolist() == [True, False]


def test_halves_are_rounded_away_from_zero() -> None:
    rois = torch.tensor([[1.0, 8.0, 24.0, -8.0, 7.9999995]])
    assert cells_of(rois, 1 / 16).tolist() == [[1, 1, 2, -1, 0]]


def test_half_precision_is_pooled_with_exact_places() -> None:
    features = torch.rand(1, 2, 20, 30, generator=torch.Generator().manual_seed(0)).bfloat16()
    rois = torch.tensor([[0.0, 3, 5, 251, 267]])
    pooled = roi_pool(features, rois, 6, 1 / 16)
    assert pooled.dtype == torch.bfloat16
    assert torch.equal(pooled.float(), roi_pool(features.float(), rois, 6, 1 / 16))


def test_derivatives() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(2, 2, 5, 6, dtype=torch.float64, generator=generator, requires_grad=True)
    rois = torch.tensor([[0.0, 0, 1, 4, 3], [1, 2, 0, 9, 9]], dtype=torch.float64)

    def pooled(x: Tensor) -> Tensor:
        return roi_pool(x, rois, 3)

    assert torch.autograd.gradcheck(pooled, features)


def test_no_regions() -> None:
    features = torch.rand(1, 2, 4, 4)
    assert pool_cells(features, torch.zeros(0, 5, dtype=torch.int64), 6).shape == (0, 2, 6, 6)


def test_a_region_of_no_map() -> None:
    with pytest.raises(SettingError, match="there are 1"):
        roi_pool(torch.rand(1, 2, 4, 4), torch.tensor([[1.0, 0, 0, 1, 1]]), 2)


@pytest.mark.parametrize("size", [6, 7])
def test_both_ways_agree_to_the_last_bit(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(size)
    features = torch.randn(2, 9, 20, 31, generator=generator).relu()
    first = torch.randint(-2, 30, (60, 2), generator=generator)
    last = first + torch.randint(-1, 22, (60, 2), generator=generator)
    cells = torch.cat((torch.randint(0, 2, (60, 1), generator=generator), first, last), 1)
    signal = torch.randn(60, 9, size, size, generator=generator)

    def pooled() -> tuple[Tensor, Tensor]:
        x = features.clone().requires_grad_()
        found = pool_cells(x, cells, size)
        found.backward(signal)
        assert x.grad is not None
        return found.detach(), x.grad

    mixed = pooled()
    within = (first >= -2).all(1) & (last[:, 0] < 33) & (last[:, 1] < 22)
    assert 0 < int(within.sum()) < 60  # some of either way
    with torch.no_grad():
        assert torch.equal(pool_cells(features, cells, size), mixed[0])
        assert torch.equal(pool_cells(features, cells[within], size), mixed[0][within])
    monkeypatch.setattr(pooling, "sliceable", lambda x, cells, *bins: cells[:, 0] < 0)
    tables = pooled()
    assert torch.equal(mixed[0], tables[0])
    assert torch.equal(mixed[1], tables[1])
