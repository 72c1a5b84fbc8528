"""Rankings: the right order, the right numbers, failures named."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from phosphene.errors import FlowError, SettingError
from phosphene.motion.flow import Flow
from phosphene.motion.pair import Pair, Pixels
from phosphene.motion.proving import proving_ground
from phosphene.motion.ranking import rank
from phosphene.motion.trial import Trial, motion_boundaries
from tests.motion.scenes import moved, texture
from tests.reference import flow_errors


def square(seed: int, shift: int = 3) -> Trial:
    """A square that moves to the right over a still ground; what it uncovers is seen anew."""
    ground, thing = texture(48, 64, seed), texture(20, 20, seed + 100)
    first, second = ground.copy(), ground.copy()
    first[10:30, 10:30], second[10:30, 10 + shift : 30 + shift] = thing, thing
    vectors, objects = np.zeros((48, 64, 2)), np.zeros((48, 64), np.int32)
    vectors[10:30, 10:30, 0], objects[10:30, 10:30] = shift, 1
    occluded = np.zeros((48, 64), bool)
    occluded[10:30, 30 : 30 + shift] = True
    pair = Pair(first, Flow.of(vectors), f"square {seed}", second)
    return Trial(pair, occluded, objects, "squares")


@dataclass(frozen=True)
class Off:
    """An estimator that knows the shift, and is amiss by as much as it says."""

    name: str
    amiss: float
    valid_rows: int = 48

    def __call__(self, first: Pixels, second: Pixels) -> Flow:
        vectors = np.zeros((48, 64, 2))
        vectors[10:30, 10:30, 0] = 3 + self.amiss
        return Flow.of(vectors, np.arange(48)[:, None] < self.valid_rows + np.zeros((1, 64)))


@dataclass
class Failing:
    """An estimator that fails at a frame."""

    at: int
    name: str = "failing"
    seen: int = 0

    def __call__(self, first: Pixels, second: Pixels) -> Flow:
        self.seen += 1
        if self.seen > self.at:
            raise FlowError("the program ended with code 1")
        return Flow.of(np.zeros((48, 64, 2)))


def test_order_and_numbers() -> None:
    offs = [Off("bad", 4.0), Off("good", 0.25), Off("middling", -1.0)]
    ranking = rank(offs, [square(0), square(1)])
    assert [s.estimator for s in ranking.scores] == ["good", "middling", "bad"]
    assert ranking.best == "good"
    good, _, bad = ranking.scores
    assert good.trials == 2
    assert good.moving is not None
    assert good.moving.mean == pytest.approx(0.25)
    assert good.everywhere.mean == pytest.approx(0.25 * 400 / (48 * 64))
    assert good.unoccluded.mean == pytest.approx(0.25 * 400 / (48 * 64 - 60))
    assert good.everywhere.outliers == 0
    assert bad.everywhere.outliers == pytest.approx(400 / (48 * 64))
    assert good.seconds > 0


def test_regions_by_the_reference() -> None:
    trial = square(2)
    score = rank([Off("off", 3.5)], [trial]).scores[0]
    found = Off("off", 3.5)(trial.first, trial.second).vectors
    boundaries = motion_boundaries(trial.pair.flow) & ~trial.occluded
    for where, error in (
        (~trial.occluded, score.unoccluded),
        (boundaries, score.boundaries),
        (np.ones((48, 64), bool), score.everywhere),
    ):
        expected = flow_errors.errors(
            [tuple(v) for v in found[where].tolist()],
            [tuple(v) for v in trial.pair.flow.vectors[where].tolist()],
        )
        assert error.mean == pytest.approx(expected["mean"])
        assert error.outliers == pytest.approx(expected["outliers"])
        assert error.pixels == where.sum()


def test_real_estimators_on_squares() -> None:
    ranking = rank(["dis:ultrafast", "dis", "farneback"], [square(s) for s in range(3)])
    errors = {s.estimator: s.unoccluded.mean for s in ranking.scores}
    assert errors["dis:medium"] < errors["dis:ultrafast"]
    assert list(errors.values()) == sorted(errors.values())
    again = rank(["dis:ultrafast", "dis", "farneback"], [square(s) for s in range(3)])
    assert [s.unoccluded for s in again.scores] == [s.unoccluded for s in ranking.scores]


def test_what_is_shown(tmp_path: Path) -> None:
    ranking = rank(
        ["dis:fast", Off("sparse", 0.1, 30)], [square(0), square(1)], facts={"seed": "0"}
    )
    panel = ranking.panel()
    names, tiles = zip(*panel.rows, strict=True)
    assert names == ("square 0", "", "endpoint errors, 0 to 3 pixels")
    assert [tile.caption for tile in tiles[0]] == [
        "first frame",
        "second frame",
        "truth, up to 3.0 px",
    ]
    assert {tile.caption for tile in tiles[1]} == {"dis:fast", "sparse"}
    (table,) = panel.tables
    assert table.columns[0] == "estimator"
    assert len(table.rows) == 2
    assert "4 pixels of jumps" in table.note
    assert panel.facts == {"seed": "0"}
    ranking.save(tmp_path / "ranking.html")
    told = json.loads(json.dumps(ranking.as_json(), allow_nan=False))
    assert told["best"] == "sparse"
    assert told["scores"][0]["everywhere"]["found"] == pytest.approx(30 / 48)


def test_a_world_without_objects_or_boundaries() -> None:
    one, other = moved(48, 64, 1, 0)
    pair = Pair(one, Flow.of(np.broadcast_to([1.0, 0.0], (48, 64, 2))), "slide", other)
    ranking = rank(["dis"], [Trial(pair, np.zeros((48, 64), bool))])
    (score,) = ranking.scores
    assert score.moving is None
    assert math.isnan(score.boundaries.mean)
    row = ranking.tables()[0].rows[0]
    assert row[3] is None
    assert row[4] is None
    json.dumps(ranking.as_json(), allow_nan=False)


def test_one_that_fails_is_named_and_left_out() -> None:
    failing = Failing(at=1)
    ranking = rank([failing, Off("good", 0.0)], [square(s) for s in range(3)])
    assert failing.seen == 2
    assert ranking.failed == {"failing": "the program ended with code 1"}
    assert [s.estimator for s in ranking.scores] == ["good"]
    assert ranking.panel().warnings == ("failing failed: the program ended with code 1",)
    assert {t.caption for t in ranking.panel().rows[1][1]} == {"good"}


@pytest.mark.parametrize("at", [0, 1])
def test_all_fail(at: int) -> None:
    with pytest.raises(FlowError, match="no estimator came through: failing: the program"):
        rank([Failing(at)], [square(0), square(1)])


def test_nothing_to_rank() -> None:
    with pytest.raises(SettingError, match="no trials"):
        rank(["dis"], [])
    with pytest.raises(SettingError, match="name at least one"):
        rank([], [square(0)])
    with pytest.raises(SettingError, match="each once"):
        rank(["dis", "dis:medium"], [square(0)])


def test_stops_when_asked() -> None:
    seen: list[tuple[int, int, str]] = []
    ranking = rank(
        [Off("good", 0.0)],
        [square(s) for s in range(9)],
        tick=lambda *now: seen.append(now),
        stop=lambda: len(seen) == 2,
    )
    assert ranking.scores[0].trials == 2
    assert seen == [(0, 0, "squares"), (1, 0, "squares")]


def _frames(seed: int) -> Iterator[Trial]:
    return proving_ground(2, (48, 64), seed=seed)


def test_proving_ground() -> None:
    made = list(_frames(0))
    assert [t.world for t in made] == ["cubes", "moving photographs"] * 2
    assert [t.pair.name for t in made][:2] == ["cubes 0, frame 0", "moving photographs 0, frame 0"]
    again, other = list(_frames(0)), list(_frames(1))
    for one, two, three in zip(made, again, other, strict=True):
        assert one.pair.flow.size == (48, 64)
        assert np.array_equal(one.first, two.first)
        assert np.array_equal(one.pair.flow.vectors, two.pair.flow.vectors)
        assert not np.array_equal(one.first, three.first)
    assert all(t.pair.flow.magnitude.max() > 0.1 for t in made)


def test_proving_ground_of_nothing() -> None:
    with pytest.raises(SettingError, match="0 sequences"):
        next(proving_ground(0))


def test_proving_ground_with_photographs(shared: Path) -> None:
    photos = sorted((shared / "data/imagenet_sample").glob("*.jpg"))[:4]
    ranking = rank(["dis:ultrafast", "dis"], proving_ground(2, (120, 160), photos))
    for world in ("cubes", "moving photographs"):
        errors = {s.estimator: s.unoccluded.mean for s in ranking.scores if s.world == world}
        assert errors["dis:medium"] < errors["dis:ultrafast"]
        assert errors["dis:medium"] < 1.5
