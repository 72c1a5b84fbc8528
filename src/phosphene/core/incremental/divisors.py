"""What an average pool multiplies the sum over each of its windows with."""

from __future__ import annotations

from typing import Any

import torch

from phosphene.core.graph import Size
from phosphene.core.incremental.patches import Clean


def divisors(size: Size, options: tuple[Any, ...], rest: tuple[bool, int | None]) -> Clean:
    """Ask PyTorch for the weight of every window, by pooling ones.

    Padding may count or not, sizes rounded up make windows that end beyond the padding, and the
    divisor may be given: the mean of ones over a window, by how many of them it has seen, is one
    over what it divides by, in all these cases.

    Args:
        size: (1, c, h, w) of what is pooled.
        options: Kernel, stride, padding, and whether sizes are rounded up.
        rest: Whether padding counts, and the divisor if it is given.

    Returns:
        (1, 1, h', w') weights.
    """
    ones = torch.ones(1, 1, *size[-2:], dtype=torch.float64)
    pool = torch.ops.aten.avg_pool2d.default
    return Clean(pool(ones, *options, *rest) / pool(ones, *options, True, 1))
