"""From numbers to pictures: the papers' display maps.

*Signals* are signed and shown around mid-gray by
`out = 1 / (1 + exp(log(99) * x / a))`, with `a` the 0.5 % quantile of the signal (negative), so
that a -> 0.01, 0 -> 0.5 and -a -> 0.99 (Mahendran & Vedaldi, ECCV 2016, footnote 4, with the 99
on the side where the authors' code has it). Where nothing is negative, `a` is minus the 99.5 %
quantile.

*Maps* are magnitudes and shown as heat, alone or over the photograph.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

# Black, indigo, magenta, orange, pale yellow: lightness rises evenly, so that gray prints keep it.
_HEAT = (
    (0.00, (0.00, 0.00, 0.02)),
    (0.25, (0.30, 0.06, 0.43)),
    (0.50, (0.71, 0.21, 0.35)),
    (0.75, (0.96, 0.53, 0.15)),
    (1.00, (0.99, 1.00, 0.75)),
)


def show_signal(signal: Tensor, quantile: float = 0.005) -> Tensor:
    """Map a signed signal to [0, 1], zero to mid-gray.

    Args:
        signal: (..., c, h, w); the scale is taken over the last three dimensions together.
        quantile: Which share of the values may saturate at the dark end.

    Returns:
        The same shape, in (0, 1). A signal that is zero everywhere is gray everywhere, and so is
        what is unknown (NaN, infinity).
    """
    flat = _known(signal)
    low, high = _quantiles(flat, quantile), _quantiles(flat, 1 - quantile)
    flat = flat.nan_to_num()
    # As in the authors' code: a quantile of practically zero gives way to the extreme.
    scale = flat.abs().amax(-1, keepdim=True)
    low = torch.where(low.abs() < 1e-5 * scale, flat.amin(-1, keepdim=True), low)
    high = torch.where(high.abs() < 1e-5 * scale, scale, high)
    a = torch.where(low < 0, low, -high)
    a = torch.where(a == 0, torch.ones_like(a), a)
    return torch.sigmoid(-math.log(99) * flat / a).view(signal.shape)


def normalize_map(saliency: Tensor, quantile: float = 0.995) -> Tensor:
    """Scale a non-negative map so that its quantile is 1, clipping what lies above.

    Args:
        saliency: (..., 1, h, w), non-negative; NaN where nothing is known.
        quantile: Which share of the pixels shall not saturate.

    Returns:
        The same shape, in [0, 1]; zero where nothing is known.
    """
    flat = _known(saliency)
    top = _quantiles(flat, quantile)
    top = torch.where(top > 0, top, flat.nan_to_num().amax(-1, keepdim=True))
    scaled = flat / torch.where(top > 0, top, torch.ones_like(top))
    return scaled.nan_to_num().clamp(0, 1).view(saliency.shape)


def _known(values: Tensor) -> Tensor:
    """Detach float32 values, with NaN for what is not finite."""
    values = values.detach().float().flatten(-3)
    return torch.where(values.isfinite(), values, torch.nan)


def _quantiles(flat: Tensor, quantile: float) -> Tensor:
    """Take the quantile of each row's known values; 0 where nothing is known."""
    # torch.quantile refuses more than 16 million values, fewer than a photograph may have.
    rows = flat.reshape(-1, flat.shape[-1]).cpu().numpy()
    known = (row[~np.isnan(row)] for row in rows)
    found = [np.quantile(row, quantile) if row.size else 0.0 for row in known]
    return flat.new_tensor(found).reshape(*flat.shape[:-1], 1)


def heat(saliency: Tensor) -> Tensor:
    """Colour a (..., 1, h, w) map in [0, 1]: (..., 3, h, w), black to pale yellow."""
    value = saliency.clamp(0, 1)
    channels = []
    for channel in range(3):
        level = torch.zeros_like(value)
        for (start, low), (end, high) in pairwise(_HEAT):
            part = ((value - start) / (end - start)).clamp(0, 1)
            level = level + part * (high[channel] - low[channel])
        channels.append(level + _HEAT[0][1][channel])
    return torch.cat(channels, -3)


def overlay(saliency: Tensor, image: Tensor, strength: float = 0.75) -> Tensor:
    """Lay a map over its photograph: gray where nothing shows, heat where the map is high.

    Args:
        saliency: (..., 1, h, w) in [0, 1].
        image: (..., 3, h, w) RGB in [0, 1].
        strength: How much of the photograph the strongest places cover.

    Returns:
        (..., 3, h, w) RGB in [0, 1].
    """
    gray = image.mean(-3, keepdim=True) * 0.85
    cover = saliency.clamp(0, 1).sqrt() * strength
    return gray * (1 - cover) + heat(saliency) * cover
