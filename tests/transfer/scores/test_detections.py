"""Detections are counted as VOC's development kit counts them."""

from __future__ import annotations

import numpy as np
import pytest

from phosphene.errors import SettingError
from phosphene.transfer.benchmarks.records import Boxes
from phosphene.transfer.scores.detections import Detections, class_scores, matched, overlaps
from tests.reference import detections as literal

CLASSES = ("bird", "cat", "dog")


def some_boxes(rng: np.random.Generator, count: int, side: int = 30) -> np.ndarray:
    at = rng.integers(0, side, (count, 2))
    return np.concatenate([at, at + rng.integers(1, side, (count, 2))], 1).astype(np.float64)


def known(rng: np.random.Generator, photographs: int) -> list[Boxes]:
    made = []
    for _ in range(photographs):
        count = int(rng.integers(0, 5))
        made.append(
            Boxes(
                some_boxes(rng, count), rng.integers(0, 3, count).astype(np.int64),
                rng.random(count) < 0.3,
            )
        )  # fmt: skip
    return made


def near(rng: np.random.Generator, truth: list[Boxes], count: int, levels: int) -> Detections:
    """Boxes near objects, and others; of few scores if `levels` is small."""
    photographs, corners, classes = [], [], []
    for _ in range(count):
        number = int(rng.integers(len(truth)))
        own = truth[number]
        if len(own) and rng.random() < 0.7:
            at = int(rng.integers(len(own)))
            box = own.corners[at] + rng.integers(-3, 4, 4)
            box[2:] = np.maximum(box[2:], box[:2] + 1)
            class_ = int(own.classes[at])
        else:
            box, class_ = some_boxes(rng, 1)[0], int(rng.integers(3))
        photographs.append(number)
        corners.append(box)
        classes.append(class_)
    scores = rng.integers(0, levels, count) / levels
    return Detections(
        np.array(photographs, np.int64), np.array(classes, np.int64),
        np.array(corners, np.float64).reshape(-1, 4), scores,
    )  # fmt: skip


@pytest.mark.parametrize("levels", [5, 10**9], ids=["equal scores", "distinct scores"])
@pytest.mark.parametrize("seed", range(12))
def test_is_the_kits(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    truth = known(rng, 8)
    found = near(rng, truth, int(rng.integers(0, 60)), levels)
    scores = class_scores(found, truth, CLASSES)
    for index, name in enumerate(CLASSES):
        said, total = literal.verdicts(
            literal.listed(found, index), literal.objects_of(truth, index)
        )
        assert scores[name].objects == total
        assert scores[name].right == said.count("right")
        assert scores[name].detections == len(said) - said.count("not counted")
        if not total:
            assert np.isnan(scores[name].eleven_point)
            continue
        points = literal.curve(said, total)
        assert abs(scores[name].eleven_point - literal.eleven_point(points)) < 1e-6
        assert abs(scores[name].all_point - literal.all_point(points)) < 1e-6


def one(box: list[float], score: float = 1.0) -> Detections:
    return Detections(
        np.zeros(1, np.int64), np.zeros(1, np.int64), np.array([box]), np.array([score])
    )


def test_half_of_the_union_is_enough_and_difficult_objects_do_not_count() -> None:
    truth = Boxes(np.array([[0.0, 0, 2, 2]]), np.zeros(1, np.int64), np.zeros(1, bool))
    assert matched(one([0.0, 0, 2, 1]), [truth], 0) == (np.array([1]), 1)
    assert matched(one([0.0, 0, 2, 0.99]), [truth], 0) == (np.array([0]), 1)
    hard = Boxes(truth.corners, truth.classes, np.ones(1, bool))
    assert matched(one([0.0, 0, 2, 2]), [hard], 0) == (np.array([-1]), 0)
    assert class_scores(one([0.0, 0, 2, 2]), [hard], ["bird"])["bird"].detections == 0


def test_an_object_is_found_once() -> None:
    truth = Boxes(np.array([[0.0, 0, 2, 2]]), np.zeros(1, np.int64), np.zeros(1, bool))
    twice = Detections.together([one([0.0, 0, 2, 2], 0.3), one([0.0, 0, 2, 2], 0.9)])
    score = class_scores(twice, [truth], ["bird"])["bird"]
    assert (score.right, score.detections, score.all_point) == (1, 2, 1.0)


def test_nothing_detected() -> None:
    truth = Boxes(np.array([[0.0, 0, 2, 2]]), np.zeros(1, np.int64), np.zeros(1, bool))
    score = class_scores(Detections.together([]), [truth], ["bird", "cat"])
    assert score["bird"].eleven_point == 0
    assert np.isnan(score["cat"].all_point)


def test_a_photograph_of_which_nothing_is_known() -> None:
    with pytest.raises(SettingError, match="are known of 0"):
        class_scores(one([0.0, 0, 2, 2]), [], ["bird"])


def test_overlaps_are_the_references_also_of_empty_boxes() -> None:
    rng = np.random.default_rng(0)
    boxes = some_boxes(rng, 20)
    boxes[3, 2:] = boxes[3, :2]
    shared = overlaps(boxes, boxes[:7])
    for i, one_ in enumerate(boxes):
        for j, other in enumerate(boxes[:7]):
            expected = 0.0 if i == 3 or j == 3 else literal.iou(tuple(one_), tuple(other))
            assert abs(shared[i, j] - expected) < 1e-12
