"""Spectra, norms and twins of filters, against literal sums."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from phosphene.survey.diagnosis.filters import BINS, rms, spectra, twins
from tests.reference import filters as literal


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_shares_are_the_literal_ones(stride: int) -> None:
    weight = noise(2, 2, 3, 5) + 0.3
    found = spectra(weight, (stride, stride))
    for i in range(2):
        expected = literal.shares(weight[i].double().numpy(), 48, stride)
        for name, value in expected.items():
            assert float(getattr(found, name)[i]) == pytest.approx(value, abs=1e-9), name


def test_energy_adds_up() -> None:
    found = spectra(noise(5, 3, 7, 7), (2, 2))
    torch.testing.assert_close(found.energy.sum(1), torch.ones(5, dtype=torch.float64))
    torch.testing.assert_close(
        found.low + found.mid + found.high, torch.ones(5, dtype=torch.float64)
    )
    assert found.energy.shape == (5, BINS)


@pytest.mark.parametrize(("period", "band"), [(24, "low"), (5.5, "mid"), (3, "high"), (2, "high")])
def test_a_grating_lies_in_its_band(period: float, band: str) -> None:
    x = torch.arange(24.0)
    grating = torch.sin(2 * math.pi * x / period + 0.5).expand(1, 1, 24, 24)
    found = spectra(grating)
    assert float(getattr(found, band)) > 0.9
    peak = found.frequency[int(found.energy[0].argmax())]
    assert float(peak) == pytest.approx(1 / period, abs=0.03)


def test_aliasing_is_what_the_stride_cannot_hold() -> None:
    x = torch.arange(24.0)
    grating = torch.sin(2 * math.pi * x / 5.5).expand(1, 1, 24, 24)
    alias = [float(spectra(grating, (s, s)).alias) for s in (1, 2, 4)]
    assert alias[0] == 0
    assert alias[1] < 0.05
    assert alias[2] > 0.7


def test_zeros_and_constants() -> None:
    found = spectra(torch.stack([torch.zeros(3, 5, 5), torch.ones(3, 5, 5)]))
    assert found.energy[0].sum() == 0
    assert found.alias[0] == 0
    assert float(found.constant[1]) == pytest.approx(1)
    assert rms(torch.stack([torch.zeros(3, 5, 5), 2 * torch.ones(3, 5, 5)])).tolist() == [0, 2]


def test_twins_are_found_with_their_sign() -> None:
    weight = noise(12, 3, 5, 5)
    weight[7] = 3 * weight[2] + 0.4
    weight[9] = -0.5 * weight[4] + 1e-3 * noise(3, 5, 5, seed=1)
    found = twins(weight, 0.95)
    assert [(t.first, t.second) for t in found] == [(2, 7), (4, 9)]
    for twin in found:
        pair = weight[twin.first].double().numpy(), weight[twin.second].double().numpy()
        assert twin.cosine == pytest.approx(literal.twin_cosine(*pair), abs=1e-9)
    assert found[1].cosine < -0.99


def test_constant_filters_and_other_groups_are_no_twins() -> None:
    weight = noise(8, 2, 3, 3)
    weight[0], weight[1] = 1.0, 2.0
    weight[6] = weight[3]
    assert [(t.first, t.second) for t in twins(weight, 0.95)] == [(3, 6)]
    assert twins(weight, 0.95, groups=2) == []


def test_all_pairs_agree_with_the_literal_cosine() -> None:
    weight = noise(6, 1, 3, 3)
    for twin in twins(weight, 0.0):
        pair = weight[twin.first].double().numpy(), weight[twin.second].double().numpy()
        assert twin.cosine == pytest.approx(literal.twin_cosine(*pair), abs=1e-9)
    assert len(twins(weight, 0.0)) == 15
    assert np.isfinite([t.cosine for t in twins(weight, 0.0)]).all()
