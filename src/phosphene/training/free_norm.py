"""Batch normalization without parameters, over all processes.

    y = (x - mean) / sqrt(variance + epsilon)

with mean and variance of each channel over the batch (Ioffe & Szegedy, ICML 2015, without its
scale and shift), as Larsson et al. (CVPR 2017) and Mahendran's thesis (2018) train. While
evaluating it is an affine function, which the layer before can take in (`absorption`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.autograd.function import once_differentiable

from phosphene.errors import SettingError
from phosphene.training.processes import ranks

DECAY = 0.999
# Numbers that are gone through together, which stay in a processor's cache; and those of them that
# are added up one after another in float32, few enough to be as exact as PyTorch's sums in pairs.
_NUMBERS, _ROWS = 1 << 17, 128


class FreeNorm(nn.Module):
    """Normalizes channels to mean 0 and variance 1.

    While training, by the batch: that of all processes together where there are several, so that
    many processes with a share each do what one does with all. (PyTorch's synchronized batch
    normalization refuses processors.) While evaluating, by running means, whose decay grows from 0
    to 0.999 within 1000 steps: the mean of all batches at first, Larsson's from then on.

    Attributes:
        mean: (c,) running mean.
        variance: (c,) running variance, over n and not n - 1.
        steps: How many batches they are from.

    Args:
        channels: c.
        epsilon: Added to the variance.
        decay: What the decay grows to.
        inplace: Whether (b, c) by which nothing is differentiated may be written over with what is
            returned. It may be left as it is, too.
    """

    mean: Tensor
    variance: Tensor
    steps: Tensor

    def __init__(
        self,
        channels: int,
        epsilon: float = 1e-5,
        decay: float = DECAY,
        *,
        inplace: bool = False,
    ) -> None:
        super().__init__()
        self.channels, self.epsilon, self.decay, self.inplace = channels, epsilon, decay, inplace
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (b, c) or (b, c, ...).

        Raises:
            SettingError: There is a single value of each channel to be normalized by.
        """
        flat = _flat(x)
        if not self.training:
            mean = self.mean.to(x.dtype)
            scale = (self.variance + self.epsilon).rsqrt().to(x.dtype)
            if flat:
                return _scaled(x, mean, scale, self.inplace)
            return (x - _as(mean, x)) * _as(scale, x)
        if flat:
            normalized, mean, variance, count = _normalized(x, self.epsilon, self.inplace)
        else:
            normalized, mean, variance, count = _Normalized.apply(x, self.epsilon)  # type: ignore[no-untyped-call]
        if count < 2:
            raise SettingError(
                "a single value of each channel cannot be normalized by itself: give larger batches"
            )
        with torch.no_grad():
            kept = torch.clamp(self.steps / (self.steps + 1), max=self.decay)
            self.mean.lerp_(mean.to(self.mean.dtype), 1 - kept)
            self.variance.lerp_(variance.to(self.variance.dtype), 1 - kept)
            self.steps += 1
        made: Tensor = normalized
        return made

    def extra_repr(self) -> str:
        """Describe it."""
        return f"{self.channels}, epsilon={self.epsilon}, decay={self.decay}"


class _Normalized(torch.autograd.Function):
    """Normalization by a batch that may be spread over processes; sums are in float32 at least."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor, float]:
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        axes = [0, *range(2, x.ndim)]
        mean, count = _common(wide.mean(axes), x.numel() // x.shape[1])
        centred = wide - _as(mean, x)
        variance = _added(centred.square().sum(axes)) / count
        scale = (variance + epsilon).rsqrt()
        made = centred * _as(scale, x)
        ctx.save_for_backward(made, scale)
        ctx.count = count
        ctx.mark_non_differentiable(mean, variance)
        return made.to(x.dtype), mean, variance, count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Any) -> tuple[Tensor, None]:
        made, scale = ctx.saved_tensors
        axes = [0, *range(2, grad.ndim)]
        wide = grad.to(made.dtype)
        sums = torch.stack((wide.sum(axes), (wide * made).sum(axes)))
        if ranks() > 1:
            distributed.all_reduce(sums)
        level, along = sums / ctx.count
        slope = (wide - _as(level, wide) - made * _as(along, wide)) * _as(scale, wide)
        return slope.to(grad.dtype), None


def _flat(x: Tensor) -> bool:
    """Tell whether x is (n, c), on a processor, by which nothing is differentiated."""
    derived = x.requires_grad and torch.is_grad_enabled()
    plain = x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64)
    return plain and x.ndim == 2 and len(x) > 0 and x.is_contiguous() and not derived


@torch.no_grad()
def _normalized(x: Tensor, epsilon: float, inplace: bool) -> tuple[Tensor, Tensor, Tensor, float]:
    """Do what `_Normalized` does for what is `_flat`, in a third of the time.

    Means and variances of pieces are joined by the formula of Chan, Golub & LeVeque (1979).
    """
    channels, piece = x.shape[1], _piece(x)
    whole = len(x) // piece * piece
    # Of a whole piece each column is that of every so many-th row.
    pieces = x[:whole].view(-1, min(_ROWS, piece), piece // min(_ROWS, piece) * channels).unbind()
    parts = [*pieces, *(torch.split(x[whole:], _ROWS) if whole < len(x) else ())]
    told = [torch.batch_norm_update_stats(part, None, None, 0.0) for part in parts]
    means = torch.cat([mean.view(-1, channels) for mean, _ in told]).double()
    variances = torch.cat([variance.view(-1, channels) for _, variance in told]).double()
    each = [len(part) for part in parts for _ in range(part.shape[1] // channels)]
    counts = torch.tensor(each, dtype=torch.float64)[:, None]
    own = (counts * means).sum(0) / len(x)
    square = (counts * (variances + (means - own).square())).sum(0)
    mean, count = _common(own.to(x.dtype), len(x))
    if ranks() > 1:
        square += len(x) * (own - mean).square()
    variance = _added(square.to(x.dtype)) / count
    return _scaled(x, mean, (variance + epsilon).rsqrt(), inplace), mean, variance, count


def _scaled(x: Tensor, mean: Tensor, scale: Tensor, inplace: bool) -> Tensor:
    made = x if inplace else torch.empty_like(x)
    rows = _piece(x)
    for part, out in zip(torch.split(x, rows), torch.split(made, rows), strict=True):
        torch.sub(part, mean, out=out).mul_(scale)
    return made


def _piece(x: Tensor) -> int:
    """Return how many rows are gone through together."""
    rows = max(1, _NUMBERS // x.shape[1])
    return rows if rows < _ROWS else rows // _ROWS * _ROWS


def _common(mean: Tensor, own: int) -> tuple[Tensor, float]:
    """Return the mean over all processes, and over how many values it is.

    Means first: sums of squares about the common mean do not cancel.
    """
    if ranks() == 1:
        return mean, float(own)
    told = torch.cat((mean * own, mean.new_tensor([own])))
    distributed.all_reduce(told)
    return told[:-1] / told[-1], float(told[-1])


def _added(values: Tensor) -> Tensor:
    """Add up over all processes, in place."""
    if ranks() > 1:
        distributed.all_reduce(values)
    return values


def _as(values: Tensor, x: Tensor) -> Tensor:
    return values.view((1, -1) + (1,) * (x.ndim - 2))
