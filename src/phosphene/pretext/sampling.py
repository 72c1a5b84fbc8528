"""Which pixels of a batch are compared."""

from __future__ import annotations

import torch
from torch import Tensor

from phosphene.errors import SettingError

PIXELS = 512


def sample_pixels(
    valid: Tensor, count: int = PIXELS, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Draw pixels of every image, all alike likely, none twice.

    Pixels whose flow is known come first; only where an image has fewer of them than are asked
    for, others fill the rows up.

    Args:
        valid: (b, h, w) bool, where flow is known.
        count: How many of each image: 512 in the thesis (section 3.3.3).
        generator: Of the random numbers, on the processor, so that all devices draw the same.

    Returns:
        (b, count, 2) pixels as (x, y), whole numbers, and (b, count) bool: whether flow is known.

    Raises:
        SettingError: Images have fewer pixels.
    """
    b, h, w = valid.shape
    if not 1 <= count <= h * w:
        raise SettingError(
            f"{count} pixels cannot be drawn from images of {h}x{w}: draw from 1 to {h * w}"
        )
    flat = valid.flatten(1)
    drawn = torch.rand(b, h * w, generator=generator).to(valid.device)
    # Those that are known lie in [1, 2), above all others.
    index = (drawn + flat).topk(count, dim=1, sorted=False).indices
    points = torch.stack((index % w, index // w), dim=2).float()
    return points, flat.gather(1, index)


def at_pixels(values: Tensor, points: Tensor) -> Tensor:
    """Read values of images at whole pixels.

    Args:
        values: (b, k, h, w).
        points: (b, n, 2) as `sample_pixels` gives them.

    Returns:
        (b, n, k).
    """
    x, y = points.long().unbind(2)
    index = y * values.shape[3] + x
    flat = values.flatten(2)
    return flat.gather(2, index[:, None].expand(-1, flat.shape[1], -1)).mT
