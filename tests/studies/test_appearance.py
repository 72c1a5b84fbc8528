"""Numbers of pictures, on pictures of which they are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from phosphene.studies.appearance import (
    activity,
    apart,
    chroma,
    contrast,
    difference,
    edges,
    extent,
    inside,
)


def picture(array: np.ndarray) -> Image.Image:
    return Image.fromarray(array.astype(np.uint8))


def noise(seed: int) -> Image.Image:
    return picture(np.random.default_rng(seed).integers(0, 256, (64, 64, 3)))


def test_chroma() -> None:
    gray = np.repeat(np.arange(64)[None, :, None], 3, 2).repeat(64, 0)
    assert chroma(picture(gray)) == 0
    assert chroma(Image.new("RGB", (8, 8), (255, 0, 0))) == pytest.approx(math.hypot(255, 127.5))
    assert chroma(Image.new("RGB", (8, 8), (0, 0, 255))) == 255
    assert chroma(Image.new("RGB", (8, 8), (255, 255, 0))) == 255


def test_edges_are_those_of_luminance() -> None:
    ramp = np.repeat(2 * np.arange(64)[None, :, None], 3, 2).repeat(64, 0)
    assert edges(picture(ramp)) == pytest.approx(2 * math.sqrt(62.5 / 64), rel=1e-6)
    assert edges(Image.new("RGB", (8, 8), (10, 90, 30))) == 0


def test_contrast_and_difference() -> None:
    half = np.zeros((10, 10, 3))
    half[:5] = 100
    assert contrast(picture(half)) == 50
    assert contrast(Image.new("RGB", (8, 8), (10, 90, 30))) == 0
    assert difference(picture(half), picture(half + 7)) == 7


def test_apart_does_not_mind_colour_casts_and_counts_to_one() -> None:
    one = noise(0)
    assert apart(one, one) == 0
    negative = picture(255 - np.asarray(one))
    assert apart(one, negative) == pytest.approx(math.sqrt(2), abs=0.02)
    assert apart(one, noise(1)) == pytest.approx(1, abs=0.02)
    dark = picture(np.asarray(one) // 2)
    cast = picture(np.asarray(one) // 2 + np.array([40, 0, 90]))
    assert apart(dark, cast) == pytest.approx(0, abs=1e-9)
    flat = Image.new("RGB", (64, 64))
    assert apart(flat, flat) == 0
    assert apart(flat, one) == 1


def test_activity_is_the_squared_gradient_of_the_total_variation() -> None:
    image = np.zeros((2, 4, 4))
    image[1, 2, 1] = 3
    expected = np.zeros((4, 4))
    expected[2, 1] = 18
    expected[1, 1] = expected[2, 0] = 9
    assert np.array_equal(activity(image), expected)


def test_extent_is_the_side_of_the_smallest_square() -> None:
    energy = np.zeros((101, 101))
    energy[50, 50] = 1
    assert extent(energy, (50, 50)) == 1
    energy[40:61, 40:61] = 1
    assert extent(energy, (50, 50), 1.0) == 21
    assert extent(energy, (50, 50), 0.9) == pytest.approx(21 * math.sqrt(0.9), abs=1.2)
    assert extent(energy, (50, 30), 1.0) == 61
    assert extent(np.zeros((5, 5)), (2, 2)) == 0
    even = np.zeros((8, 8))
    even[2:6, 2:6] = 1
    assert extent(even, (3.5, 3.5), 1.0) == 4


def test_inside_a_box() -> None:
    energy = np.ones((10, 10))
    assert inside(energy, (0, 0, 10, 5)) == 0.5
    assert inside(energy, (-5, -5, 10, 10)) == 0.25
    assert inside(energy, (20, 20, 5, 5)) == 0
    assert inside(np.zeros((3, 3)), (0, 0, 3, 3)) == 0
