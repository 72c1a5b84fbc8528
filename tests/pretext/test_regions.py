"""What is in front by motion, and how good regions are."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from phosphene.errors import SettingError
from phosphene.motion.flow import Flow
from phosphene.pretext.foreground import foreground, residual
from phosphene.pretext.region_scores import (
    PlaceBinding,
    best_foreground_iou,
    matched_iou,
    overlaps,
)


def scene(noise: float = 0.1) -> tuple[Flow, np.ndarray]:
    y, x = np.mgrid[:60, :80]
    vectors = np.stack((0.05 * x - 0.02 * y + 1, 0.01 * x), -1)
    front = (y - 30) ** 2 + (x - 50) ** 2 < 15**2
    vectors[front] += (3, -2)
    vectors += np.random.default_rng(0).normal(0, noise, vectors.shape)
    return Flow.of(vectors), front


def test_what_moves_otherwise_is_in_front():
    flow, front = scene()
    found = foreground(flow)
    assert (found & front).sum() / (found | front).sum() > 0.98


def test_the_dominant_motion_is_taken_away():
    flow, front = scene(0.0)
    off = residual(flow)
    assert off[~front].max() < 1e-3
    assert off[front] == pytest.approx(math.hypot(3, 2), abs=0.01)


def test_where_all_moves_alike_nothing_is_in_front():
    y, x = np.mgrid[:20, :30]
    assert not foreground(Flow.of(np.stack((0.1 * x, 0.2 * y), -1))).any()
    assert not foreground(Flow.of(np.zeros((5, 5, 2)))).any()
    assert not foreground(Flow.of(np.full((5, 5, 2), np.nan))).any()


def test_unknown_flow_is_never_in_front():
    flow, front = scene()
    valid = np.ones_like(front)
    valid[20:40, 45:55] = False
    found = foreground(Flow.of(np.where(valid[:, :, None], flow.vectors, np.nan)))
    assert not found[~valid].any()
    assert found[front & valid].mean() > 0.95


def literal_match(found: np.ndarray, truth: np.ndarray) -> float:
    """The best of all assignments."""
    a, b = range(int(found.max()) + 1), sorted(set(truth[truth >= 0].tolist()))
    iou = {
        (i, j): ((found == i) & (truth == j)).sum()
        / ((truth >= 0) & ((found == i) | (truth == j))).sum()
        for i in a
        for j in b
    }
    if len(a) >= len(b):
        every = itertools.permutations(a, len(b))
        return max(sum(iou[i, j] for i, j in zip(p, b, strict=True)) for p in every) / len(b)
    every = itertools.permutations(b, len(a))
    return max(sum(iou[i, j] for i, j in zip(a, p, strict=True)) for p in every) / len(b)


@pytest.mark.parametrize(("regions", "true"), [(4, 3), (3, 4), (3, 3)])
def test_matching_is_the_best_of_all(regions, true):
    rng = np.random.default_rng(1)
    for _ in range(5):
        truth = rng.integers(-1, true, (8, 9))
        found = np.where(rng.random((8, 9)) < 0.5, np.abs(truth), rng.integers(0, regions, (8, 9)))
        found = np.minimum(found, regions - 1)
        assert matched_iou(found, truth) == pytest.approx(literal_match(found, truth))


def test_names_of_regions_do_not_count():
    truth = np.zeros((4, 4), int)
    truth[:, 2:] = 1
    assert matched_iou(1 - truth, truth) == 1
    assert matched_iou(np.zeros((4, 4), int), truth) == pytest.approx(0.25)
    assert overlaps(truth, truth).tolist() == [[1, 0], [0, 1]]
    with pytest.raises(SettingError, match="one size"):
        matched_iou(truth[:2], truth)
    with pytest.raises(SettingError, match="no true region"):
        matched_iou(truth, np.full((4, 4), -1))


def test_a_foreground_in_two_regions_is_found():
    regions = np.repeat(np.arange(4), 4).reshape(4, 4)
    front = (regions == 1) | (regions == 3)
    assert best_foreground_iou(regions, front) == 1
    assert best_foreground_iou(np.zeros((4, 4), int), front) == 0.5


def test_regions_bound_to_places_are_told():
    bound, free = PlaceBinding((2, 2)), PlaceBinding((2, 2))
    masks = torch.zeros(1, 2, 4, 4)
    masks[:, 0, :, :2] = 1
    masks[:, 1, :, 2:] = 1
    for binding, other in ((bound, masks), (free, masks.flip(1))):
        binding.see(masks)
        binding.see(other)
    assert bound.information() == pytest.approx((math.log(2), math.log(2)))
    assert free.information() == pytest.approx((0, math.log(2)))
    with pytest.raises(SettingError):
        PlaceBinding().information()
