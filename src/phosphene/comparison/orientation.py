"""Which way the structures of a picture run: gradients by orientation, weighted by their energy.

With gx, gy the central differences of a pixel and a channel, a structure (an edge, a stripe) runs
across its gradient, at the angle

    theta = atan2(gy, gx) + 90 degrees   (modulo 180; 0 is horizontal, 90 vertical)

and counts gx^2 + gy^2. Over all inner pixels and channels that is a histogram, and

    horizontal = sum gy^2 / sum (gx^2 + gy^2)

is the share of horizontal energy: 1 for horizontal stripes, 0 for vertical ones, and 1/2 where
there is as much of either, as in noise, or where all runs diagonally. Half of all energy is so
divided by no threshold, and a picture turned by 90 degrees has what is left to 1.

A picture of more than 32 pixels a side is reduced to 32 first (bilinear, antialiased): images that
were found by descent have noise from pixel to pixel, whose gradients run every way and would drown
those of the structures that a person sees.

The thesis (2018, section 6.1) says of a rotation network's features that several are horizontal,
from looking at them. This is the number for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

BINS = 12
SIDE = 32
"""Pixels that a picture's longer side is reduced to."""
LEANING = 0.6
"""Share of horizontal (or of vertical) energy from which on a unit is called so."""


@dataclass(frozen=True)
class Orientation:
    """How the structures of a picture run.

    Attributes:
        horizontal: Share of horizontal energy, 0 to 1; `None` for a picture without structure.
        histogram: Share of the energy by orientation, from 0 (horizontal) clockwise in steps of
            180 / `BINS` degrees, each around its angle; all 0 for a picture without structure.
    """

    horizontal: float | None
    histogram: tuple[float, ...]


def orientation(image: Tensor, bins: int = BINS) -> Orientation:
    """Measure a picture.

    Args:
        image: (c, h, w) of any range.
        bins: How many orientations are told apart.

    Returns:
        Its orientation; that of a picture of fewer than 3 pixels a side is unknown.

    >>> stripes = (torch.arange(8) % 4 < 2).float()[:, None].expand(1, 8, 8)
    >>> orientation(stripes).horizontal, orientation(stripes.mT).horizontal
    (1.0, 0.0)
    """
    found = _reduced(image.detach().double().cpu())
    if min(found.shape[-2:]) < 3:
        return Orientation(None, (0.0,) * bins)
    gx = found[..., 1:-1, 2:] - found[..., 1:-1, :-2]
    gy = found[..., 2:, 1:-1] - found[..., :-2, 1:-1]
    energy = gx.square() + gy.square()
    total = float(energy.sum())
    if not total > 0 or not math.isfinite(total):
        return Orientation(None, (0.0,) * bins)
    theta = torch.atan2(gy, gx) / math.pi + 0.5
    place = (theta * bins).round().long() % bins
    histogram = torch.zeros(bins, dtype=torch.float64)
    histogram.index_add_(0, place.flatten(), energy.flatten())
    share = float(gy.square().sum()) / total
    return Orientation(share, tuple((histogram / total).tolist()))


def _reduced(image: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    if max(height, width) <= SIDE:
        return image
    scale = SIDE / max(height, width)
    size = [max(1, round(side * scale)) for side in (height, width)]
    return interpolate(image[None], size, mode="bilinear", antialias=True)[0]


def mean_histogram(found: list[Orientation]) -> tuple[float, ...]:
    """Average histograms over pictures that have structure, each counting the same."""
    rows = [one.histogram for one in found if one.horizontal is not None]
    if not rows:
        return ()
    return tuple(sum(column) / len(rows) for column in zip(*rows, strict=True))
