from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from phosphene.errors import NotFinite, SettingError
from phosphene.transfer.scores.average_precision import (
    Definition,
    average_precision,
    average_precisions,
)
from tests.reference.average_precision import DEFINITIONS, curve

NAMES: tuple[Definition, ...] = ("sum", "11-point", "all-point")


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of which some are the same, and labels of which some do not count."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    levels = int(rng.choice([2, 5, 1000]))
    present = rng.choice([-1, 0, 1], n, p=[0.2, 0.5, 0.3]).astype(np.int8)
    present[rng.integers(n)] = 1
    return rng.integers(0, levels, n) / levels, present


@pytest.mark.parametrize("definition", NAMES)
@pytest.mark.parametrize("seed", range(40))
def test_it_is_what_the_definition_says(seed: int, definition: Definition) -> None:
    scores, present = drawn(seed)
    more = seed % 3
    total = int((present == 1).sum()) + more
    expected = DEFINITIONS[definition](curve(scores.tolist(), present.tolist(), total))
    found = average_precision(scores, present, definition, total)
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(40))
def test_the_sum_is_scikit_learns(seed: int) -> None:
    scores, present = drawn(seed)
    known = present >= 0
    expected = average_precision_score(present[known], scores[known])
    assert average_precision(scores, present) == pytest.approx(expected, abs=1e-9)


def test_they_differ_and_are_known_by_hand() -> None:
    # right, wrong, right, wrong, wrong: recalls 1/2, 1/2, 1, 1, 1; precisions 1, 1/2, 2/3, ...
    scores, present = np.array([5.0, 4, 3, 2, 1]), np.array([1, 0, 1, 0, 0])
    assert average_precision(scores, present, "sum") == pytest.approx(1 / 2 + 1 / 2 * 2 / 3)
    assert average_precision(scores, present, "all-point") == pytest.approx(1 / 2 + 1 / 2 * 2 / 3)
    assert average_precision(scores, present, "11-point") == pytest.approx((6 + 5 * 2 / 3) / 11)
    # A dip before a better precision is lifted by the envelope alone.
    scores, present = np.array([4.0, 3, 2, 1]), np.array([0, 1, 1, 1])
    assert average_precision(scores, present, "sum") == pytest.approx((1 / 2 + 2 / 3 + 3 / 4) / 3)
    assert average_precision(scores, present, "all-point") == pytest.approx(3 / 4)


def test_a_recall_of_three_tenths_is_reached_by_three_of_ten() -> None:
    # 0.1 * 3 is more than 3 / 10 in floating point.
    present = np.array([1, 1, 1] + [0] * 50 + [1] * 7)
    scores = -np.arange(60.0)
    reached = [3 / 3] * 4 + [10 / 60] * 7
    assert average_precision(scores, present, "11-point") == pytest.approx(np.mean(reached))


def test_what_nobody_found_costs_recall() -> None:
    scores, present = np.array([1.0]), np.array([1])
    for definition in NAMES:
        assert average_precision(scores, present, definition) == 1
    assert average_precision(scores, present, "sum", 4) == 0.25
    assert average_precision(scores, present, "11-point", 4) == pytest.approx(3 / 11)
    assert average_precision(np.zeros(0), np.zeros(0), "all-point", 4) == 0


def test_classes_that_nothing_shows_are_left_out_and_said() -> None:
    scores = np.array([[0.9, 0.1, 0.5], [0.2, 0.3, 0.4]])
    present = np.array([[1, 0, -1], [0, 0, 0]], np.int8)
    found = average_precisions(scores, present, ("cat", "dog", "key"))
    assert dict(found.by_class) == {"cat": 1.0}
    assert found.left_out == ("dog", "key")
    assert found.mean == 1
    assert "dog, key" in found.note
    assert not average_precisions(scores, np.eye(2, 3) + 0, ("a", "b", "c")).by_class.get("c")
    whole = average_precisions(scores[:, :1], present[:, :1], ("cat",))
    assert whole.note == ""


def test_bad_input_is_a_sentence() -> None:
    with pytest.raises(SettingError, match="not defined"):
        average_precision(np.ones(3), np.zeros(3))
    with pytest.raises(SettingError, match="not defined"):
        average_precision(np.ones(3), np.ones(3), "sum", 2)
    with pytest.raises(SettingError, match="nothing is present"):
        average_precisions(np.ones((3, 2)), np.zeros((3, 2)), ("a", "b"))
    with pytest.raises(SettingError, match="do not fit"):
        average_precisions(np.ones((3, 2)), np.zeros((3, 3)), ("a", "b"))
    with pytest.raises(SettingError, match="do not fit"):
        average_precision(np.ones(3), np.zeros(4))
    with pytest.raises(SettingError, match="none of"):
        average_precision(np.ones(3), np.ones(3), "area")  # type: ignore[arg-type]
    with pytest.raises(NotFinite):
        average_precision(np.array([1.0, np.nan]), np.array([1, 0]))
