"""Gradients of images, as the classical descriptors take them.

All are plain differences of neighbouring pixels, formed by subtraction first: directional 3x3
filters in single precision break the exact ties between orientations that 8-bit images are full
of. x runs right, y down.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


def inner(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return central differences where both neighbours are there (VLFeat's HOG).

    Args:
        image: (b, c, h, w).

    Returns:
        gx and gy, each (b, c, h - 2, w - 2), not halved.
    """
    gx = image[..., 1:-1, 2:] - image[..., 1:-1, :-2]
    gy = image[..., 2:, 1:-1] - image[..., :-2, 1:-1]
    return gx, gy


def padded(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return half the central differences of an image set in black (`hog_net`).

    Args:
        image: (b, c, h, w).

    Returns:
        gx and gy, each (b, c, h, w); those of the border see the black.
    """
    gx, gy = inner(pad(image, (1, 1, 1, 1)))
    return gx / 2, gy / 2


def one_sided(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return half the central differences, and whole one-sided ones at the border (VLFeat's SIFT).

    Args:
        image: (b, c, h, w).

    Returns:
        gx and gy, each (b, c, h, w).
    """
    gx, gy = torch.empty_like(image), torch.empty_like(image)
    _differences(image, gx)
    _differences(image.transpose(-1, -2), gy.transpose(-1, -2))
    return gx, gy


def _differences(image: Tensor, out: Tensor) -> None:
    out[..., 1:-1] = (image[..., 2:] - image[..., :-2]) / 2
    out[..., 0] = image[..., 1] - image[..., 0]
    out[..., -1] = image[..., -1] - image[..., -2]


def steepest(gx: Tensor, gy: Tensor) -> tuple[Tensor, Tensor]:
    """Keep at each pixel the channel of the largest gradient; of equal ones the first.

    Args:
        gx: (b, c, h, w).
        gy: (b, c, h, w).

    Returns:
        gx and gy, each (b, h, w).
    """
    if gx.shape[1] == 1:
        return gx[:, 0], gy[:, 0]
    with torch.no_grad():
        size = gx.square() + gy.square()
        best = size[:, 0]
        channel = torch.zeros_like(best, dtype=torch.int64)
        for number in range(1, gx.shape[1]):
            channel = torch.where(size[:, number] > best, number, channel)
            best = torch.maximum(size[:, number], best)
    index = channel[:, None]
    return gx.gather(1, index)[:, 0], gy.gather(1, index)[:, 0]
