from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from phosphene.training.processes import fabric_of
from phosphene.transfer.retrained.settings import RetrainedSetting, Scaling, Teacher
from phosphene.transfer.retrained.teachers import (
    Scale,
    _chosen_c,
    _softmax,
    answers,
    right_by_class,
)
from tests.reference import retrained as literal

SETTING = RetrainedSetting(layer="x", updates=300, batch=16, rate=0.1)


def blobs(seed: int, count: int = 20, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    middles = np.random.default_rng(99).normal(0, 3, (3, 5)) * [1, 1, 1, 0.01, 100]
    classes = np.repeat(np.arange(3), count)
    x = middles[classes] + rng.normal(0, spread, (3 * count, 5)) * [1, 1, 1, 0.01, 100]
    return x.astype(np.float32), classes.astype(np.int64)


@pytest.mark.parametrize("teacher", ["softmax", "logistic", "svm"])
@pytest.mark.parametrize("scaling", ["deviation", "length"])
def test_every_teacher_tells_classes_apart(teacher: Teacher, scaling: Scaling) -> None:
    (x, y), (tested, truth) = blobs(0), blobs(1)
    setting = replace(SETTING, teacher=teacher, scaling=scaling, decay=0.0, cs=(0.1, 1.0, 100.0))
    found, said = answers(
        setting, x, y, np.arange(60), tested, np.arange(60), classes=3, fabric=fabric_of()
    )
    assert found is not None
    assert (found == truth).mean() > (0.9 if scaling == "deviation" else 0.7)
    assert said.startswith("C ") == (teacher != "softmax")


def test_the_softmax_is_multinomial_logistic_regression() -> None:
    x, y = blobs(0, 10, 2.5)
    rows = np.arange(30)
    setting = replace(SETTING, updates=3000, batch=30, rate=0.5, decay=0.05)
    scale = Scale.of(x, rows, "deviation")
    layer = _softmax(setting, scale, x, y, rows, 3, fabric_of(), None)
    assert layer is not None
    made = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    # scikit-learn: 1/2 |w|^2 + C sum of losses; ours: decay/2 |w|^2 + mean of losses.
    peer = LogisticRegression(C=1 / (0.05 * 30), max_iter=5000, tol=1e-10).fit(scale(x), y)
    # Only differences between classes count in biases.
    assert np.allclose(made[0], peer.coef_, atol=2e-3)
    assert np.allclose(
        made[1] - made[1].mean(), peer.intercept_ - peer.intercept_.mean(), atol=2e-3
    )
    whole = scale(x).tolist(), y.tolist()
    found, best = (
        literal.objective(*whole, weight.tolist(), bias.tolist()) + 0.025 * (weight**2).sum()
        for weight, bias in (made, (peer.coef_, peer.intercept_))
    )
    assert found == pytest.approx(best, abs=1e-5)
    few = scale(x)[::3].tolist(), y[::3].tolist()
    weights, _ = literal.descended(*few, 3, 0.05, 400, 0.5)
    again = LogisticRegression(C=1 / (0.05 * 10), max_iter=5000, tol=1e-10).fit(*few)
    assert np.allclose(weights, again.coef_, atol=2e-3)


def test_features_are_scaled_by_what_is_learned_from_alone() -> None:
    x, _ = blobs(0)
    x[:, 3] = 7  # does not vary
    rows = np.arange(0, 60, 2)
    scale = Scale.of(x, rows, "deviation")
    made = scale(x[rows])
    assert np.allclose(made.mean(0), 0, atol=1e-5)
    assert np.allclose(made.std(0), [1, 1, 1, 0, 1], atol=1e-4)
    for way in ("deviation", "length", "none"):
        one = Scale.of(x, rows, way)
        assert np.allclose(one(x), one.tensor(torch.from_numpy(x)).numpy(), atol=1e-5)
    assert np.allclose(np.linalg.norm(Scale.of(x, rows, "length")(x), axis=1), 1)


def test_accuracy_is_the_mean_over_classes() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([0] * 3 + [1] * 30 + [2] * 10)
    found = rng.integers(0, 3, 43)
    shares = right_by_class(found, truth, 3)
    assert shares.mean() == pytest.approx(literal.mean_accuracy(found.tolist(), truth.tolist()))
    assert shares.mean() == pytest.approx(balanced_accuracy_score(truth, found))


def test_c_is_chosen_on_what_is_left_out() -> None:
    setting = replace(SETTING, teacher="logistic", cs=(1e-6, 1e-2, 1e4))
    x, y = blobs(0, 10)
    # Noise in many dimensions is learned by heart with a large C, and nothing with a tiny one.
    noise = np.random.default_rng(3).normal(0, 1, (30, 200))
    wide = np.concatenate((Scale.of(x, np.arange(30), "deviation")(x), noise), 1)
    assert _chosen_c(setting, wide.astype(np.float32), y) in (1e-2, 1e-6)
    single = np.array([0, 10, 20])
    assert _chosen_c(setting, x[single], y[single]) == 1e-2


def test_a_split_can_be_taught_from_a_photograph_of_each() -> None:
    (x, y), (tested, truth) = blobs(0, spread=0.2), blobs(1, spread=0.2)
    for teacher in ("softmax", "logistic", "svm"):
        setting = replace(SETTING, teacher=teacher)
        found, _ = answers(
            setting, x, y, np.array([0, 20, 40]), tested, np.arange(60), classes=3,
            fabric=fabric_of(),
        )  # fmt: skip
        assert found is not None
        assert (found == truth).mean() > 0.9
