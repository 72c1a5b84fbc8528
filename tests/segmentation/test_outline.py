"""Masks traced along the edges of pixels."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from phosphene.segmentation.outline import polygons_of
from phosphene.segmentation.region import components
from phosphene.segmentation.truths.polygons import fill_all
from tests.reference import scores as reference

masks = arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))
few = settings(max_examples=150, deadline=None)


def picture(*rows: str) -> Any:
    return np.array([[c == "#" for c in row] for row in rows])


@few
@given(masks)
def test_filling_gives_the_mask_again(mask: Any) -> None:
    polygons = polygons_of(mask)
    np.testing.assert_array_equal(fill_all(polygons, mask.shape), mask)
    slow = np.zeros(mask.shape, bool)
    for polygon in polygons:
        slow |= reference.filled(polygon, mask.shape) > 0
    np.testing.assert_array_equal(slow, mask)
    assert len(polygons) == components(mask, corners=False)[1]


@few
@given(masks)
def test_borders_are_the_edges_of_pixels(mask: Any) -> None:
    """Each edge between object and background is walked once, the object at its right."""
    wide = np.pad(mask, 1)
    wanted: set[tuple[int, int, int, int]] = set()
    for y, x in np.argwhere(mask).tolist():
        if not wide[y, x + 1]:
            wanted.add((x, y, x + 1, y))
        if not wide[y + 1, x + 2]:
            wanted.add((x + 1, y, x + 1, y + 1))
        if not wide[y + 2, x + 1]:
            wanted.add((x + 1, y + 1, x, y + 1))
        if not wide[y + 1, x]:
            wanted.add((x, y + 1, x, y))
    walked: Counter[tuple[int, int, int, int]] = Counter()
    for polygon in polygons_of(mask):
        corners = list(zip(polygon[::2], polygon[1::2], strict=True))
        for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
            if x0 != x1 and y0 != y1:
                walked[x0, y0, x1, y1] += 1  # part of a seam
                continue
            length = abs(x1 - x0) + abs(y1 - y0)
            dx, dy = np.sign(x1 - x0).item(), np.sign(y1 - y0).item()
            for i in range(length):
                walked[x0 + i * dx, y0 + i * dy, x0 + (i + 1) * dx, y0 + (i + 1) * dy] += 1
    # What is walked in both directions is a seam.
    left = {e: n - walked[e[2], e[3], e[0], e[1]] for e, n in walked.items()}
    assert {edge for edge, n in left.items() if n > 0} == wanted
    assert max(left.values(), default=1) == 1


def test_polygons_have_the_fewest_corners() -> None:
    assert polygons_of(picture("....", ".##.", ".##.")) == [[1, 1, 3, 1, 3, 3, 1, 3]]
    assert polygons_of(picture("#.", "##")) == [[0, 0, 1, 0, 1, 1, 2, 1, 2, 2, 0, 2]]
    assert polygons_of(picture("...")) == []


def test_pixels_that_touch_by_a_corner_are_apart() -> None:
    squares = [[0, 0, 1, 0, 1, 1, 0, 1], [1, 1, 2, 1, 2, 2, 1, 2]]
    assert polygons_of(picture("#.", ".#")) == squares


@pytest.mark.parametrize(
    "rows",
    [
        ("###", "#.#", "###"),
        ("#####", "#.#.#", "##.##", "#.#.#", "#####"),
        ("#####", "#...#", "#.#.#", "#...#", "#####"),
        ("####", "#..#", "#.##", "##.#"),
    ],
)
def test_holes_stay_holes(rows: tuple[str, ...]) -> None:
    mask = picture(*rows)
    polygons = polygons_of(mask)
    assert all(len(polygon) >= 8 for polygon in polygons)
    np.testing.assert_array_equal(fill_all(polygons, mask.shape), mask)


def test_a_large_mask_with_thousands_of_holes() -> None:
    mask = np.random.default_rng(0).random((120, 160)) < 0.85
    np.testing.assert_array_equal(fill_all(polygons_of(mask), mask.shape), mask)
