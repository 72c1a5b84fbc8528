"""Sizes that photographs are brought to, and their boxes with them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from phosphene.image import to_tensor

Floats = NDArray[np.float64]


def scaled_size(size: tuple[int, int], shorter: int, longest: int) -> tuple[float, tuple[int, int]]:
    """Say how a photograph is resized: its shorter side to a length, unless the other is too long.

    Args:
        size: (width, height).
        shorter: Of the shorter side.
        longest: Of the longer side, at most.

    Returns:
        The factor, and the size that comes to.
    """
    factor = min(shorter / min(size), longest / max(size))
    return factor, (max(1, round(size[0] * factor)), max(1, round(size[1] * factor)))


def pixels_of(corners: Floats, factor: float) -> Floats:
    """Bring boxes to the resized photograph, as its first and last pixels inside.

    As in py-faster-rcnn, which multiplies the numbers of these pixels.
    """
    pixels: Floats = (corners - np.array([0.0, 0.0, 1.0, 1.0])) * factor
    return pixels


def resized(image: Image.Image, shorter: int, longest: int, flip: bool = False) -> Tensor:
    """Bring a photograph to a size (see `scaled_size`): (3, h, w), RGB in [0, 1]."""
    _, size = scaled_size(image.size, shorter, longest)
    made = image.convert("RGB")
    if made.size != size:
        made = made.resize(size, Image.Resampling.BILINEAR)
    return to_tensor(made.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flip else made)
