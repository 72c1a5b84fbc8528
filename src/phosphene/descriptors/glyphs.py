"""HOG drawn as glyphs: a star of strokes for each cell, along the edges it has found.

Orientation k of n is that of a gradient, at k pi / n from +x towards +y. An edge runs at right
angles to it, and so does its stroke. A stroke's brightness is the cell's undirected contrast, and
strokes of a cell add.

*Reference.* Felzenszwalb et al., PAMI 2010 (their `HOGpicture`); VLFeat's `vl_hog_render`.

*Departure.* Strokes are antialiased. Directed channels are left out, being the same contrast once
more.
"""

from __future__ import annotations

import math
from typing import get_args

import torch
from torch import Tensor

from phosphene.core.finite import all_finite
from phosphene.descriptors.blocks import Variant
from phosphene.errors import ImageError, NotFinite, SettingError

_LEAST = 3
_THICKNESS = 0.035
"""Half of a stroke's, as a share of the glyph."""


def glyphs(
    codes: Tensor,
    orientations: int = 9,
    variant: Variant = "uoctti",
    size: int = 21,
    negative: bool = False,
    brightest: float | None = None,
) -> Tensor:
    """Draw HOG, or the weights of a detector on it.

    Args:
        codes: (b, channels, rows, columns) of any floating type.
        orientations: n, of the descriptor.
        variant: Which HOG it is: `"uoctti"`, `"network"` or `"dalal-triggs"`, whose four blocks
            are averaged.
        size: Side of a cell's glyph, pixels.
        negative: Draw what is below zero in place of what is above.
        brightest: The contrast whose stroke is white; twice a picture's largest if `None`. Give
            it to compare pictures, as of a detector's positive and negative weights.

    Returns:
        (b, 1, rows * size, columns * size) in [0, 1], white strokes on black.

    Raises:
        ImageError: The codes have other channels than that HOG, or no cells.
        NotFinite: Some of them are no finite numbers.
        SettingError: There is no such variant, or glyphs are too small to be seen.

    >>> glyphs(torch.rand(1, 31, 4, 6)).shape
    torch.Size([1, 1, 84, 126])
    """
    if size < _LEAST or (brightest is not None and not brightest > 0):
        raise SettingError(
            f"glyphs of {size} pixels with {brightest} in white cannot be seen: give at least "
            f"{_LEAST} pixels, and a white above 0"
        )
    contrast = _contrast(codes, orientations, variant)
    weights = (-contrast if negative else contrast).clamp(min=0)
    drawn = strokes(orientations, size).to(weights)
    batch, _, rows, columns = weights.shape
    stars = weights.permute(0, 2, 3, 1) @ drawn.flatten(1)
    stars = stars.view(batch, rows, columns, size, size).transpose(2, 3)
    picture = stars.reshape(batch, 1, rows * size, columns * size)
    if brightest is not None:
        return (picture / brightest).clamp_(max=1)
    # Strokes add in the middle of a star, which may be whiter than white so that they are seen.
    white = 2 * weights.amax((1, 2, 3)).view(-1, 1, 1, 1)
    return (picture / white.masked_fill(white == 0, 1)).clamp_(max=1)


def strokes(orientations: int, size: int) -> Tensor:
    """Draw one stroke for each orientation, at right angles to it.

    Args:
        orientations: n.
        size: Side of the pictures, pixels.

    Returns:
        (n, size, size) in [0, 1]: the share of each pixel that the stroke covers, to first order.

    >>> strokes(9, 5)[0, 2]
    tensor([0.0000, 0.2000, 1.0000, 0.2000, 0.0000])
    """
    angle = torch.arange(orientations, dtype=torch.float64).view(-1, 1, 1) * math.pi / orientations
    place = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    x, y = place.view(1, 1, -1), place.view(1, -1, 1)
    across = (x * angle.cos() + y * angle.sin()).abs()
    along = (y * angle.cos() - x * angle.sin()).abs()
    thick = max(0.7, _THICKNESS * size)
    # A margin of a pixel keeps the stars of neighbouring cells apart.
    long = size / 2 - 1
    covered = (thick + 0.5 - across).clamp(0, 1) * (long + 0.5 - along).clamp(0, 1)
    return covered.float()


def _contrast(codes: Tensor, n: int, variant: Variant) -> Tensor:
    """Return (b, n, rows, columns): how strong each undirected orientation is."""
    if variant not in get_args(Variant):
        raise SettingError(
            f"{variant!r} is no variant of HOG: choose {', '.join(get_args(Variant))}"
        )
    channels = {"uoctti": 3 * n + 4, "dalal-triggs": 4 * n, "network": 3 * n}[variant]
    shape = tuple(codes.shape)
    if codes.dim() != 4 or shape[1] != channels or 0 in shape:
        raise ImageError(
            f"codes of shape {shape} were given, and HOG of {n} orientations, {variant}, is "
            f"(b, {channels}, rows, columns): say which orientations and variant they have"
        )
    codes = codes if codes.is_floating_point() else codes.float()
    if not all_finite(codes):
        raise NotFinite("some of the codes to draw are no finite numbers: look at what made them")
    if variant == "dalal-triggs":
        return codes.reshape(len(codes), 4, n, *shape[2:]).mean(1)
    return codes[:, 2 * n : 3 * n]
