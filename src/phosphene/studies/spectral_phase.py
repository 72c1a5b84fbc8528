r"""An image with the amplitudes, or the phases, of its Fourier transform replaced.

An image x with the transform `X = |X| exp(i angle X)` becomes

    amplitudes_replaced    F^-1[ |N| exp(i angle X) ]        N ~ N(0, 1)
    phases_replaced        F^-1[ |X| exp(i (angle X + t)) ]  t the phase of white noise
    combined               F^-1[ |Y| exp(i angle X) ]        y another image

The transform of a real image is symmetric, `X(-f) = conj X(f)`; the amplitudes are drawn on one
half of the plane and mirrored, so that the result is real. The authors' code draws them on all of
it and takes the real part, which mixes them: `(|N(f)| + |N(-f)|) / 2`. Both are offered.

*Reference.* Mahendran & Vedaldi, ECCV 2016, section 3.4 and figure 7; Oppenheim and Lim,
The importance of phase in signals, 1981.

*Departures.* All channels get the same amplitudes, or the same turn of their phases, so that colors
stay together; with new phases the mean stays as it is.
"""

from __future__ import annotations

import torch
from torch import Tensor


def amplitudes_replaced(image: Tensor, seed: int = 0, *, symmetric: bool = True) -> Tensor:
    """Keep an image's phases, and replace its amplitudes by |N(0, 1)|.

    Args:
        image: (c, h, w).
        seed: Start of the random numbers.
        symmetric: Draw on one half of the frequencies; otherwise on all of them, as the authors'
            code does, and take the real part.

    Returns:
        (c, h, w) float64, of a scale that has nothing to do with the image's.
    """
    height, width = image.shape[-2:]
    drawn = _noise(height, width, seed).abs()
    if symmetric:
        drawn = torch.where(_first_half(height, width), drawn, _mirrored(drawn))
    return _with_amplitudes(image, drawn)


def combined(phases: Tensor, amplitudes: Tensor) -> Tensor:
    """Return (c, h, w) with the phases of one image and the amplitudes of another."""
    return _with_amplitudes(phases, torch.fft.fft2(_double(amplitudes)).abs())


def phases_replaced(image: Tensor, seed: int = 0) -> Tensor:
    """Keep an image's amplitudes and its mean, and turn its phases at random.

    Args:
        image: (c, h, w).
        seed: Start of the random numbers.

    Returns:
        (c, h, w) float64.
    """
    height, width = image.shape[-2:]
    turn = torch.fft.fft2(_noise(height, width, seed))
    turn = torch.polar(torch.ones_like(turn.real), turn.angle())
    turn[0, 0] = 1
    found: Tensor = torch.fft.ifft2(torch.fft.fft2(_double(image)) * turn).real
    return found


def _with_amplitudes(image: Tensor, amplitudes: Tensor) -> Tensor:
    phases = torch.fft.fft2(_double(image)).angle()
    spectrum = torch.polar(amplitudes.expand_as(phases).contiguous(), phases)
    found: Tensor = torch.fft.ifft2(spectrum).real
    return found


def _noise(height: int, width: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(height, width, generator=generator, dtype=torch.float64)


def _mirrored(plane: Tensor) -> Tensor:
    """Return the plane with the value of -f at every frequency f."""
    return plane.flip(0, 1).roll((1, 1), (0, 1))


def _first_half(height: int, width: int) -> Tensor:
    """Return where a frequency comes before its mirror image, or is its own."""
    places = torch.arange(height * width).view(height, width)
    return places <= _mirrored(places)


def _double(image: Tensor) -> Tensor:
    return image.detach().cpu().double()
