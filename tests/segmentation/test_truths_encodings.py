"""Masks as runs and as polygons."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from phosphene.errors import FormatError
from phosphene.segmentation.truths import polygons, rle
from tests.reference import scores as reference

few = settings(max_examples=40, deadline=None)
sizes = st.tuples(st.integers(1, 12), st.integers(1, 12))


@few
@given(arrays(np.uint8, sizes, elements=st.sampled_from([0, 1])))
def test_masks_come_back_from_their_runs(mask) -> None:
    runs = rle.encode(mask)
    np.testing.assert_array_equal(rle.decode(runs, mask.shape), mask)
    np.testing.assert_array_equal(reference.decoded(runs, mask.shape), mask)
    np.testing.assert_array_equal(rle.decode(rle.pack(runs), mask.shape), mask)
    np.testing.assert_array_equal(rle.decode(rle.pack(runs).encode(), mask.shape), mask)


@few
@given(st.lists(st.integers(0, 2**28)))
def test_counts_come_back_from_their_string(counts) -> None:
    assert rle.unpack(rle.pack(counts)) == counts


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        # Written by COCO's own code.
        ([0, 6, 1, 3], "061M"),
        ([0, 6, 1, 6], "0610"),
        ([0, 1, 1, 2, 1, 3, 1, 4, 1], "011101010"),
        ([0, 1024], "0PP1"),
        ([10, 3, 7, 5], ":372"),
    ],
)
def test_strings_are_those_of_coco(counts, text) -> None:
    assert rle.pack(counts) == text
    assert rle.unpack(text) == counts


def test_runs_go_down_the_columns() -> None:
    np.testing.assert_array_equal(rle.decode([1, 3, 2], (3, 2)), [[0, 1], [1, 0], [1, 0]])
    assert rle.encode(np.array([[1, 0], [1, 1]])) == [0, 2, 1, 1]


@pytest.mark.parametrize(
    ("counts", "size", "message"),
    [
        ([1, 2], (2, 2), "have 3 pixels"),
        ([-1, 5], (2, 2), "no length"),
        ([4.0], (2, 2), "no length"),
        ([True, 3], (2, 2), "no length"),
        ([10**30], (2, 2), "no length"),
        ("0!", (2, 2), "characters"),
        ("p\u20ac", (2, 2), "characters"),
        ("PPPPPPPPPPPPPPPPPPPPPPPPP", (2, 2), "characters"),
        ("0P", (2, 2), "cut off"),
        ([0], (0, 5), "cannot be"),
        ([2**40], (2**20, 2**20), "cannot be"),
    ],
)
def test_damaged_runs_are_refused(counts, size, message) -> None:
    with pytest.raises(FormatError, match=message):
        rle.decode(counts, size)


corner = st.floats(-2, 15, width=32)


@few
@given(st.lists(st.tuples(corner, corner), min_size=3, max_size=8), sizes)
def test_polygons_are_filled_as_by_walking_around_them(corners, size) -> None:
    polygon = [number for pair in corners for number in pair]
    np.testing.assert_array_equal(polygons.fill(polygon, size), reference.filled(polygon, size))


@pytest.mark.parametrize(
    ("polygon", "size", "text"),
    [
        # Written by pycocotools 2.0.11.
        ([1.3, 0.7, 8.2, 2.9, 5.5, 9.1, 0.4, 6.6], (10, 10), "614501O010O00N3Mc0"),
        ([-3, 4.2, 7.7, -2.5, 15.1, 6.6, 6, 12.4], (9, 12), "2532OP2OQN1O"),
        ([0, 0, 9, 7, 9, 0, 0, 7], (8, 10), "072N2N2N90G2N2N27"),
    ],
)
def test_polygons_are_filled_as_by_coco(polygon, size, text) -> None:
    np.testing.assert_array_equal(polygons.fill(polygon, size), rle.decode(text, size))


def test_a_rectangle_of_whole_pixels_is_just_these() -> None:
    mask = polygons.fill([2, 1, 5, 1, 5, 3, 2, 3], (4, 6))
    expected = np.zeros((4, 6))
    expected[1:3, 2:5] = 1
    np.testing.assert_array_equal(mask, expected)


def test_a_border_that_comes_back_cuts_out_a_hole() -> None:
    outer, inner = [0, 0, 6, 0, 6, 6, 0, 6, 0, 0], [2, 2, 2, 4, 4, 4, 4, 2, 2, 2]
    mask = polygons.fill([*outer, *inner], (6, 6))
    expected = np.ones((6, 6))
    expected[2:4, 2:4] = 0
    np.testing.assert_array_equal(mask, expected)


def test_parts_that_overlap_are_united() -> None:
    parts = [[0, 0, 3, 0, 3, 1, 0, 1], [2, 0, 5, 0, 5, 1, 2, 1]]
    np.testing.assert_array_equal(polygons.fill_all(parts, (1, 6)), [[1, 1, 1, 1, 1, 0]])
    assert not polygons.fill_all([], (2, 2)).any()


def test_a_circle_has_its_area() -> None:
    angles = np.arange(360) * math.pi / 180
    circle = np.stack([50 + 30 * np.cos(angles), 40 + 30 * np.sin(angles)], 1)
    mask = polygons.fill(circle.ravel().tolist(), (80, 100))
    assert mask.sum() == pytest.approx(math.pi * 900, rel=0.01)


def test_a_border_without_end_is_refused() -> None:
    with pytest.raises(FormatError, match="is damaged"):
        polygons.fill([0, 0, 9e5, 9e5] * 10, (4, 4))
