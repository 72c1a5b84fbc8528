"""Trimaps: how many pixels, which ones, and maps that say nothing."""

from __future__ import annotations

import numpy as np
import pytest

from phosphene.errors import SettingError
from phosphene.segmentation.trimap import (
    BACKGROUND,
    FOREGROUND,
    SURE_BACKGROUND,
    SURE_FOREGROUND,
    UNKNOWN,
    trimap,
)


@pytest.mark.parametrize(("high", "low"), [(0.95, 0.3), (0.9, 0.3), (0.6, 0.5), (0.5, 0)])
def test_as_many_pixels_as_the_quantiles_say(high: float, low: float) -> None:
    values = np.random.default_rng(0).permutation(1000).reshape(25, 40).astype("f4")
    made = trimap(values, high, low)
    assert made.foreground.sum() == pytest.approx(1000 * (1 - high), abs=1)
    assert made.background.sum() == pytest.approx(1000 * low, abs=1)
    assert (made.levels == SURE_FOREGROUND).sum() == pytest.approx(5, abs=1)
    assert (made.levels == SURE_BACKGROUND).sum() == pytest.approx(5 if low else 1, abs=1)
    # By the values, not by chance.
    assert values[made.foreground].min() > values[made.levels == UNKNOWN].max()
    assert values[made.background].max() < values[made.levels == UNKNOWN].min()
    assert set(np.unique(trimap(values, high, low, fixed=False).levels)) == {
        BACKGROUND, UNKNOWN, FOREGROUND
    }  # fmt: skip


def test_what_is_not_known_counts_nowhere() -> None:
    values = np.full((20, 30), np.nan, "f4")
    values[5:15, 5:25] = np.random.default_rng(0).permutation(200).reshape(10, 20)
    values[0, 0] = np.inf
    made = trimap(values)
    assert made.known.sum() == 200
    assert not made.levels[~made.known].any()
    assert made.foreground.sum() == 10
    assert made.background.sum() == 60
    shown = np.asarray(made.shown())
    assert (shown[~made.known] == 128).all()
    assert shown.shape == (20, 30, 3)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.zeros((6, 7)), "zero everywhere"),
        (np.full((6, 7), 2.0), "the same everywhere"),
        (-np.random.default_rng(0).random((6, 7)), "zero everywhere"),
        (np.full((6, 7), np.nan), "known nowhere"),
        (np.ones((1, 1)), "the same everywhere"),
    ],
)
def test_maps_that_say_nothing(values: np.ndarray, why: str) -> None:
    made = trimap(values.astype("f4"))
    assert why in made.empty
    assert not made.levels.any()
    made.shown()


@pytest.mark.parametrize("share", [0.001, 0.02, 0.5, 0.99])
def test_few_values(share: float) -> None:
    """Zeros are never object, and what is largest always is."""
    values = np.zeros(2000, "f4")
    values[: max(1, round(share * 2000))] = 3
    made = trimap(values.reshape(40, 50))
    assert np.array_equal(made.foreground.ravel(), values > 0)
    assert np.array_equal(made.background.ravel(), values == 0)


def test_what_higher_parts_enclose() -> None:
    """A ring: low inside and outside, and only the outside is background."""
    y, x = np.mgrid[:41, :41] - 20
    radius = np.hypot(y, x)
    values = np.exp(-(((radius - 12) / 3) ** 2)).astype("f4")
    both, outside = trimap(values, 0.9, 0.5), trimap(values, 0.9, 0.5, enclosed=False)
    assert both.background[20, 20]
    assert not outside.background[20, 20]
    assert np.array_equal(outside.background, both.background & (radius > 12))
    assert np.array_equal(outside.foreground, both.foreground)
    # Where all that is low is enclosed, there is no other background to learn from.
    low = trimap(np.minimum(radius, 15).astype("f4"), 0.9, 0.3, enclosed=False)
    assert low.background.sum() == pytest.approx(0.3 * 41 * 41, rel=0.05)


def test_quantiles_in_the_wrong_order() -> None:
    for high, low in ((0.3, 0.9), (1.0, 0.3), (0.5, -0.1), (0.5, 0.5), (float("nan"), 0.3)):
        with pytest.raises(SettingError, match="divide no map"):
            trimap(np.ones((3, 3), "f4"), high, low)
