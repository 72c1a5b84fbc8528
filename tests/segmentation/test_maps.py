"""Maps over a photograph, and the map that looks at nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from phosphene.core.preprocessing import Frame
from phosphene.errors import SettingError
from phosphene.segmentation.baseline import gaussian_blob
from phosphene.segmentation.maps import laid_over, smoothed


def test_smoothing_keeps_what_is_constant_and_what_is_unknown() -> None:
    values = np.full((20, 30), 0.7, "f4")
    values[:4] = np.nan
    made = smoothed(values, 2.5)
    assert np.isnan(made[:4]).all()
    np.testing.assert_allclose(made[4:], 0.7, rtol=1e-5)
    assert smoothed(values, 0) is values


def test_smoothing_is_a_gaussian() -> None:
    values = np.zeros((41, 41), "f4")
    values[20, 20] = 1
    y, x = np.mgrid[:41, :41] - 20
    wanted = np.exp(-(y**2 + x**2) / (2 * 3.0**2))
    wanted[np.maximum(abs(y), abs(x)) > 9] = 0
    np.testing.assert_allclose(smoothed(values, 3.0)[15:26, 15:26],
                               (wanted / wanted.sum())[15:26, 15:26], rtol=1e-4)  # fmt: skip


def test_a_crop_lies_where_it_was_taken() -> None:
    values = torch.rand(20, 24)
    frame = Frame((90, 120), (30, 40), (5, 10, 20, 24))
    made = laid_over(values, frame, (30, 40))
    inside = np.zeros((30, 40), bool)
    inside[5:25, 10:34] = True
    assert np.array_equal(np.isfinite(made), inside)
    np.testing.assert_allclose(made[5:25, 10:34], values.numpy(), rtol=1e-5, atol=1e-6)
    whole = Frame((90, 120), (30, 40), (0, 0, 30, 40))
    other = torch.rand(30, 40)
    assert np.array_equal(laid_over(other, whole, (30, 40)), other.numpy())


def test_a_map_of_another_size() -> None:
    """A ramp stays one, and what is unknown spreads by no more than half a pixel."""
    ramp = torch.linspace(0, 1, 50).repeat(40, 1)
    ramp[:, :10] = torch.nan
    frame = Frame((40, 50), (40, 50), (0, 0, 40, 50))
    made = laid_over(ramp, frame, (80, 100))
    assert np.isnan(made[:, :18]).all()
    assert np.isfinite(made[:, 21:]).all()
    np.testing.assert_allclose(made[5, 30:90], (np.arange(30, 90) / 2 - 0.25) / 49, atol=1e-5)


@pytest.mark.parametrize("size", [(256, 256), (256, 341), (301, 256), (96, 96), (1, 1), (1, 50)])
def test_the_blob(size: tuple[int, int]) -> None:
    for corners in (True, False):
        blob = gaussian_blob(size, corners=corners)
        assert blob.shape == size
        assert np.isfinite(blob).all()
        assert np.array_equal(blob, blob[::-1])
        assert np.array_equal(blob, blob[:, ::-1])
        if min(size) > 1:
            assert blob.max() == 1
            assert blob.min() == 0
            assert blob.argmin() in (0, *np.flatnonzero(blob == 0))


def test_the_blob_is_the_papers() -> None:
    """On an odd size near 256 px: a kernel of 125 x 125 px with sigma 24."""
    blob = gaussian_blob((257, 257), corners=False)
    away = np.arange(-62, 63)
    wanted = np.exp(-(away**2) / (2 * (24 * 257 / 256) ** 2))
    np.testing.assert_allclose(blob[128, 66:191], wanted, atol=1e-6)
    assert not blob[128, :65].any()
    with_corners = gaussian_blob((257, 257))
    assert with_corners[0, 0] == 0
    assert with_corners[128, 128] == 1
    assert with_corners[128, 0] == pytest.approx(0.5)


def test_no_pixels() -> None:
    with pytest.raises(SettingError, match="give one at least"):
        gaussian_blob((0, 5))
