"""Gradient histograms against the literal ones."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from phosphene.studies import gradients
from tests.reference import gradients as literal


def noise(seed: int, shape: tuple[int, int] = (11, 9), low: int = 0, high: int = 256) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, (*shape, 3)).astype(np.uint8)


def stripes() -> np.ndarray:
    """Gradients that point exactly left, right, up and down: the ends of bins."""
    image = np.zeros((12, 12, 3), np.uint8)
    image[:, 3:6], image[7:9] = 200, 90
    return image


IMAGES = {
    "noise": noise(0), "dull": noise(1, low=90, high=110), "gray": noise(2).repeat(1, 2)[..., :1]
    .repeat(3, 2), "stripes": stripes(), "row": noise(3, (1, 8)), "pixel": noise(4, (1, 1)),
    "extremes": noise(5) // 128 * 255,
}  # fmt: skip


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
@pytest.mark.parametrize("stretched", [False, True])
@pytest.mark.parametrize("measure", ["orientation", "magnitude"])
def test_histograms(image: np.ndarray, stretched: bool, measure: str) -> None:
    name = f"{measure}_histogram"
    expected = getattr(literal, name)(literal.stretch(image) if stretched else image)
    for given in (image, Image.fromarray(image)):
        found = getattr(gradients, name)(given, stretched=stretched)
        assert found == pytest.approx(expected, abs=1e-12)
        assert found.sum() == pytest.approx(1 if image.size > 3 or measure == "magnitude" else 0)


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_stretch(image: np.ndarray) -> None:
    assert (gradients.stretch(image) == literal.stretch(image)).all()


def test_where_orientations_fall() -> None:
    edge = np.zeros((5, 6, 3), np.uint8)
    edge[:, 3:] = 255
    right = gradients.orientation_histogram(edge)
    left = gradients.orientation_histogram(edge[:, ::-1].copy())
    up = gradients.orientation_histogram(np.rot90(edge).copy())
    assert right.argmax() == 8  # (-20, 0], closed on the right
    assert left.argmax() == 0  # -180 belongs to the first bin
    assert up.argmax() == 13  # (80, 100], counted against the clock
    for histogram in (right, left, up):
        assert histogram.max() == pytest.approx(1)


def test_magnitudes_are_in_gray_levels_a_pixel() -> None:
    ramp = np.broadcast_to((np.arange(60) * 3)[None, :, None], (9, 60, 3)).astype(np.uint8)
    histogram = gradients.magnitude_histogram(ramp)
    assert histogram[1] == pytest.approx(58 / 60)  # 3 a pixel, half of that at the borders
    assert histogram[0] == pytest.approx(2 / 60)


def test_naturalness() -> None:
    one, other = noise(0, (40, 40)), stripes()
    for measure in ("orientation", "magnitude"):
        assert gradients.naturalness(one, one, measure) == pytest.approx(1)  # type: ignore[arg-type]
        histogram = getattr(literal, f"{measure}_histogram")
        expected = literal.intersection(histogram(one), histogram(literal.stretch(other)))
        found = gradients.naturalness(one, other, measure, stretched=True)  # type: ignore[arg-type]
        assert found == pytest.approx(expected)
        assert 0 < found < 0.9
    flat = np.full((8, 8, 3), 7, np.uint8)
    assert gradients.naturalness(one, flat) == 0


def test_what_is_no_image() -> None:
    for wrong in (np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ValueError, match="8-bit image"):
            gradients.orientation_histogram(wrong)  # type: ignore[arg-type]
