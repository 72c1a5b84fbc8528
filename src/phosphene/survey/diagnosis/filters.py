"""The filters of a first layer as signals: which frequencies they answer to, and how alike.

Zeiler & Fergus (ECCV 2014, section 4.1) found in AlexNet's first layer "a mix of extremely high and
low frequency information, with little coverage of the mid frequencies", and in its second layer
aliasing from the first one's stride of 4. Both can be read off the weights.

The spectrum of a filter w of c channels is the power of its discrete Fourier transform, zero-padded
to a grid of N x N, summed over the channels and divided by its sum:

    P(f) = sum_c |W_c(f)|^2 / sum_g sum_c |W_c(g)|^2,   f in cycles per pixel, |f_x|, |f_y| <= 1/2

A layer of stride s keeps every s-th answer. What a filter lets through above the Nyquist frequency
1/(2s) comes back as a lower frequency that was not in the image. How much that is hangs on what
there is in images: their power falls as 1/f^2 (Field, JOSA A 1987), so that the share is

    alias = sum_{|f_x| or |f_y| > 1/(2s)} P(f) / |f|^2  /  sum_f P(f) / |f|^2,   f = 0 left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# Cycles per pixel. A filter of seven pixels cannot tell frequencies below 1/8 from a constant;
# above 1/4 a pattern has fewer than four pixels to a period, and the eye sees noise or a chequer.
LOW, HIGH = 1 / 8, 1 / 4
BINS = 24
_GRID = 48
# Numbers in a layer up to which its filters are compared in double precision.
_LARGE = 4_000_000


@dataclass(frozen=True, eq=False)
class Spectra:
    """Where the energy of filters lies.

    Attributes:
        frequency: (b,) middles of the radial bins, cycles per pixel; the last reaches the corner.
        energy: (n, b) share of each filter's energy in each bin; rows add up to 1, or are 0 for
            filters of zeros.
        low, mid, high: (n,) shares below `LOW`, between, and above `HIGH`.
        above: (n,) plain share of energy above the Nyquist frequency of the stride.
        alias: (n,) the same, weighed by the spectrum of images.
        constant: (n,) share of the energy that is the means of the filter's channels.
    """

    frequency: Tensor
    energy: Tensor
    low: Tensor
    mid: Tensor
    high: Tensor
    above: Tensor
    alias: Tensor
    constant: Tensor


def spectra(weight: Tensor, stride: tuple[int, int] = (1, 1)) -> Spectra:
    """Measure the spectra of filters.

    Args:
        weight: (n, c, h, w).
        stride: (down, right) of the layer.
    """
    w = weight.detach().double().cpu()
    size = max(_GRID, 2 * max(w.shape[2:]))
    power = torch.fft.fft2(w, s=(size, size)).abs().square().sum(1)
    total = power.sum((1, 2), keepdim=True)
    power = power / torch.where(total > 0, total, 1)
    f = torch.fft.fftfreq(size, dtype=torch.float64)
    radius = (f[:, None].square() + f[None, :].square()).sqrt()
    width = 0.5**0.5 / BINS
    place = (radius / width).long().clamp_max(BINS - 1).flatten()
    energy = torch.zeros(len(w), BINS, dtype=torch.float64)
    energy.index_add_(1, place, power.flatten(1))
    # Exactly at the Nyquist frequency nothing is lost.
    outside = (f.abs()[:, None] > 0.5 / stride[0] + 1e-9) | (
        f.abs()[None, :] > 0.5 / stride[1] + 1e-9
    )
    seen = power / radius.square().clamp_min(1e-12)
    seen[:, 0, 0] = 0
    all_seen = seen.sum((1, 2))
    mean = w.mean((2, 3)).square().sum(1) * (w.shape[2] * w.shape[3])
    length = w.square().sum((1, 2, 3))
    low, high = power[:, radius < LOW].sum(1), power[:, radius > HIGH].sum(1)
    return Spectra(
        (torch.arange(BINS, dtype=torch.float64) + 0.5) * width,
        energy,
        low,
        power.sum((1, 2)) - low - high,
        high,
        power[:, outside].sum(1),
        seen[:, outside].sum(1) / torch.where(all_seen > 0, all_seen, 1),
        mean / torch.where(length > 0, length, 1),
    )


def rms(weight: Tensor) -> Tensor:
    """Return the root mean square of each filter, (n,), of weights (n, ...).

    Zeiler & Fergus scaled filters back whose RMS exceeded 0.1, lest a few of them dominate.
    """
    return weight.detach().double().cpu().flatten(1).square().mean(1).sqrt()


@dataclass(frozen=True)
class Twin:
    """Two filters that are nearly the same, or each other's negative.

    Attributes:
        first, second: Their numbers.
        cosine: Of their angle, means removed; below 0 where one is the other's negative.
    """

    first: int
    second: int
    cosine: float


def twins(weight: Tensor, bound: float, groups: int = 1) -> list[Twin]:
    """Find pairs of filters that are nearly the same up to a positive or negative factor.

    Args:
        weight: (n, c, h, w), or (n, c).
        bound: Smallest absolute cosine, after each filter's mean is taken away.
        groups: Of the layer; filters that read different channels are no twins.

    Returns:
        The pairs, most alike first. Filters without any variation have no direction, and no twin.
    """
    flat = weight.detach().cpu().flatten(1)
    if flat.shape[1] < 2:
        return []
    # A large fully connected layer would take gigabytes in double precision.
    flat = flat.double() if flat.numel() <= _LARGE else flat.float()
    unit = flat - flat.mean(1, keepdim=True)
    length = unit.norm(dim=1)
    alive = length > 1e-6 * flat.norm(dim=1)
    unit /= torch.where(alive, length, torch.inf)[:, None]
    each = len(flat) // groups
    found: list[Twin] = []
    for group in range(groups):
        rows = unit[group * each : (group + 1) * each]
        cosine = (rows @ rows.T).triu(1)
        for i, j in (cosine.abs() > bound).nonzero().tolist():
            found.append(Twin(group * each + i, group * each + j, float(cosine[i, j])))
    return sorted(found, key=lambda twin: -abs(twin.cosine))
