"""SIFT's normalization: to unit length, clipped, and to unit length again."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from phosphene.descriptors.fast_math import EPSILON, inverse_root, root_slope

_MOST = 0.2


class Clipped(torch.autograd.Function):
    """`n(min(n(v), 0.2))` with `n(v) = v / (|v| + 2**-23)` along the channels, as VLFeat has it.

    One function of its own, since descriptors are large, and every pass over them counts.
    """

    @staticmethod
    def forward(ctx: Any, raw: Tensor) -> Tensor:
        """Normalize (b, c, h, w) histograms."""
        squares = _squares(raw)
        result = raw * _divisor(squares)
        result.clamp_(max=_MOST)
        rest = _squares(result)
        divisor = _divisor(rest)
        result.mul_(divisor)
        ctx.save_for_backward(raw, squares, result, rest, divisor)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        """Take a signal back."""
        raw, squares, result, rest, divisor = ctx.saved_tensors
        # The second: with v = result / divisor, n' g = g / l - v (v . g) 2 l' / l**2.
        across = (slopes[0] * result).sum(1, keepdim=True)
        slope: Tensor = slopes[0] * divisor
        slope.sub_(result * across.mul_(2 * root_slope(rest)))
        first = _divisor(squares)
        slope.masked_fill_(raw * first > _MOST, 0)
        across = (slope * raw).sum(1, keepdim=True).mul_(2 * root_slope(squares)).mul_(first**2)
        slope.mul_(first).sub_(raw * across)
        return slope


def _squares(values: Tensor) -> Tensor:
    squares: Tensor = torch.linalg.vector_norm(values, dim=1, keepdim=True).square()
    return squares


def _divisor(squares: Tensor) -> Tensor:
    return (squares * inverse_root(squares)).add_(EPSILON).reciprocal_()
