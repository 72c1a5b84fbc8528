"""Cross-pixel flow similarity: what moves alike shall be embedded alike.

Section 3.2 of A. Mahendran's thesis (2018). Pixels of an image are compared with each other twice,
by their embeddings and by their flow,

    K_phi(p, q) = 1/4 cos(phi_p, phi_q),   K_f(p, q) = exp(-|f_p - f_q|^2 / (2 sigma^2)),   (3.2)

and the first shall be like the second. For the two losses by cross entropy every row of a kernel
becomes a distribution over the other pixels, by a softmax in which the pixel itself has logit 0
(3.5, 3.6). The paper speaks of columns there and writes rows; as the kernels are symmetric, the
sums over both are the same.

Nothing of size (images, pixels, pixels) is ever held: images are gone through a few at a time, and
the derivatives of an image, in closed form, are found while its kernels are at hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from phosphene.errors import SettingError
from phosphene.training.processes import ranks, summed

Kind = Literal["cross-entropy", "reversed", "alignment"]

SIGMA2 = 0.0036
_SCALE = 0.25
# Kernels of one image at a time stay in a processor's cache; a GPU wants more to do at once.
_AT_ONCE_ON_GPU = 16
# e^-40 is as good as 0 beside the 1 of a pixel itself. Numbers so small that they or their squares
# lose digits would slow a processor down tenfold.
_FARTHEST = 40.0


class CrossPixelLoss(nn.Module):
    """How far the similarities of embeddings are from those of flow.

    - `"cross-entropy"`: -sum_q S_f(p, q) log S_phi(p, q)  (3.4),
    - `"reversed"`: -sum_q S_phi(p, q) log S_f(p, q)  (3.7),
    - `"alignment"`: 1 - sum K_phi K_f / sqrt(sum K_phi^2 sum K_f^2)  (3.3), with the diagonals, and
      not centered, as printed. The paper's (3.3) is a similarity; what is minimized is 1 minus it.

    The first two are means over pixels and images, the third over images; the paper leaves open
    which. Over n pixels the first is log n where all distributions are uniform (6.23832 for 512),
    and never under the entropy of S_f.

    Attributes:
        kind: Which.
        log_variance: log sigma^2; a parameter if it is learned.

    Args:
        kind: Which.
        sigma2: sigma^2 of the flow kernel, for flow normalized to [-1, 1] by (3.8).
        learned: Whether sigma is learned along.

    Raises:
        SettingError: The kind is none of these, or sigma^2 is not positive.
    """

    log_variance: Tensor

    def __init__(
        self, kind: Kind = "cross-entropy", sigma2: float = SIGMA2, learned: bool = False
    ) -> None:
        super().__init__()
        if kind not in get_args(Kind):
            raise SettingError(f"loss {kind!r} is none of {', '.join(get_args(Kind))}")
        if not (sigma2 > 0 and math.isfinite(sigma2)):
            raise SettingError(f"sigma^2 = {sigma2:g} of the flow kernel must be above 0")
        self.kind: Kind = kind
        variance = torch.tensor(math.log(sigma2))
        if learned:
            self.log_variance = nn.Parameter(variance)
        else:
            self.register_buffer("log_variance", variance)

    def forward(self, embedding: Tensor, flow: Tensor, valid: Tensor | None = None) -> Tensor:
        """Compare embeddings with flow.

        Args:
            embedding: (b, n, d), of n pixels of every image; of any length, as only directions
                count.
            flow: (b, n, 2), normalized, of the same pixels.
            valid: (b, n) bool, which pixels count; all if `None`. Images with fewer than two say
                nothing.

        Returns:
            A number; 0 where no image says anything.

        Raises:
            SettingError: The shapes do not fit.
        """
        b, n = embedding.shape[:2]
        if embedding.ndim != 3 or flow.shape != (b, n, 2):
            raise SettingError(
                f"embeddings of shape {tuple(embedding.shape)} and flow of {tuple(flow.shape)} do "
                "not fit: give (images, pixels, dimensions) and (images, pixels, 2)"
            )
        if valid is None:
            valid = torch.ones(b, n, dtype=torch.bool, device=embedding.device)
        # Half precision does not hold sums of exponentials.
        kind = torch.promote_types(embedding.dtype, torch.float32)
        unit = nn.functional.normalize(embedding.to(kind), dim=-1)
        loss: Tensor = _Compared.apply(  # type: ignore[no-untyped-call]
            unit, flow.to(kind), self.log_variance, valid, self.kind
        )
        return loss


class _Compared(torch.autograd.Function):
    """The loss of unit vectors, with its derivatives found on the way."""

    @staticmethod
    def forward(
        ctx: Any, unit: Tensor, flow: Tensor, log_variance: Tensor, valid: Tensor, kind: Kind
    ) -> Tensor:
        gradient = torch.zeros_like(unit)
        total, by_variance = (torch.zeros((), dtype=torch.float64, device=unit.device),) * 2
        rows = valid.sum(1)
        says = rows > 1
        valid = valid & says[:, None]
        # How much a row counts: the mean over pixels, or one image among the images.
        counted = says.sum() if kind == "alignment" else valid.sum()
        # Of all processes: each has its part of the mean, and they average.
        share = ranks() / summed(counted).clamp(min=1).double()
        scaled = flow * torch.exp(-log_variance / 2) / math.sqrt(2)
        wants = ctx.needs_input_grad
        step = 1 if unit.device.type == "cpu" else _AT_ONCE_ON_GPU
        whole = bool(valid.all())  # which spares every image a pass or two
        for start in range(0, len(unit), step):
            part = slice(start, start + step)
            if not bool(says[part].any()):
                continue
            found = _COMPARED[kind](unit[part], scaled[part], valid[part], whole, wants)
            total = total + found[0]
            by_variance = by_variance + found[2]
            if found[1] is not None:
                torch.mul(found[1], share.to(unit.dtype), out=gradient[part])
        ctx.save_for_backward(gradient, (by_variance * share).to(log_variance.dtype))
        return (total * share).to(unit.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        gradient, by_variance = ctx.saved_tensors
        return (
            grad * gradient if ctx.needs_input_grad[0] else None,
            None,
            grad * by_variance if ctx.needs_input_grad[2] else None,
            None,
            None,
        )


Found = tuple[Tensor, Tensor | None, Tensor]


def _flow_kernel(scaled: Tensor) -> Tensor:
    """K_f of flow that was divided by sqrt(2) sigma: (b, n, n).

    By differences, and not by a product of matrices: what is subtracted there is larger than
    sigma^2 by far.
    """
    # Rows of neighbours in memory are subtracted three times as fast.
    x, y = (axis.contiguous() for axis in scaled.unbind(-1))
    apart = (x[:, :, None] - x[:, None, :]).square_()
    other = y[:, :, None] - y[:, None, :]
    return apart.addcmul_(other, other).clamp_(max=_FARTHEST).neg_().exp_()


class _Rows:
    """Distributions of rows, as exponentials and what they are divided by.

    Exponentials are symmetric and rows differ in their sums alone, so that what the derivatives
    want of a distribution and its transpose are products of one matrix with a few columns.

    Attributes:
        raised: (b, n, n) exponentials of the logits, 0 on the diagonal and for pixels that do not
            count; what was given as logits, in place.
        total: (b, n) sums of rows, with the pixel's own share, 1.
        share: (b, n, 1) its reciprocal.
    """

    def __init__(self, logits: Tensor, valid: Tensor, whole: bool) -> None:
        # Values of both kernels lie in [-1/4, 1]: no exponential overflows.
        self.raised = logits.exp_()
        self.raised.diagonal(dim1=1, dim2=2).zero_()
        if not whole:
            self.raised.mul_(valid[:, None, :]).mul_(valid[:, :, None])
        self.total = self.raised.sum(2).add_(1)
        self.share = self.total.reciprocal()[:, :, None]


def _times(matrix: Tensor, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Multiply by two sets of columns at once."""
    both = matrix @ torch.cat((one, other), 2)
    return both[:, :, : one.shape[2]], both[:, :, one.shape[2] :]


