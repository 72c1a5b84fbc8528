"""The Fourier parameterisation: a sum of waves, there and back, with a spectrum like 1 / f."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from phosphene.preimage.fourier import MARGIN, Fourier, Parameters, Pixels
from tests.reference import fourier as reference

SIZES = [(4, 5), (5, 4), (6, 8), (7, 7), (1, 3), (2, 1)]


def mean(channels: int = 3) -> torch.Tensor:
    values = torch.tensor([0.48, 0.46, 0.41], dtype=torch.float64)[:channels]
    return values.view(1, -1, 1, 1)


def photographs(size: tuple[int, int], channels: int = 3, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    rgb = torch.rand(2, channels, *size, generator=generator, dtype=torch.float64)
    return 255 * (0.05 + 0.9 * rgb - mean(channels))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("decay", "decorrelated"), [(1.0, True), (0.0, False), (1.5, True)])
def test_there_and_back(
    size: tuple[int, int], channels: int, decay: float, decorrelated: bool
) -> None:
    parameters = Fourier(size, mean(channels), decay, decorrelated)
    x = photographs(size, channels)
    theta = parameters.start(x)
    assert theta.shape == (2, channels, size[0], size[1] // 2 + 1, 2)
    assert parameters.noise([0, 1]).shape == theta.shape
    torch.testing.assert_close(parameters.image(theta), x, rtol=0, atol=1e-5)
    single = parameters.image(parameters.start(x.float()))
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), x, rtol=0, atol=1e-2)


@pytest.mark.parametrize("size", [(4, 5), (5, 4), (3, 3), (2, 6)], ids=str)
@pytest.mark.parametrize("decorrelated", [True, False])
def test_the_image_is_the_sum_of_waves(size: tuple[int, int], decorrelated: bool) -> None:
    parameters = Fourier(size, mean(), 0.7, decorrelated, deviation=0.3)
    theta = parameters.noise([0, 1]).double()
    for got, one in zip(parameters.image(theta), theta, strict=True):
        want = reference.image(one.numpy(), size[1], mean().flatten().numpy(), 0.7, decorrelated)
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("size", [(4, 5), (3, 4)], ids=str)
def test_gradients(size: tuple[int, int]) -> None:
    parameters = Fourier(size, mean())
    theta = parameters.start(photographs(size)).requires_grad_()
    assert torch.autograd.gradcheck(parameters.image, theta)
    assert not parameters.start(theta.new_zeros(1, 3, *size).requires_grad_()).requires_grad


@pytest.mark.parametrize("decay", [0.0, 1.0, 2.0])
def test_amplitudes_fall_with_the_frequency(decay: float) -> None:
    side = 64
    parameters = Fourier((side, side), mean(), decay, deviation=1e-4)
    x = parameters.image(parameters.noise(range(8)).double())
    amplitude = torch.fft.rfft2(x).abs().square().mean((0, 1)).sqrt()
    frequency = torch.hypot(torch.fft.fftfreq(side)[:, None], torch.fft.rfftfreq(side))
    inside = (frequency > 2 / side) & (frequency < 0.5)
    logs = (frequency[inside].log().numpy(), amplitude[inside].log().numpy())
    slope = np.polyfit(*logs, 1)[0]
    assert slope == pytest.approx(-decay, abs=0.05)


def test_black_and_white_are_clamped_into_range() -> None:
    parameters = Fourier((4, 4), mean())
    rgb = torch.tensor([0.0, 1.0], dtype=torch.float64).view(2, 1, 1, 1).expand(2, 3, 4, 4)
    x = 255 * (rgb - mean())
    got = parameters.image(parameters.start(x)) / 255 + mean()
    torch.testing.assert_close(got, rgb.clamp(MARGIN, 1 - MARGIN))


def test_images_are_possible_colors_however_large_the_parameters() -> None:
    parameters = Fourier((8, 6), mean(), deviation=10)
    rgb = parameters.image(parameters.noise([0])) / 255 + mean().float()
    assert rgb.min() > -1e-6
    assert rgb.max() < 1 + 1e-6


@pytest.mark.parametrize(
    "parameters", [Pixels((5, 4)), Pixels((3, 6), 1), Fourier((5, 4), mean())], ids=str
)
def test_noise_belongs_to_its_seed(parameters: Parameters) -> None:
    before = torch.get_rng_state()
    three = parameters.noise([5, 6, 7])
    assert three.dtype == torch.float32
    assert torch.equal(three[1:2], parameters.noise([6]))
    assert not torch.equal(three[0], three[1])
    assert torch.equal(torch.get_rng_state(), before)
    alone = parameters.image(three)[2:]
    torch.testing.assert_close(alone, parameters.image(three[2:]))


def test_pixels_are_themselves() -> None:
    x = photographs((5, 4))
    parameters = Pixels((5, 4))
    assert parameters.image(x) is x
    theta = parameters.start(x)
    assert torch.equal(theta, x)
    assert theta.data_ptr() != x.data_ptr()
    noise = Pixels((40, 40)).noise([0])
    assert noise.abs().max().item() == pytest.approx(80 / 3**0.5 / 0.9, rel=0.02)
