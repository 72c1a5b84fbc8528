"""The papers' display maps, against their formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from phosphene import display


def spread(low: float, high: float, count: int = 1001) -> Tensor:
    """Values evenly from low to high as a (1, 1, count) signal."""
    return torch.linspace(low, high, count, dtype=torch.float64).view(1, 1, count)


def at(signal: Tensor, shown: Tensor, value: float) -> float:
    nearest = (signal - value).abs().flatten().argmin()
    return float(shown.flatten()[nearest])


def test_a_signal_meets_the_three_points_of_the_formula() -> None:
    signal = spread(-1, 3)
    a = float(signal.flatten().quantile(0.005))
    shown = display.show_signal(signal)
    assert at(signal, shown, a) == pytest.approx(0.01, abs=2e-4)
    assert at(signal, shown, 0) == pytest.approx(0.5, abs=1e-6)
    assert at(signal, shown, -a) == pytest.approx(0.99, abs=2e-4)


def test_a_signal_follows_the_formula_everywhere() -> None:
    signal = torch.randn(3, 20, 30, generator=torch.Generator().manual_seed(0)).double()
    a = float(signal.flatten().quantile(0.005))
    expected = 1 / (1 + torch.exp(math.log(99) * signal / a))
    assert torch.allclose(display.show_signal(signal).double(), expected, atol=1e-5)


def test_the_sign_is_the_brightness() -> None:
    shown = display.show_signal(torch.tensor([[[-2.0, -0.1, 0.0, 0.1, 2.0]]])).flatten()
    assert (shown.diff() > 0).all()


def test_without_negative_values_the_upper_quantile_scales() -> None:
    signal = spread(0, 2)
    shown = display.show_signal(signal)
    assert at(signal, shown, float(signal.flatten().quantile(0.995))) == pytest.approx(
        0.99, abs=2e-4
    )
    assert at(signal, shown, 0) == pytest.approx(0.5)
    assert shown.min() >= 0.5


def test_a_sparse_signal_is_scaled_by_its_extremes() -> None:
    signal = torch.zeros(1, 100, 100)
    signal[0, 0, 0], signal[0, 0, 1] = -4, 2
    shown = display.show_signal(signal)
    assert shown[0, 0, 0] == pytest.approx(0.01)
    assert shown[0, 0, 1] == pytest.approx(1 / (1 + 99**-0.5))
    assert (shown[0, 1:] == 0.5).all()


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1e6, 1e30])
def test_the_scale_of_a_signal_does_not_show(scale: float) -> None:
    signal = torch.randn(3, 9, 9, generator=torch.Generator().manual_seed(1))
    once = display.show_signal(signal)
    assert torch.allclose(display.show_signal(signal * scale), once, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, math.nan, math.inf])
def test_nothing_and_the_unknown_are_gray(value: float) -> None:
    assert (display.show_signal(torch.full((2, 3, 4, 5), value)) == 0.5).all()
    assert (display.normalize_map(torch.full((2, 1, 4, 5), value)) == 0).all()


def test_the_unknown_does_not_touch_the_rest() -> None:
    signal = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(2))
    framed = torch.full((3, 12, 12), math.nan)
    framed[:, 2:10, 2:10] = signal
    shown = display.show_signal(framed)
    assert torch.equal(shown[:, 2:10, 2:10], display.show_signal(signal))
    assert (shown[:, 0] == 0.5).all()
    heat = display.normalize_map(framed.abs()[:1])
    assert torch.equal(heat[:, 2:10, 2:10], display.normalize_map(signal.abs()[:1]))
    assert (heat[:, 0] == 0).all()


@pytest.mark.parametrize("channels", [1, 3, 96])
@pytest.mark.parametrize("show", [display.show_signal, display.normalize_map])
def test_a_batch_is_scaled_image_by_image(show, channels: int) -> None:
    generator = torch.Generator().manual_seed(3)
    batch = torch.rand(4, channels, 7, 9, generator=generator) * 10 ** torch.arange(4.0).view(
        4, 1, 1, 1
    )
    alone = torch.stack([show(image) for image in batch])
    # Not to the last bit: sigmoid rounds by the length of the array.
    assert torch.allclose(show(batch), alone, atol=1e-6)
    assert torch.allclose(show(batch.view(2, 2, channels, 7, 9)).view_as(batch), alone, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_shown(dtype: torch.dtype) -> None:
    signal = torch.randn(3, 6, 6, generator=torch.Generator().manual_seed(4)).to(dtype)
    assert display.show_signal(signal.requires_grad_()).requires_grad is False
    assert torch.allclose(display.show_signal(signal), display.show_signal(signal.float()))


def test_images_beyond_torchs_own_quantile_are_shown() -> None:
    shown = display.show_signal(torch.arange(16_777_217.0).view(1, 1, -1) - 8e6)
    assert shown.min() == pytest.approx(0.01, abs=1e-3)


def test_a_map_is_scaled_by_its_quantile_and_clipped() -> None:
    saliency = spread(0, 10)
    scaled = display.normalize_map(saliency)
    assert at(saliency, scaled, 9.95) == pytest.approx(1, abs=1e-4)
    assert at(saliency, scaled, 4.975) == pytest.approx(0.5, abs=1e-3)
    assert scaled.max() == 1
    assert scaled.min() == 0


def test_a_map_of_few_pixels_is_scaled_by_the_strongest() -> None:
    saliency = torch.zeros(1, 100, 100)
    saliency[0, 3, 4] = 5
    assert display.normalize_map(saliency)[0, 3, 4] == 1


def test_heat_grows_in_lightness_throughout() -> None:
    colours = display.heat(torch.linspace(0, 1, 512).view(1, 1, 512))[:, 0]
    assert colours.min() >= 0
    assert colours.max() <= 1
    linear = torch.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    luminance = torch.tensor([0.2126, 0.7152, 0.0722]) @ linear
    lightness = torch.where(
        luminance > 0.008856, 116 * luminance ** (1 / 3) - 16, 903.3 * luminance
    )
    assert (lightness.diff() > 0).all()
    assert lightness[0] < 1
    assert lightness[-1] > 95


def test_heat_takes_batches_and_clips() -> None:
    assert display.heat(torch.zeros(2, 5, 1, 4, 6)).shape == (2, 5, 3, 4, 6)
    edges = display.heat(torch.tensor([[[-1.0, 0.0, 1.0, 2.0]]]))
    assert torch.equal(edges[..., 0], edges[..., 1])
    assert torch.equal(edges[..., 2], edges[..., 3])


@pytest.mark.parametrize("channels", [1, 3])
def test_an_overlay_stays_a_picture(channels: int) -> None:
    generator = torch.Generator().manual_seed(5)
    image = torch.rand(2, channels, 8, 8, generator=generator)
    saliency = torch.rand(2, 1, 8, 8, generator=generator)
    over = display.overlay(saliency, image)
    assert over.shape == (2, 3, 8, 8)
    assert over.min() >= 0
    assert over.max() <= 1


def test_an_overlay_is_the_photograph_where_the_map_is_zero() -> None:
    image = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(6))
    over = display.overlay(torch.zeros(1, 4, 4), image)
    assert torch.allclose(over, (image.mean(0, keepdim=True) * 0.85).expand(3, -1, -1))
    assert not torch.allclose(display.overlay(torch.ones(1, 4, 4), image), over)