def _cross_entropy(
    unit: Tensor, scaled: Tensor, valid: Tensor, whole: bool, wants: tuple[bool, ...]
) -> Found:
    """Sum -sum_q S_f log S_phi over rows; with its derivatives by vectors and by log sigma^2."""
    kernel = _flow_kernel(scaled)
    # dK/d log sigma^2 = -K log K.
    slope = torch.special.xlogy(kernel, kernel) if wants[2] else None
    theirs = _Rows(kernel, valid, whole)
    like_flow, by_flow = _times(theirs.raised, unit, theirs.share * unit)
    like_flow = like_flow * theirs.share
    # -sum_q T log S = log Z - sum_q T L, as every row of T sums to 1; L is 0 on the diagonal.
    mean = _SCALE * (like_flow * unit).sum(2)
    gradient, by_variance = None, _nothing(unit)
    if slope is not None:
        # By the logits of the other: T (c - mean c) with costs c = -log S = -L + const.
        slope.mul_(theirs.raised)
        leaning = mean * slope.sum(2) - _SCALE * ((slope @ unit) * unit).sum(2)
        by_variance = -(theirs.share[:, :, 0] * leaning).double().sum()
    ours = _Rows(torch.bmm(unit * _SCALE, unit.mT), valid, whole)
    if wants[0]:
        # By the logits of what is inside the logarithm: S - T.
        like, by = _times(ours.raised, unit, ours.share * unit)
        gradient = torch.addcmul(by, like, ours.share).sub_(like_flow).sub_(by_flow).mul_(_SCALE)
    return (ours.total.log() - mean).double().sum(), gradient, by_variance


