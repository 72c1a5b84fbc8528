from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from phosphene.core.network import Network
from phosphene.errors import NotFinite, UnitError
from phosphene.survey.statistics import Statistics, bounds_of
from tests.reference import survey as reference
from tests.survey.collected import LAYER, batch_of, fed, shared


def _make() -> Statistics:
    return Statistics([LAYER])


def _codes(seed: int, images: int, offset: float = 0.0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    codes = random.standard_normal((images, 4, 3, 5)).astype(np.float32)
    codes[:, 1] = codes[:, 1].clip(min=0)
    codes[:, 2] = 0
    codes[:, 3] += np.float32(offset)
    return list(codes)


@given(st.integers(0, 10**6), st.integers(1, 12), st.sampled_from([0.0, 30.0, 1e4]), st.randoms())
@settings(deadline=None, max_examples=60)
def test_any_order_and_any_shards_find_what_counting_finds(seed, images, offset, random) -> None:
    codes, keys = _codes(seed, images, offset), list(range(images))
    order = list(keys)
    random.shuffle(order)
    cut = random.randint(0, images)
    for made in (shared(_make, codes, keys, [order[cut:], order[:cut]]), fed(_make, codes, keys)):
        found = made.of(LAYER)
        assert found.images == images
        for channel in range(4):
            wanted = reference.statistics(codes, keys, channel)
            for name in ("count", "minimum", "maximum", "image", "positive", "active"):
                assert getattr(found, name)[channel] == wanted[name], name
            assert found.mean[channel] == pytest.approx(wanted["mean"], rel=1e-6, abs=1e-6)
            assert found.variance[channel] == pytest.approx(wanted["variance"], rel=2e-5, abs=1e-9)


def test_large_maps_are_counted_in_pieces() -> None:
    # More than one piece, and rows that are no multiple of 8 long.
    random = np.random.default_rng(0)
    codes = [random.standard_normal((7, 211, 299)).astype(np.float32) for _ in range(2)]
    found = fed(_make, codes, [0, 1]).of(LAYER)
    whole = np.stack(codes).astype(np.float64)
    assert (found.positive == (whole > 0).mean((0, 2, 3))).all()
    assert found.mean == pytest.approx(whole.mean((0, 2, 3)), abs=1e-6)
    assert found.variance == pytest.approx(whole.var((0, 2, 3)), rel=1e-5)


def test_dead_and_silent_channels() -> None:
    codes = _codes(0, 4, -30.0)
    found = fed(_make, codes, [0, 1, 2, 3]).of(LAYER)
    assert found.dead.tolist() == [False, False, True, False]
    assert found.silent.tolist() == [False, False, True, True]
    assert found.saturated is None


def test_saturation_is_the_share_near_a_bound() -> None:
    code = np.array([[[0.5, 0.995, 0.005, 0.9]], [[1, 1, 1, 0.02]]], np.float32)
    found = fed(lambda: Statistics([LAYER], {LAYER: (0.0, 1.0)}), [code], [0]).of(LAYER)
    assert found.saturated is not None
    assert found.saturated.tolist() == [0.5, 0.75]
    code = np.array([[[6, 5.95, 5.9, 0]]], np.float32)
    found = fed(lambda: Statistics([LAYER], {LAYER: (-np.inf, 6.0)}), [code], [0]).of(LAYER)
    assert found.saturated is not None
    assert found.saturated.tolist() == [0.5]


def test_bounds_are_those_of_the_activation_function() -> None:
    net = Network(nn.Sequential(nn.Conv2d(3, 2, 3), nn.Sigmoid(), nn.Conv2d(2, 2, 3), nn.ReLU6()))
    assert bounds_of(net, ["0", "1", "3"]) == {"1": (0.0, 1.0), "3": (-np.inf, 6.0)}


def test_the_maxima_are_those_of_activation_maximisation() -> None:
    codes = _codes(3, 5)
    found = fed(_make, codes, list(range(5))).maxima(LAYER, "net", "five images")
    assert torch.equal(found.values, torch.from_numpy(np.stack(codes).max((0, 2, 3))))
    assert (found.layer, found.network, found.count) == (LAYER, "net", 5)
    assert found.origin == "over 5 images of five images"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(value) -> None:
    codes = _codes(1, 3)
    codes[2][1, 0, 0] = value
    with pytest.raises(NotFinite, match=r"unit 1 of 'layer' .* image 2"):
        _make().see(batch_of(codes, [0, 1, 2]))


def test_nothing_seen_is_said() -> None:
    with pytest.raises(UnitError, match="nothing was collected of layer 'layer'"):
        _make().of(LAYER)
