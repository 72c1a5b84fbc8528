"""Parts of a code: windows of positions, groups of channels.

*Reference.* Mahendran & Vedaldi, IJCV 2016, section 5.4 (figures 9 and 10); thesis 2018, section
5.4.2.6: a central 5x5 window shows how local a code is, halves of the channels what AlexNet's two
streams hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from phosphene.core.seed import as_maps
from phosphene.errors import UnitError

Mask = Tensor | Callable[[Tensor], Tensor]
"""A mask, or what makes one of a code."""


def central(side: int) -> Mask:
    """Return what makes the mask of the central side x side positions (`window`)."""
    return lambda code: window(code, side)


def stream(number: int, count: int) -> Mask:
    """Return what makes the mask of one of `count` groups of channels (`group`)."""
    return lambda code: group(code, number, count)


def window(code: Tensor, side: int) -> Tensor:
    """Return the mask of the central side x side positions.

    The window starts at the 1-based ceil((n - side + 1) / 2), as in the authors' code.

    Args:
        code: (b, c, h, w), a code of the layer.
        side: Side of the window, positions.

    Returns:
        (1, c, h, w) in the code's layout and type.

    Raises:
        UnitError: The layer's map is smaller than the window.
    """
    maps, back = as_maps(code[:1])
    height, width = maps.shape[2:]
    if side < 1 or min(height, width) < side:
        raise UnitError(
            f"a window of {side}x{side} positions does not fit a map of {height}x{width}: choose "
            "a smaller window, or a layer with a larger map"
        )
    top, left = (math.ceil((n - side + 1) / 2) - 1 for n in (height, width))
    mask = torch.zeros_like(maps)
    mask[:, :, top : top + side, left : left + side] = 1
    return back(mask)


def group(code: Tensor, number: int, count: int) -> Tensor:
    """Return the mask of one of `count` equal groups of channels, as AlexNet's two streams.

    Args:
        code: (b, c, h, w), a code of the layer.
        number: Which group, from 0.
        count: How many there are.

    Returns:
        (1, c, h, w) in the code's layout and type.

    Raises:
        UnitError: The channels do not divide so, or there is no such group.
    """
    maps, back = as_maps(code[:1])
    channels = maps.shape[1]
    if count < 1 or channels % count or not 0 <= number < count:
        raise UnitError(
            f"{channels} channels have no group {number} of {count}: the number of groups has to "
            f"divide {channels}, and groups are counted from 0"
        )
    mask = torch.zeros_like(maps)
    size = channels // count
    mask[:, number * size : (number + 1) * size] = 1
    return back(mask)


def fitted(mask: Mask, code: Tensor) -> Tensor:
    """Bring a mask to a code's shape.

    Args:
        mask: (c, h, w) or (1, c, h, w) or whatever broadcasts to it; or what makes it.
        code: (b, c, h, w).

    Returns:
        (1, c, h, w).

    Raises:
        UnitError: It does not fit, or leaves nothing of the code.
    """
    mask = mask if isinstance(mask, Tensor) else mask(code)
    try:
        full = mask.to(code).expand(1, *code.shape[1:])
    except RuntimeError:
        raise UnitError(
            f"a mask of shape {tuple(mask.shape)} does not fit a code of shape "
            f"{tuple(code.shape[1:])}"
        ) from None
    if not full.any():
        raise UnitError("the mask leaves nothing of the code to match")
    return full
