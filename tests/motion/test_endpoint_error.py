"""Errors of flow against the literal reference and by hand."""

import math

import numpy as np
import pytest

from phosphene.errors import FlowError
from phosphene.motion.endpoint_error import endpoint_error, pooled
from phosphene.motion.flow import Flow
from tests.reference import flow_errors

RNG = np.random.default_rng(0)


def pair(size: tuple[int, int] = (15, 18)) -> tuple[Flow, Flow]:
    truth = Flow.of(RNG.normal(0, 40, (*size, 2)), RNG.random(size) < 0.8)
    noise = RNG.normal(0, 2.5, (*size, 2))
    return Flow.of(truth.vectors + noise, RNG.random(size) < 0.9), truth


def test_it_agrees_with_the_reference() -> None:
    found, truth = pair()
    where = RNG.random(truth.size) < 0.7
    both = found.valid & truth.valid & where
    expected = flow_errors.errors(
        [tuple(v) for v in found.vectors[both].tolist()],
        [tuple(v) for v in truth.vectors[both].tolist()],
    )
    error = endpoint_error(found, truth, where)
    for name, value in expected.items():
        assert getattr(error, name) == pytest.approx(value, rel=1e-6), name
    assert 0 < error.outliers < error.within_5 < 1
    assert error.pixels == both.sum()
    assert error.found == both.sum() / (truth.valid & where).sum()


def test_by_hand() -> None:
    truth = Flow.of(np.array([[[0.0, 0.0], [100, 0], [10, 0], [1, 0]]]))
    found = Flow.of(np.array([[[0.0, 0.0], [104, 0], [10, 4], [0, 1]]]))
    error = endpoint_error(found, truth)
    assert error.mean == pytest.approx((0 + 4 + 4 + math.sqrt(2)) / 4)
    assert error.outliers == 0.25  # 4 of 100 pixels is under 5 %
    assert (error.within_1, error.within_3, error.within_5) == (0.25, 0.5, 1)
    same = endpoint_error(Flow.of(found.vectors[:, 3:]), Flow.of(truth.vectors[:, 3:]))
    assert same.angle == pytest.approx(60)


def test_a_perfect_answer_has_no_error() -> None:
    _, truth = pair()
    error = endpoint_error(truth, truth)
    assert (error.mean, error.angle, error.outliers, error.within_1) == (0, 0, 0, 1)


def test_small_angles_are_not_lost() -> None:
    truth, found = np.zeros((1, 1, 2)), np.full((1, 1, 2), 1e-6)
    angle = endpoint_error(Flow.of(found), Flow.of(truth)).angle
    assert angle == pytest.approx(math.degrees(math.sqrt(2) * 1e-6), rel=1e-4)


def test_huge_vectors_give_numbers() -> None:
    error = endpoint_error(Flow.of(np.full((2, 2, 2), 9e8)), Flow.of(np.zeros((2, 2, 2))))
    assert error.mean == pytest.approx(9e8 * math.sqrt(2))
    assert math.isfinite(error.angle)


def test_nothing_to_compare() -> None:
    unknown = Flow.of(np.full((3, 3, 2), np.nan))
    error = endpoint_error(unknown, Flow.of(np.zeros((3, 3, 2))))
    assert math.isnan(error.mean)
    assert (error.pixels, error.found) == (0, 0)
    assert math.isnan(endpoint_error(unknown, unknown).found)


def test_pixels_count_the_same_when_errors_are_pooled() -> None:
    parts = [pair((4, 6)), pair((4, 9)), pair((4, 1))]
    errors = [endpoint_error(*part) for part in parts]
    found, truth = (
        Flow.of(
            np.concatenate([part[i].vectors for part in parts], 1),
            np.concatenate([part[i].valid for part in parts], 1),
        )
        for i in (0, 1)
    )
    whole, together = endpoint_error(found, truth), pooled(errors)
    for name in ("mean", "angle", "outliers", "within_1", "within_3", "within_5", "found"):
        assert getattr(together, name) == pytest.approx(getattr(whole, name)), name
    assert together.pixels == whole.pixels
    assert pooled([]).pixels == 0
    assert math.isnan(pooled([]).mean)


def test_sizes_that_differ_are_refused() -> None:
    found, truth = pair()
    with pytest.raises(FlowError, match="give the same size"):
        endpoint_error(found, pair((3, 3))[1])
    with pytest.raises(FlowError, match="give the same size"):
        endpoint_error(found, truth, np.ones((3, 3), bool))
