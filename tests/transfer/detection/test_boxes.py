"""Boxes are moved, left out and suppressed as the formulas say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from phosphene.transfer.detection.boxes import clipped, kept, mirrored, moved, offsets, suppressed
from tests.reference import detections as literal


def some(count: int, seed: int = 0, side: float = 60) -> np.ndarray:
    rng = np.random.default_rng(seed)
    at = rng.uniform(0, side, (count, 2))
    return np.concatenate([at, at + rng.uniform(1, side, (count, 2))], 1)


def test_offsets_are_the_formulas_and_moving_undoes_them() -> None:
    boxes, goals = some(30), some(30, 1)
    found = offsets(boxes, goals)
    for (l, t, r, b), (gl, gt, gr, gb), row in zip(boxes, goals, found, strict=True):  # noqa: E741
        w, h = r - l, b - t
        expected = (
            ((gl + gr) / 2 - (l + r) / 2) / w,
            ((gt + gb) / 2 - (t + b) / 2) / h,
            math.log((gr - gl) / w),
            math.log((gb - gt) / h),
        )
        assert np.abs(row - expected).max() < 1e-12
    assert np.abs(moved(boxes, found) - goals).max() < 1e-9
    several = np.stack([found, np.zeros_like(found)], 1)
    assert np.abs(moved(boxes, several)[:, 0] - goals).max() < 1e-9
    assert np.abs(moved(boxes, several)[:, 1] - boxes).max() < 1e-12


def test_no_box_explodes() -> None:
    grown = moved(np.array([[0.0, 0, 16, 16]]), np.array([[0.0, 0, 50, 50]]))
    assert np.allclose(grown[0, 2:] - grown[0, :2], 1000)


def test_offsets_of_mirrored_boxes() -> None:
    boxes, goals = some(9), some(9, 1)
    found = offsets(mirrored(boxes, 130), mirrored(goals, 130))
    assert np.allclose(found, offsets(boxes, goals) * [-1, 1, 1, 1])


@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("levels", [3, 10**9])
def test_suppression_is_the_references(overlap: float, levels: int) -> None:
    boxes = np.rint(some(60))
    scores = np.random.default_rng(2).integers(0, levels, 60) / levels
    expected = literal.suppressed([tuple(b) for b in boxes], scores.tolist(), overlap)
    assert suppressed(boxes, scores, overlap).tolist() == expected


def test_suppression_of_nothing() -> None:
    assert suppressed(np.zeros((0, 4)), np.zeros(0), 0.3).tolist() == []


def test_clipping() -> None:
    boxes = clipped(np.array([[-3.0, 2, 50, 60], [70, 70, 80, 80]]), 40, 30)
    assert boxes.tolist() == [[0, 2, 40, 30], [40, 30, 40, 30]]


def test_duplicates_tiny_and_empty_boxes_go() -> None:
    boxes = np.array([[5.0, 5, 9, 9], [0, 0, 1, 9], [5.2, 5, 9, 8.9], [3, 3, 3, 9], [1, 1, 4, 4]])
    assert kept(boxes, 2).tolist() == [0, 4]
    assert kept(boxes, 0).tolist() == [0, 1, 4]
    assert kept(np.zeros((0, 4)), 2).tolist() == []
