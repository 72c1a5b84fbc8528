"""Regions that move as rigid bodies before a perspective camera: one epipolar geometry each.

Section 4.3.1, equations 4.5 to 4.8.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from phosphene.errors import SettingError
from phosphene.pretext.grouping.regions import Grouped

Through = Literal["eigenvector", "residual"]
_LEAST_GAP = 1e-6


class RigidLoss(nn.Module):
    """How far regions are from satisfying an epipolar constraint.

    With q = (x, y) in pixels and q' = q + f, the rows of A are the products of (q', 1) and (q, 1);
    beta_l is the eigenvector of A^T M_l A to its smallest eigenvalue, the eight-point algorithm
    without normalization and without a constraint of rank, in double precision. The loss is

        1 / n sum_l sum_u m_l(u) R([q'_u 1] F(beta_l) [q_u 1]^T),   R the smooth L1 function.

    Equation 4.8 prints q in place of q', and leaves out the masks and the sum over regions; the
    text says what is meant.

    With |beta_l| = 1 and coordinates in pixels the constraint's value is far below R's knee, if
    that is at 1, so that all is squared, and nearly all of the loss is about what tells cubes from
    a backdrop. A smaller knee k, R(d) = d^2 / (2k) up to k and |d| - k/2 beyond, weighs small
    misfits more. Even then thin bands across the image are cheap, whatever moves in them: where
    [q 1] l is almost 0 all along, so is [q' 1] m l^T [q 1]. With coordinates normalized they are
    not. Of several cubes `normalized=True, knee=0.01` finds the cubes, and the paper's own choice
    bands.

    Args:
        through: Where derivatives go: `"eigenvector"` also through beta_l, as the paper; its
            derivative divides by differences of eigenvalues, which vanish for plane, still and
            empty regions, and are taken for no less than 1e-6 of the largest eigenvalue.
            `"residual"` takes beta_l for given, which for a squared residual would be exact.
        normalized: Whether coordinates are brought to mean 0 and distance sqrt(2) first, as
            Hartley does and the paper does not: it "hinders convergence".
        knee: Of R; 1, which is usual, as the paper gives none.

    Raises:
        SettingError: `through` is none of these, or the knee not above 0.
    """

    def __init__(
        self,
        through: Through = "eigenvector",
        normalized: bool = False,
        knee: float = 1.0,
    ) -> None:
        super().__init__()
        if through not in get_args(Through):
            raise SettingError(f"through={through!r} is none of {', '.join(get_args(Through))}")
        if not knee > 0:
            raise SettingError(f"a knee at {knee:g} makes no smooth L1 function: give one above 0")
        self.through = through
        self.normalized = normalized
        self.knee = knee

    def forward(self, masks: Tensor, flow: Tensor, valid: Tensor | None = None) -> Tensor:
        """Judge regions; see `phosphene.pretext.grouping`."""
        at = Grouped.of(masks, flow, valid)
        rows = _rows(at, self.normalized)
        beta = fundamental(at.masks, rows, self.through)
        off = torch.einsum("bnk,blk->bln", rows, beta)
        robust = F.smooth_l1_loss(off, torch.zeros_like(off), reduction="none", beta=self.knee)
        return at.mean((at.masks * robust).sum(1)).to(masks.dtype)


def fundamental(masks: Tensor, rows: Tensor, through: Through = "eigenvector") -> Tensor:
    """Fit a fundamental matrix to every region.

    Args:
        masks: (b, L, n) double.
        rows: (b, n, 9) double, A.
        through: See `RigidLoss`.

    Returns:
        (b, L, 9), of length 1, by rows; its sign is arbitrary.
    """
    weights = masks.detach() if through == "residual" else masks
    upper = torch.triu_indices(9, 9, device=rows.device)
    products = rows[:, :, upper[0]] * rows[:, :, upper[1]]
    flat = weights @ products
    square = flat.new_zeros(*flat.shape[:2], 9, 9)
    square[:, :, upper[0], upper[1]] = flat
    square = (square + square.mT) / (1 + torch.eye(9, dtype=flat.dtype, device=flat.device))
    least: Tensor = _Least.apply(square)  # type: ignore[no-untyped-call]
    return least


def _rows(at: Grouped, normalized: bool) -> Tensor:
    """Return A, (b, n, 9): the products of (q', 1) with (q, 1)."""
    h, w = at.size
    y, x = torch.meshgrid(
        torch.arange(h, dtype=torch.float64, device=at.flow.device),
        torch.arange(w, dtype=torch.float64, device=at.flow.device),
        indexing="ij",
    )
    here = torch.stack((x.flatten(), y.flatten()), dim=1).expand_as(at.flow)
    there = here + at.flow
    if normalized:
        here, there = _hartley(here, at), _hartley(there, at)
    one = torch.ones_like(here[:, :, :1])
    q, r = torch.cat((here, one), 2), torch.cat((there, one), 2)
    rows: Tensor = torch.einsum("bni,bnj->bnij", r, q)
    flat: Tensor = rows.flatten(2)
    return flat


def _hartley(points: Tensor, at: Grouped) -> Tensor:
    weight = at.weight[:, :, None] / at.count[:, None, None]
    middle = (points * weight).sum(1, keepdim=True)
    apart = points - middle
    distance = (apart.norm(dim=2, keepdim=True) * weight).sum(1, keepdim=True)
    scaled: Tensor = apart * (2**0.5 / distance.clamp(min=1e-12))
    return scaled


class _Least(torch.autograd.Function):
    """The eigenvector to the smallest eigenvalue of symmetric (..., k, k): (..., k).

    d beta_0 = sum_j beta_j (beta_j^T dQ beta_0) / (lambda_0 - lambda_j).
    """

    @staticmethod
    def forward(ctx: Any, square: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(square)
        ctx.save_for_backward(values, vectors)
        least: Tensor = vectors[..., 0].clone()
        return least

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        values, vectors = ctx.saved_tensors
        least = values[..., -1:].abs() * _LEAST_GAP
        gaps = (values[..., 1:] - values[..., :1]).clamp(min=least.clamp(min=1e-300))
        along = torch.einsum("...kj,...k->...j", vectors[..., 1:], grad) / -gaps
        turned = torch.einsum("...kj,...j->...k", vectors[..., 1:], along)
        outer = turned[..., :, None] * vectors[..., None, :, 0]
        gradient: Tensor = (outer + outer.mT) / 2
        return gradient
