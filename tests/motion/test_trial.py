"""Trials: masks of what is compared, and trials of a world's moments."""

from __future__ import annotations

import numpy as np
import pytest

from phosphene.errors import FlowError
from phosphene.motion.flow import Flow
from phosphene.motion.pair import Pair
from phosphene.motion.trial import Trial, motion_boundaries, trials
from phosphene.worlds.instant import Instant
from tests.reference.motion_boundaries import motion_boundaries as looked_for


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("jump", "reach"), [(0.5, 2), (1.0, 0), (0.2, 4)])
def test_boundaries_as_in_the_reference(seed: int, jump: float, reach: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = np.zeros((9, 12, 2))
    vectors[2:5, 3:8] = rng.normal(size=2)
    vectors[6:, 5:] = rng.normal(size=2)
    flow = Flow.of(vectors, rng.random((9, 12)) < 0.9)
    found = motion_boundaries(flow, jump, reach)
    expected = looked_for(flow.vectors, flow.valid, jump, reach)
    assert np.array_equal(found, expected)


def test_smooth_flow_has_no_boundary() -> None:
    across = np.linspace(0, 5, 40)[None, :, None] * np.ones((30, 1, 2))
    assert not motion_boundaries(Flow.of(across)).any()
    assert not motion_boundaries(Flow.of(np.ones((1, 1, 2)))).any()


def instant(number: int) -> Instant:
    flow = np.zeros((20, 30, 2))
    objects = np.zeros((20, 30), np.int32)
    flow[5:10, 5:10], objects[5:10, 5:10] = (3.0, number), 1
    occluded = np.zeros((20, 30), bool)
    occluded[5:10, 9] = True
    image = np.full((20, 30, 3), number, np.uint8)
    return Instant(image, flow, objects, objects, occluded)


def test_trials_of_moments() -> None:
    made = list(trials([instant(n) for n in range(3)], "squares", "squares 7"))
    assert [t.pair.name for t in made] == ["squares 7, frame 0", "squares 7, frame 1"]
    for number, trial in enumerate(made):
        assert trial.world == "squares"
        assert trial.first.max() == number
        assert trial.second.max() == number + 1
        assert trial.pair.flow.vectors[6, 6].tolist() == [3, number]
        moving = trial.moving
        assert moving is not None
        assert moving.sum() == 20
        assert trial.unoccluded.sum() == 595
        assert trial.boundaries.sum() == motion_boundaries(trial.pair.flow).sum() - 5


def test_trials_without_objects() -> None:
    flow = Flow.of(np.zeros((4, 5, 2)))
    frame = np.zeros((4, 5, 3), np.uint8)
    assert Trial(Pair(frame, flow, "", frame), np.zeros((4, 5), bool)).moving is None


def test_trials_that_cannot_be() -> None:
    flow, frame = Flow.of(np.zeros((4, 5, 2))), np.zeros((4, 5, 3), np.uint8)
    with pytest.raises(FlowError, match="walk lacks its second frame"):
        Trial(Pair(frame, flow, "walk"), np.zeros((4, 5), bool))
    with pytest.raises(FlowError, match=r"mask of shape \(5, 4\)"):
        Trial(Pair(frame, flow, "walk", frame), np.zeros((5, 4), bool))
