"""Binning gradients by their orientation: who gets how much of each pixel's vote.

K directed bins are centred at the angles 2 pi k / K, from +x towards +y. A gradient g lies between
two neighbouring centres; its *first* bin is the nearer one, its *second* the other. Its length
|g| is shared among the two,

    hard        |g|                                        to the first alone,
    bilinear    |g| max(0, 1 - K / (2 pi) acos(<g, u_k> / |g|))
    relu        max(0, <g, u_k> - a |g|) / (1 - a),        a = cos(2 pi / K)

which is how HOG, dense SIFT and the ReLU approximation of both bin (Mahendran & Vedaldi, IJCV
2016, section 4.1; the last with a factor that makes a gradient at a bin's centre count |g|).

*Ties.* In 8-bit images gradients exactly between two bins are common. As in VLFeat the scores
<g, u_k> are compared in the arithmetic of the image's type with directions rounded to single
precision, and of equal scores the lower undirected bin wins.

*Gradients.* Bins are piecewise constant; the shares' derivatives are exact, finite everywhere, and
0 where the image is flat.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Binning = Literal["hard", "bilinear", "relu"]
Vote = tuple[Tensor, Tensor]
"""What each pixel gives, and to which directed bin, int32."""


def votes(
    gx: Tensor,
    gy: Tensor,
    half: int,
    binning: Binning,
    exact: bool = False,
    surrogate: float = 0.0,
) -> tuple[Vote, ...]:
    """Share out the lengths of gradients.

    Args:
        gx: Of any shape.
        gy: Of the same.
        half: K / 2, the number of undirected bins, at least 3.
        binning: How they are shared out.
        exact: Compute bilinear shares in the very arithmetic of VLFeat, single precision with
            the arc cosine; by the arc tangent otherwise, which is more accurate, and up to 2.5e-4
            off from it.
        surrogate: How much of the bilinear shares' derivative takes the place of the hard ones',
            which knows nothing of the angle; 0 is the true derivative.

    Returns:
        For the first bin, and, unless binning is hard through and through, for the second: what
        each pixel gives, and to which bin.
    """
    circle = Circle.of(half, gx.dtype, gx.device)
    with torch.no_grad():
        first, second = circle.nearest(gx, gy, binning != "hard" or surrogate > 0)
    bins = _take(circle.wrapped, first)
    if second is None:
        return ((_Length.apply(gx, gy), bins),)  # type: ignore[no-untyped-call]
    other = _take(circle.wrapped, second)
    ux, uy = _take(circle.ux, first), _take(circle.uy, first)
    if binning == "relu":
        vx, vy = _take(circle.ux, second), _take(circle.uy, second)
        a = math.cos(math.pi / half)
        shares = _Rectified.apply(gx, gy, ux, uy, vx, vy, a)  # type: ignore[no-untyped-call]
    else:
        bend = surrogate if binning == "hard" else None
        shares = _Linear.apply(gx, gy, ux, uy, half, exact, bend)  # type: ignore[no-untyped-call]
    return (shares[0], bins), (shares[1], other)


@dataclass(frozen=True, eq=False)
class Circle:
    """The centres of the bins, numbered from -half - 1 to half + 1 with an offset of half + 1.

    Attributes:
        half: The number of undirected bins.
        ux: Directions u_k, rounded to single precision as in VLFeat.
        uy: Likewise.
        wrapped: The directed bin, 0 .. 2 half - 1, int32.
        below: How far the score of the bin below must reach above a bin's own to beat it: 0, and
            a trifle where that bin is, undirected, the higher one and loses ties.
        above: How far the bin above has to exceed it: 0, and a trifle less where it wins ties.
        beyond: How far the bin above has to exceed that below to be the better neighbour.
    """

    half: int
    ux: Tensor
    uy: Tensor
    wrapped: Tensor
    below: Tensor
    above: Tensor
    beyond: Tensor

    @classmethod
    @lru_cache(maxsize=32)
    @torch.inference_mode(False)
    def of(cls, half: int, dtype: torch.dtype, device: torch.device) -> Circle:
        """Make the tables of a number of undirected bins."""
        angles = torch.arange(half, dtype=torch.float64) * (math.pi / half)
        forth = torch.stack([angles.cos(), angles.sin()]).float()
        number = torch.arange(2 * half + 3) - half - 1
        ux, uy = torch.cat([forth, -forth], 1)[:, number % (2 * half)]
        trifle = torch.finfo(dtype).tiny
        lowest, highest = number % half == 0, number % half == half - 1
        tables = (ux, uy, lowest * trifle, highest * -trifle, (lowest | highest) * -trifle)
        ux, uy, below, above, beyond = (t.to(device=device, dtype=dtype) for t in tables)
        wrapped = (number % (2 * half)).to(device=device, dtype=torch.int32)
        return cls(half, ux.contiguous(), uy.contiguous(), wrapped, below, above, beyond)

    def nearest(self, gx: Tensor, gy: Tensor, two: bool) -> tuple[Tensor, Tensor | None]:
        """Return the numbers of the first and, where asked for, the second bin."""
        # The angle only has to name three candidates, so it may be as inexact as it likes; which
        # of them it is, is told by the scores.
        angle = torch.atan2(gy, gx).mul_(self.half / math.pi).round_()
        middle = angle.to(torch.int32).add_(self.half + 1)
        less, own, more = (self._score(gx, gy, middle + step) for step in (-1, 0, 1))
        below = (less - own) >= _take(self.below, middle)
        above = (more - own) > _take(self.above, middle)
        step = above.to(torch.int32).sub_(below.to(torch.int32))
        first = middle + step
        if not two:
            return first, None
        side = ((more - less) > _take(self.beyond, middle)).to(torch.int32).mul_(2).sub_(1)
        # Beside a neighbour lies the middle one.
        return first, middle + side.mul_(step == 0)

    def _score(self, gx: Tensor, gy: Tensor, number: Tensor) -> Tensor:
        # Two products and a sum: a fused operation would break ties.
        return _take(self.ux, number).mul_(gx).add_(_take(self.uy, number).mul_(gy))


def _take(table: Tensor, index: Tensor) -> Tensor:
    return table.index_select(0, index.reshape(-1)).view(index.shape)


def _inverse(length: Tensor) -> Tensor:
    """Return 1 / length, and 0 where it is 0."""
    return length.reciprocal().masked_fill_(length == 0, 0)


def _norm(gx: Tensor, gy: Tensor) -> Tensor:
    squares = gx.square().add_(gy.square())
    # The processor's vectorised root in single precision is off by one ulp now and then.
    return squares.double().sqrt_().to(squares.dtype)


class _Length(torch.autograd.Function):
    """|g|, whose derivative at 0 is taken as 0."""

    @staticmethod
    def forward(ctx: Any, gx: Tensor, gy: Tensor) -> Tensor:
        length = _norm(gx, gy)
        ctx.save_for_backward(gx, gy, length)
        return length

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, Tensor]:
        gx, gy, length = ctx.saved_tensors
        scale = _inverse(length).mul_(slopes[0])
        return scale * gx, scale * gy


class _Linear(torch.autograd.Function):
    """Bilinear shares of the first and second bin.

    With theta the angle to the first centre and d the bins' distance they are |g| (1 - theta / d)
    and |g| theta / d. The gradient of |g| theta is theta g / |g| +- (g turned by 90 degrees) / |g|.
    With a surrogate the shares are the hard ones, |g| and 0, and the derivative is as if
    `surrogate` times the second share had been moved from the first.
    """

    @staticmethod
    def forward(
        ctx: Any,
        gx: Tensor,
        gy: Tensor,
        ux: Tensor,
        uy: Tensor,
        half: int,
        exact: bool,
        surrogate: float | None,
    ) -> tuple[Tensor, Tensor]:
        length = _norm(gx, gy)
        score = (gx * ux).add_(gy * uy)
        cross = (gy * ux).sub_(gx * uy)
        scale = half / math.pi
        if exact:
            ratio = (score.double() / length.double().clamp(min=1e-10)).clamp_(max=1)
            share = ratio.float().acos_().double().mul_(scale).to(gx.dtype)
        else:
            share = torch.atan2(cross.abs(), score).mul_(scale)
        ctx.save_for_backward(gx, gy, length, share, cross)
        ctx.scale, ctx.bend = scale, surrogate
        if surrogate is not None:
            return length.clone(), torch.zeros_like(length)
        return (1 - share).mul_(length), length * share

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        gx, gy, length, share, cross = ctx.saved_tensors
        one, two = slopes
        inverse = _inverse(length)
        more = two - one if ctx.bend is None else (two - one).mul_(ctx.bend)
        across = (more * inverse).mul_(cross.sign()).mul_(ctx.scale)
        along = more.mul_(share).add_(one).mul_(inverse)
        x = (along * gx).sub_(across * gy)
        y = along.mul_(gy).add_(across.mul_(gx))
        return x, y, None, None, None, None, None


class _Rectified(torch.autograd.Function):
    """Shares by a ReLU with an offset."""

    @staticmethod
    def forward(
        ctx: Any, gx: Tensor, gy: Tensor, ux: Tensor, uy: Tensor, vx: Tensor, vy: Tensor, a: float
    ) -> tuple[Tensor, Tensor]:
        length = _norm(gx, gy)
        one = (gx * ux).add_(gy * uy).sub_(length, alpha=a).clamp_(min=0).div_(1 - a)
        two = (gx * vx).add_(gy * vy).sub_(length, alpha=a).clamp_(min=0).div_(1 - a)
        ctx.save_for_backward(gx, gy, length, ux, uy, vx, vy, one, two)
        ctx.a = a
        return one, two

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        gx, gy, length, ux, uy, vx, vy, first, second = ctx.saved_tensors
        one = slopes[0] * (first > 0) / (1 - ctx.a)
        two = slopes[1] * (second > 0) / (1 - ctx.a)
        offset = (one + two).mul_(ctx.a).mul_(_inverse(length))
        x = (one * ux).add_(two * vx).sub_(offset * gx)
        y = (one * uy).add_(two * vy).sub_(offset * gy)
        return x, y, None, None, None, None, None
