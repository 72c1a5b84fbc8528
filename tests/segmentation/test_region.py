"""Components, holes, boxes, and the way back to the photograph."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from phosphene.core.preprocessing import Frame
from phosphene.segmentation.region import (
    components,
    drawn_over,
    largest_component,
    on_photograph,
    tight_box,
    without_holes,
)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.45, 0.6, 1.0])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (40, 57)])
@pytest.mark.parametrize("corners", [True, False])
def test_components_are_opencvs(share: float, size: tuple[int, int], corners: bool) -> None:
    mask = np.random.default_rng(int(share * 100)).random(size) < share
    labels, count = components(mask, corners)
    peers = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8 if corners else 4)
    assert count == peers[0] - 1
    assert np.array_equal(labels > 0, mask)
    pairs = set(zip(labels[mask].tolist(), peers[1][mask].tolist(), strict=True))
    assert len(pairs) == count


def test_the_largest() -> None:
    mask = np.zeros((8, 9), bool)
    mask[0, :3] = mask[5:8, 4:6] = True
    mask[4, 6] = True  # joined by a corner
    kept = largest_component(mask)
    assert kept.sum() == 7
    assert kept[4, 6]
    assert not kept[0].any()
    assert tight_box(kept) == (4, 4, 7, 8)
    nothing = np.zeros((3, 4), bool)
    assert not largest_component(nothing).any()
    assert tight_box(nothing) is None
    assert tight_box(np.ones((3, 4), bool)) == (0, 0, 4, 3)


def test_holes() -> None:
    ring = np.zeros((9, 9), bool)
    ring[2:7, 2:7] = True
    ring[3:6, 3:6] = False
    filled = without_holes(ring)
    assert filled.sum() == 25
    ring[4, 2] = False  # a door
    assert np.array_equal(without_holes(ring), ring)
    diamond = np.eye(3, dtype=bool)[::-1] | np.eye(3, dtype=bool)
    diamond[1, 1] = False
    diamond[[0, 1, 1, 2], [1, 0, 2, 1]] = True
    diamond[[0, 0, 2, 2], [0, 2, 0, 2]] = False
    assert without_holes(diamond)[1, 1]  # walls that meet in corners hold


def test_the_way_back_is_exact() -> None:
    """A box of whole cells of a photograph at three times the size, cropped."""
    frame = Frame((90, 120), (30, 40), (5, 10, 20, 24))
    mask = np.zeros((20, 24), bool)
    mask[4:9, 6:20] = True
    found = on_photograph(mask, frame)
    assert found.shape == (90, 120)
    assert tight_box(found) == (3 * 16, 3 * 9, 3 * 30, 3 * 14)
    assert found.sum() == 9 * mask.sum()


def test_the_way_back_of_a_smaller_photograph() -> None:
    """Every pixel takes the cell that its middle lies in."""
    draw = np.random.default_rng(0)
    mask = draw.random((64, 90)) < 0.5
    frame = Frame((31, 43), (64, 90), (0, 0, 64, 90))
    found = on_photograph(mask, frame)
    for y in range(31):
        for x in range(43):
            assert found[y, x] == mask[int((y + 0.5) * 64 / 31), int((x + 0.5) * 90 / 43)]


def test_drawing() -> None:
    photograph = Image.new("RGB", (40, 30), (10, 120, 30))
    mask = np.zeros((30, 40), bool)
    mask[10:20, 10:25] = True
    drawn = np.asarray(drawn_over(photograph, mask, tight_box(mask)))
    assert tuple(drawn[15, 15]) == (10, 120, 30)
    assert tuple(drawn[10, 10]) == (20, 60, 255)
    assert len(set(drawn[0, 0].tolist())) == 1
    drawn_over(photograph, np.zeros((30, 40), bool), None)
