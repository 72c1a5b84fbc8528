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
        compared = _aligned if kind == "alignment" else _distributed
        for start in range(0, len(unit), step):
            part = slice(start, start + step)
            if not bool(says[part].any()):
                continue
            found = compared(unit[part], scaled[part], valid[part], kind, wants)
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
    x, y = scaled.unbind(-1)
    apart = (x[:, :, None] - x[:, None, :]).square_()
    other = y[:, :, None] - y[:, None, :]
    return apart.addcmul_(other, other).neg_().exp_()


def _distributed(
    unit: Tensor, scaled: Tensor, valid: Tensor, kind: Kind, wants: tuple[bool, ...]
) -> Found:
    """Sum a cross entropy over rows; with its derivatives by unit vectors and by log sigma^2."""
    kernel = _flow_kernel(scaled)
    # Values of both kernels lie in [-1/4, 1]: no exponential overflows.
    by_flow = _rows(kernel, valid)
    logits = torch.bmm(unit * _SCALE, unit.mT)
    by_phi = _rows(logits, valid)
    ours, theirs = (by_phi, by_flow) if kind == "cross-entropy" else (by_flow, by_phi)
    held = logits if kind == "cross-entropy" else kernel
    # -sum_q T log S = log Z - sum_q T L, as every row of T sums to 1; L is 0 on the diagonal.
    held_mean = torch.einsum("bpq,bpq->bp", theirs.share, _hollow(held))
    entropy = (ours.log_total - held_mean) * valid
    gradient, by_variance = None, torch.zeros((), dtype=torch.float64, device=unit.device)
    # By the logits of what is inside the logarithm: S - T. By those of the other: T (c - mean c)
    # with costs c = -log S.
    if wants[0] or wants[2]:
        inside = ours.share - theirs.share
    if (kind == "cross-entropy" and wants[2]) or (kind == "reversed" and wants[0]):
        # -held stands for -log S, as what a row has in common falls out.
        outside = (held_mean[:, :, None] - held).mul_(theirs.share)
    if wants[0]:
        slope = _counted(inside if kind == "cross-entropy" else outside, valid)
        gradient = (slope + slope.mT) @ (unit * _SCALE)
    if wants[2]:
        slope = _counted(outside if kind == "cross-entropy" else inside, valid)
        # dK/d log sigma^2 = -K log K.
        by_variance = -(slope * torch.special.xlogy(kernel, kernel)).double().sum()
    return entropy.double().sum(), gradient, by_variance


class _Rows:
    """Distributions of rows, and the logarithms of what they were divided by, (b, n)."""

    def __init__(self, share: Tensor, log_total: Tensor) -> None:
        self.share, self.log_total = share, log_total


def _rows(logits: Tensor, valid: Tensor) -> _Rows:
    """Make every row a distribution; pixels that do not count have no share."""
    share = logits.exp()
    share.diagonal(dim1=1, dim2=2).fill_(1)
    if not bool(valid.all()):
        share.mul_(valid[:, None, :])
    total = share.sum(2).clamp_(min=1)  # a row that does not count may sum to 0
    return _Rows(share.div_(total[:, :, None]), total.log())


def _hollow(logits: Tensor) -> Tensor:
    """Set the diagonal to its logit, 0, in place."""
    logits.diagonal(dim1=1, dim2=2).zero_()
    return logits


def _counted(slope: Tensor, valid: Tensor) -> Tensor:
    """Drop rows that do not count, and the diagonal, which hangs on nothing."""
    if not bool(valid.all()):
        slope = slope * valid[:, :, None]
    return _hollow(slope)


def _aligned(
    unit: Tensor, scaled: Tensor, valid: Tensor, kind: Kind, wants: tuple[bool, ...]
) -> Found:
    """Sum 1 - alignment over images; with its derivatives."""
    pairs = (valid[:, :, None] & valid[:, None, :]).to(unit.dtype)
    theirs = _flow_kernel(scaled) * pairs
    ours = torch.bmm(unit * _SCALE, unit.mT) * pairs
    says = valid.any(1)

    def over(a: Tensor, b: Tensor) -> Tensor:
        return torch.einsum("bpq,bpq->b", a, b).double()

    one = torch.ones((), dtype=torch.float64, device=unit.device)
    squares = torch.where(says, over(ours, ours), one), torch.where(says, over(theirs, theirs), one)
    length = (squares[0] * squares[1]).sqrt()
    alignment = over(ours, theirs) / length

    def slope(own: Tensor, other: Tensor, square: Tensor) -> Tensor:
        """-d alignment / d own."""
        by = (alignment / square).to(own.dtype)[:, None, None]
        return own * by - other / length.to(own.dtype)[:, None, None]

    gradient, by_variance = None, torch.zeros((), dtype=torch.float64, device=unit.device)
    if wants[0]:
        g = slope(ours, theirs, squares[0])
        gradient = 2 * _SCALE * torch.bmm(g, unit)
    if wants[2]:
        g = slope(theirs, ours, squares[1])
        by_variance = -(g * torch.special.xlogy(theirs, theirs)).double().sum()
    return ((1 - alignment) * says).sum(), gradient, by_variance
