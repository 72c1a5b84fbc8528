from __future__ import annotations

import colorsys

import numpy as np
import pytest

from phosphene.motion.dataset.color import recolored
from tests.reference import augmentation as reference

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 11, 3)).astype(np.uint8)
PIXELS[0, :4] = [[0, 0, 0], [255, 255, 255], [90, 90, 90], [255, 0, 0]]


@pytest.mark.parametrize(
    ("brightness", "contrast", "hue"),
    [
        (0, 1, 0),
        (0.12, 1, 0),
        (0, 0.2, 0),
        (0, 1, 0.1),
        (0, 1, -0.1),
        (0.12, 1.8, 0.1),
        (-0.12, 1.8, -0.07),  # values below 0 before the hue is turned
        (-0.5, 1, 1 / 3),
        (-1, 1, 0.05),  # all of them
        (0, 0, 0.3),
    ],
)
def test_colors_agree_with_the_formula(brightness: float, contrast: float, hue: float) -> None:
    found = recolored(PIXELS, brightness, contrast, hue)
    want = reference.recolored(PIXELS, brightness, contrast, hue)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, want, atol=3e-6)
    assert found.min() >= 0
    assert found.max() <= 1


@pytest.mark.parametrize("turn", [0.1, -0.1, 1 / 3, 0.5])
def test_the_reference_turns_hue_as_the_standard_library(turn: float) -> None:
    for color in PIXELS.reshape(-1, 3) / 255:
        hue, saturation, value = colorsys.rgb_to_hsv(*color)
        want = colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)
        np.testing.assert_allclose(reference.hue_turned(color.tolist(), turn), want, atol=1e-12)


def test_a_third_of_a_turn_makes_red_green() -> None:
    red = np.zeros((1, 1, 3), np.uint8)
    red[..., 0] = 255
    np.testing.assert_allclose(recolored(red, 0, 1, 1 / 3)[0, 0], [0, 1, 0], atol=1e-6)
