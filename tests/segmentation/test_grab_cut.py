"""OpenCV's GrabCut, started from a trimap."""

from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest

from phosphene.errors import SettingError
from phosphene.segmentation.grab_cut import grab_cut
from phosphene.segmentation.trimap import trimap
from tests.segmentation.test_graph_cut import picture


def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    image = np.full((60, 80, 3), (0.2, 0.5, 0.3)) + 0.05 * draw.standard_normal((60, 80, 3))
    object_ = np.zeros((60, 80), bool)
    object_[15:45, 20:55] = True
    image[object_] += (0.5, -0.2, -0.1)
    y, x = np.mgrid[:60, :80]
    values = np.exp(-((y - 28) ** 2 + (x - 33) ** 2) / 200).astype("f4")
    return image.clip(0, 1).astype("f4"), values, object_


def test_two_colours_are_told_apart() -> None:
    image, values, object_ = scene()
    found = grab_cut(image, trimap(values))
    assert (found != object_).mean() < 0.02


def test_always_the_same_and_the_generator_is_left_alone() -> None:
    image, values, _ = scene()

    def drawn() -> np.ndarray:
        return cv2.randu(np.zeros((4, 4), np.float32), 0, 1)

    cv2.setRNGSeed(5)
    wanted = drawn(), drawn()
    cv2.setRNGSeed(5)
    first = drawn()
    one = grab_cut(image, trimap(values), 1)
    second = drawn()
    assert np.array_equal(first, wanted[0])
    assert np.array_equal(second, wanted[1])
    assert np.array_equal(one, grab_cut(image, trimap(values), 1))


def test_too_little_to_learn_from() -> None:
    image = picture(0, 6, 6)
    values = np.zeros((6, 6), "f4")
    assert not grab_cut(image, trimap(values)).any()
    values[2, 2] = 1
    assert np.array_equal(grab_cut(image, trimap(values)), values > 0)
    flat = np.full((30, 30, 3), 0.5, "f4")
    assert grab_cut(flat, trimap(np.random.default_rng(0).random((30, 30)))).shape == (30, 30)


def test_what_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    image, values, _ = scene()
    with pytest.raises(SettingError, match="0 rounds"):
        grab_cut(image, trimap(values), 0)
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(SettingError, match=r"pip install 'phosphene\[segmentation\]'"):
        grab_cut(image, trimap(values))
