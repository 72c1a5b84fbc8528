"""Names of estimators."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from phosphene.errors import FlowError, SettingError
from phosphene.motion.estimators import DEFAULT, describe, open_estimator
from tests.motion.scenes import moved


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("dis", "dis:medium"),
        (" dis:fast ", "dis:fast"),
        ("dis:ultrafast", "dis:ultrafast"),
        ("farneback", "farneback"),
        ("tvl1", "tvl1"),
        (DEFAULT, "dis:medium"),
    ],
)
def test_opens_by_name(spec: str, name: str) -> None:
    estimator = open_estimator(spec)
    assert estimator.name == name
    assert open_estimator(estimator.name).name == name
    assert pickle.loads(pickle.dumps(estimator)).name == name


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("diss", "did you mean 'dis'"),
        ("farnebeck", "did you mean 'farneback'"),
        ("zebra", "take one of dis, farneback, tvl1"),
        ("", "there is no estimator ''"),
        ("dis:mediun", "did you mean 'medium'"),
        ("dis:best", "take ultrafast, fast, medium"),
        ("tvl1:fast", "it has none"),
        ("raft", "name a file of them"),
        ("raft:large", "name a file of them"),
        ("raft:lage:weights.pth", "did you mean 'large'"),
        ("epicflow", "epicflow:FOLDER"),
        ("command:", "names no program"),
    ],
)
def test_names_that_cannot_be(spec: str, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        open_estimator(spec)


def test_every_family_is_described() -> None:
    named = " ".join(name for name, _ in describe())
    for family in ("dis", "farneback", "tvl1", "raft", "coarse2fine", "epicflow", "command"):
        assert family in named
    assert all("`" not in name + text and text for name, text in describe())


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8), "shape"),
        (np.zeros((4, 4, 3)), np.zeros((4, 4, 3)), "float64"),
        (np.zeros((4, 0, 3), np.uint8), np.zeros((4, 0, 3), np.uint8), "shape"),
        (np.zeros((4, 5, 3), np.uint8), np.zeros((4, 4, 3), np.uint8), "5x4 and one of 4x4"),
        ("frame.png", "frame.png", "str"),
    ],
)
def test_frames_that_cannot_be(first: object, second: object, said: str) -> None:
    with pytest.raises(FlowError, match=said):
        open_estimator("dis")(first, second)  # type: ignore[arg-type]


def test_frames_may_be_views() -> None:
    one, other = moved(40, 60, 2, -1)
    estimator = open_estimator("dis")
    seen = estimator(one[:, ::-1], other[:, ::-1])
    copied = estimator(one[:, ::-1].copy(), other[:, ::-1].copy())
    assert np.array_equal(seen.vectors, copied.vectors)
