"""Amplitudes and phases replaced, against the transform's definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from phosphene.studies.spectral_phase import amplitudes_replaced, combined, phases_replaced
from tests.reference import spectral_phase as literal

SIZES = [(6, 8), (5, 7), (4, 5)]


def planes(size: tuple[int, int], count: int = 2) -> list[np.ndarray]:
    return list(np.random.default_rng(7).random((count, *size)))


def drawn(size: tuple[int, int], seed: int) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*size, generator=generator, dtype=torch.float64).numpy()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("symmetric", [True, False])
def test_amplitudes(size: tuple[int, int], symmetric: bool) -> None:
    one, other = planes(size)
    found = amplitudes_replaced(
        torch.from_numpy(np.stack([one, other])), seed=3, symmetric=symmetric
    )
    for plane, channel in zip((one, other), found, strict=True):
        expected = literal.amplitudes_replaced(plane, drawn(size, 3), symmetric)
        assert channel.numpy() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_phases(size: tuple[int, int]) -> None:
    one, other = planes(size)
    found = phases_replaced(torch.from_numpy(one)[None], seed=4)[0]
    assert found.numpy() == pytest.approx(literal.phases_replaced(one, drawn(size, 4)), abs=1e-12)
    assert float(found.mean()) == pytest.approx(one.mean())
    both = combined(torch.from_numpy(one)[None], torch.from_numpy(other)[None])[0]
    assert both.numpy() == pytest.approx(literal.combined(one, other), abs=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_what_is_kept(size: tuple[int, int]) -> None:
    image = torch.from_numpy(np.stack(planes(size, 3)))
    before = torch.fft.fft2(image)
    kept = torch.fft.fft2(amplitudes_replaced(image))
    # Phases stay to the last digit, and amplitudes are the same for all channels.
    assert (kept / before).imag.abs().max() < 1e-9 * (kept / before).abs().max()
    assert torch.allclose(kept[0].abs(), kept[1].abs())
    turned = torch.fft.fft2(phases_replaced(image))
    assert torch.allclose(turned.abs(), before.abs())
    ratio = turned / before
    assert torch.allclose(ratio[0], ratio[1])
