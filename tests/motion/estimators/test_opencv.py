"""OpenCV's estimators: right, of any size, and without memory."""

from __future__ import annotations

import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import pytest

from phosphene.errors import FlowError
from phosphene.motion.estimators import open_estimator
from phosphene.motion.estimators.opencv import _coarsest
from tests.motion.scenes import moved
from tests.reference import dis_levels

NAMES = ("dis:ultrafast", "dis:fast", "dis:medium", "farneback", "tvl1")
PLAIN: dict[str, Any] = {
    "dis:ultrafast": lambda: cv2.DISOpticalFlow_create(0),  # type: ignore[attr-defined]
    "dis:fast": lambda: cv2.DISOpticalFlow_create(1),  # type: ignore[attr-defined]
    "dis:medium": lambda: cv2.DISOpticalFlow_create(2),  # type: ignore[attr-defined]
    "farneback": lambda: cv2.FarnebackOpticalFlow_create(),  # type: ignore[attr-defined]
    "tvl1": lambda: cv2.optflow.DualTVL1OpticalFlow_create(),  # type: ignore[attr-defined]
}
# Below a patch, below a pyramid's finest level, and so wide that OpenCV's own choice crashes.
SIZES = [
    (1, 1), (1, 7), (7, 1), (8, 47), (9, 300), (13, 63), (15, 300), (16, 2000), (31, 300),
    (24, 300), (47, 3), (64, 33), (80, 80), (300, 11), (45, 45), (97, 33),
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_finds_a_shift(name: str) -> None:
    found = open_estimator(name)(*moved(96, 128, 3, -2))
    inner = found.vectors[16:-16, 16:-16]
    error = np.hypot(inner[..., 0] - 3, inner[..., 1] + 2)
    assert found.size == (96, 128)
    assert found.valid.all()
    assert np.median(error) < 0.15
    assert error.mean() < (0.5 if "fast" in name else 0.15)


@pytest.mark.parametrize("name", NAMES)
def test_is_opencvs_own_where_that_works(name: str) -> None:
    one, other = moved(96, 120, 1, 2)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (one, other)]
    plain = PLAIN[name]().calc(*grey, None)
    assert np.array_equal(open_estimator(name)(one, other).vectors, plain)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[1]}x{size[0]}")
@pytest.mark.parametrize("name", NAMES[:4])
def test_any_size(name: str, size: tuple[int, int]) -> None:
    one, other = moved(*size, 1, 0)
    estimator = open_estimator(name)
    found = estimator(one, other)
    assert found.size == size
    assert found.valid.all()
    assert found.magnitude.max() <= 2 * max(16, *size)
    assert np.array_equal(estimator(one, other).vectors, found.vectors)


@pytest.mark.parametrize("size", [(1, 1), (5, 40), (40, 5), (33, 17)])
def test_any_size_by_total_variation(size: tuple[int, int]) -> None:
    assert open_estimator("tvl1")(*moved(*size, 1, 0)).size == size


@pytest.mark.parametrize("name", NAMES)
def test_earlier_frames_are_forgotten(name: str) -> None:
    """OpenCV's DIS and TV-L1 keep the levels that they chose for a small frame."""
    one, other = moved(100, 120, 2, 1)
    fresh = open_estimator(name)(one, other)
    used = open_estimator(name)
    used(*moved(20, 24, 1, 0, seed=3))
    used(*moved(90, 60, -4, 0, seed=4))
    assert np.array_equal(used(one, other).vectors, fresh.vectors)


def test_a_small_frame_moves_too() -> None:
    found = open_estimator("dis")(*moved(24, 24, 1, 1))
    assert np.median(np.abs(found.vectors - 1)) < 0.2


@pytest.mark.parametrize("height", [16, 17, 31, 32, 63, 64, 100, 240, 436, 1080])
@pytest.mark.parametrize("width", [16, 22, 23, 45, 46, 90, 91, 320, 1024, 1920])
def test_coarsest_level(height: int, width: int) -> None:
    assert _coarsest(height, width) == dis_levels.coarsest(height, width)


@pytest.mark.parametrize("name", ["dis:ultrafast", "dis:medium"])
def test_opencv_chooses_no_levels_itself(name: str) -> None:
    """Where it does, it changes the finest level, by the width alone."""
    estimator: Any = open_estimator(name)
    preset = PLAIN[name]().getFinestScale()
    rng = np.random.default_rng(0)
    for height, width in rng.integers(16, 260, (30, 2)).tolist():
        frame = np.zeros((height, width, 3), np.uint8)
        estimator(frame, frame)
        levels = min(preset, dis_levels.coarsest(height, width))
        assert estimator._kept.algorithm.getFinestScale() == levels
        assert estimator._kept.algorithm.getPatchSize() == 8


def test_threads_do_not_share_buffers() -> None:
    pairs = [moved(60, 80, dx, 1, seed=dx) for dx in range(6)]
    estimator = open_estimator("dis")
    alone = [estimator(*pair).vectors for pair in pairs]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda pair: estimator(*pair).vectors, pairs * 3))
    for found, expected in zip(together, alone * 3, strict=True):
        assert np.array_equal(found, expected)


def test_travels_after_use() -> None:
    pair = moved(40, 60, 1, 0)
    estimator = open_estimator("dis")
    found = estimator(*pair)
    assert np.array_equal(pickle.loads(pickle.dumps(estimator))(*pair).vectors, found.vectors)


def test_without_contributed_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "optflow")
    with pytest.raises(FlowError, match="without TV-L1"):
        open_estimator("tvl1")


def test_without_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(FlowError, match=r"farneback needs OpenCV.*phosphene\[motion\]"):
        open_estimator("farneback")