def _reversed(
    unit: Tensor, scaled: Tensor, valid: Tensor, whole: bool, wants: tuple[bool, ...]
) -> Found:
    """Sum -sum_q S_phi log S_f over rows; with its derivatives by vectors and by log sigma^2."""
    kernel = _flow_kernel(scaled)
    slope = torch.special.xlogy(kernel, kernel) if wants[2] else None
    theirs = _Rows(torch.bmm(unit * _SCALE, unit.mT), valid, whole)
    costs = theirs.raised * kernel
    mean = theirs.share * costs.sum(2, keepdim=True)
    ours = _Rows(kernel, valid, whole)
    gradient, by_variance = None, _nothing(unit)
    if wants[0]:
        # By the logits of what is outside of the logarithm: T (mean K - K).
        kept, by_kept = _times(theirs.raised, unit, theirs.share * mean * unit)
        lost, by_lost = _times(costs, unit, theirs.share * unit)
        gradient = (kept * mean - lost).mul_(theirs.share).add_(by_kept).sub_(by_lost).mul_(_SCALE)
    if slope is not None:
        inside = [
            (rows.share[:, :, 0] * torch.einsum("bpq,bpq->bp", rows.raised, slope)).double().sum()
            for rows in (ours, theirs)
        ]
        by_variance = inside[1] - inside[0]
    return (ours.total.log() - mean[:, :, 0]).double().sum(), gradient, by_variance


def _aligned(
    unit: Tensor, scaled: Tensor, valid: Tensor, whole: bool, wants: tuple[bool, ...]
) -> Found:
    """Sum 1 - alignment over images; with its derivatives.

    K_phi = U U^T / 4 is never made: sum K_phi^2 = |U^T U|^2 / 16 and
    sum K_phi K_f = sum U (K_f U) / 4.
    """
    theirs = _flow_kernel(scaled)
    if not whole:
        theirs.mul_(valid[:, None, :]).mul_(valid[:, :, None])
        unit = unit * valid[:, :, None]
    says = valid.any(1)
    one = torch.ones((), dtype=torch.float64, device=unit.device)
    inner = unit.mT @ unit
    # A row at a time in single precision, the sum of rows in double.
    length = torch.linalg.vector_norm(theirs, dim=2).double().square().sum(1)
    squares = inner.double().square().sum((1, 2)) * _SCALE**2, length
    squares = torch.where(says, squares[0], one), torch.where(says, squares[1], one)
    length = (squares[0] * squares[1]).sqrt()
    like = theirs @ unit
    alignment = _SCALE * (like * unit).double().sum((1, 2)) / length
    gradient, by_variance = None, _nothing(unit)
    if wants[0]:
        # -d alignment / d K_phi = K_phi alignment / |K_phi|^2 - K_f / (|K_phi| |K_f|).
        own = (_SCALE * alignment / squares[0]).to(unit.dtype)[:, None, None]
        gradient = 2 * _SCALE * (unit @ inner * own - like / length.to(unit.dtype)[:, None, None])
    if wants[2]:
        slope = torch.special.xlogy(theirs, theirs)
        own = torch.einsum("bpq,bpq->b", theirs, slope).double() * alignment / squares[1]
        other = _SCALE * ((slope @ unit) * unit).double().sum((1, 2)) / length
        by_variance = (other - own).sum()
    return ((1 - alignment) * says).sum(), gradient, by_variance


def _nothing(like: Tensor) -> Tensor:
    return torch.zeros((), dtype=torch.float64, device=like.device)


_COMPARED: dict[Kind, Callable[..., Found]] = {
    "cross-entropy": _cross_entropy,
    "reversed": _reversed,
    "alignment": _aligned,
}
