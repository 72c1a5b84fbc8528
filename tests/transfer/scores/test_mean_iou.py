from __future__ import annotations

import math

import numpy as np
import pytest

from phosphene.errors import SettingError
from phosphene.transfer.scores.mean_iou import Confusion
from tests.reference import mean_iou as literal


@pytest.mark.parametrize("seed", range(12))
def test_it_is_the_literal_one_and_torchmetrics_and_the_devkit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 9))
    truth = rng.integers(0, max(1, classes - seed % 3), (3, 11, 13)).astype(np.uint8)
    found = np.where(rng.random(truth.shape) < 0.6, truth, rng.integers(0, classes, truth.shape))
    if seed % 4 == 1:  # some classes are neither there nor found
        found %= max(1, classes - seed % 3)
    truth[rng.random(truth.shape) < 0.1 * (seed % 4)] = 255
    counted = Confusion(classes)
    for one, other in zip(truth, found.astype(np.uint8), strict=True):
        counted.add(one, other)
    flat = truth.ravel().tolist(), found.ravel().tolist()
    own = [None if math.isnan(v) else v for v in counted.by_class]
    assert own == pytest.approx(literal.by_class(*flat, classes), abs=1e-12)
    assert own == pytest.approx(literal.devkit(*flat, classes), abs=1e-12)
    assert counted.mean == pytest.approx(literal.mean_iou(*flat, classes), abs=1e-12)
    assert counted.mean == pytest.approx(literal.jaccard_index(*flat, classes), abs=1e-12)
    assert counted.accuracy == pytest.approx(literal.accuracy(*flat), abs=1e-12)


def test_scikit_learn_agrees() -> None:
    from sklearn.metrics import accuracy_score, jaccard_score

    rng = np.random.default_rng(3)
    truth, found = rng.integers(0, 5, (2, 400))
    counted = Confusion(5)
    counted.add(truth, found)
    assert counted.mean == pytest.approx(jaccard_score(truth, found, average="macro"), abs=1e-12)
    assert counted.accuracy == pytest.approx(accuracy_score(truth, found), abs=1e-12)


def test_a_class_that_is_neither_there_nor_found_does_not_count() -> None:
    counted = Confusion(4)
    counted.add(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2]))
    assert np.isnan(counted.by_class[3])
    assert counted.by_class[:3].tolist() == [1.0, 0.5, 0.0]
    assert counted.mean == pytest.approx(0.5)


def test_nothing_counted_is_no_number() -> None:
    counted = Confusion(3)
    counted.add(np.full((2, 2), 255, np.uint8), np.zeros((2, 2), np.uint8))
    assert math.isnan(counted.mean)
    assert math.isnan(counted.accuracy)


@pytest.mark.parametrize(
    ("truth", "found", "said"),
    [
        ([[0, 1]], [0, 1], "bring them to one size"),
        ([0, 3], [0, 1], "labels has class 3"),
        ([0, 1], [0, 7], "what was found has class 7"),
        ([0, 1], [0, -1], "class -1"),
    ],
)
def test_what_cannot_be_is_said(truth: list[int], found: list[int], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        Confusion(3).add(np.array(truth), np.array(found))
    with pytest.raises(SettingError, match="not those of 2 classes"):
        Confusion(2, np.zeros((3, 3), np.int64))
