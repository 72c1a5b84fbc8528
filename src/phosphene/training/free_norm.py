"""Batch normalization without parameters, over all processes, and its absorption into weights.

    y = (x - mean) / sqrt(variance + epsilon)

with mean and variance of each channel over the batch (Ioffe & Szegedy, ICML 2015, without its
scale and shift), as Larsson et al. (CVPR 2017) and Mahendran's thesis (2018) train. While
evaluating it is an affine function, which the layer before takes in:

    W' = W / sqrt(variance + epsilon),   b' = (b - mean) / sqrt(variance + epsilon).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.autograd.function import once_differentiable

from phosphene.errors import NetworkError, SettingError
from phosphene.training.processes import ranks

DECAY = 0.999


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
    """

    mean: Tensor
    variance: Tensor
    steps: Tensor

    def __init__(self, channels: int, epsilon: float = 1e-5, decay: float = DECAY) -> None:
        super().__init__()
        self.channels, self.epsilon, self.decay = channels, epsilon, decay
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (b, c) or (b, c, ...).

        Raises:
            SettingError: There is a single value of each channel to be normalized by.
        """
        shape = (1, -1) + (1,) * (x.ndim - 2)
        if not self.training:
            scale = (self.variance + self.epsilon).rsqrt()
            return (x - self.mean.to(x.dtype).view(shape)) * scale.to(x.dtype).view(shape)
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
        found: Tensor = normalized
        return found

    def extra_repr(self) -> str:
        """Describe it."""
        return f"{self.channels}, epsilon={self.epsilon}, decay={self.decay}"


class _Normalized(torch.autograd.Function):
    """Normalization by a batch that may be spread over processes; sums are in float32 at least."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor, float]:
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        axes = [0, *range(2, x.ndim)]
        own = x.numel() // x.shape[1]
        count = float(own)
        mean = wide.mean(axes)
        if ranks() > 1:
            # Means first: the sum of squares about the common mean does not cancel.
            told = torch.cat((mean * own, mean.new_tensor([own])))
            distributed.all_reduce(told)
            count = float(told[-1])
            mean = told[:-1] / count
        centred = wide - _as(mean, x)
        square = centred.square().sum(axes)
        if ranks() > 1:
            distributed.all_reduce(square)
        variance = square / count
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


def _as(values: Tensor, x: Tensor) -> Tensor:
    return values.view((1, -1) + (1,) * (x.ndim - 2))


def normalize(module: nn.Module, leave: tuple[str, ...] = ()) -> list[str]:
    """Put a `FreeNorm` behind every convolution and fully connected layer of a chain, in place.

    Batch normalization that is there, without parameters, becomes `FreeNorm` too. Biases before it
    have no effect and are set to 0.

    Args:
        module: Its children run one after another, as those of `nn.Sequential` and of the networks
            defined here.
        leave: Names of layers behind which none is put: the last, that gives scores.

    Returns:
        The names of the layers that are normalized.

    Raises:
        SettingError: A name is none of the layers'.
    """
    children = dict(module.named_children())
    unknown = [name for name in leave if name not in children]
    if unknown:
        raise SettingError(f"{unknown[0]!r} is no layer of the chain: {', '.join(children)}")
    done, made = [], dict[str, nn.Module]()
    for name, layer in children.items():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) and not layer.affine:
            continue
        made[name] = layer
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear) and name not in leave:
            made[f"{name}_norm"] = FreeNorm(len(layer.weight)).to(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
            done.append(name)
    _rebuild(module, made)
    return done


@torch.no_grad()
def absorb(module: nn.Module) -> list[str]:
    """Take all `FreeNorm`s (and batch normalizations without parameters) into the layers before.

    In place. Done where the layer before, in the order in which a chain's children run, is a
    convolution or fully connected; what it computes while evaluating stays the same up to rounding.
    Chains inside of chains are gone through likewise.

    Args:
        module: The network.

    Returns:
        The names of the layers that took one in.

    Raises:
        NetworkError: The layer before one has no weights to take it in.
    """
    done: list[str] = []
    children = dict(module.named_children())
    made = dict[str, nn.Module]()
    before: tuple[str, nn.Module] | None = None
    for name, layer in children.items():
        if isinstance(layer, FreeNorm | nn.BatchNorm1d | nn.BatchNorm2d) and _free(layer):
            if before is None or not _weighted(before[1]):
                raise NetworkError(
                    f"the normalization {name!r} follows no convolution that could take it in: "
                    "keep it, or put it behind one"
                )
            _fold(before[1], layer)
            done.append(before[0])
            continue
        done += [f"{name}.{inner}" for inner in absorb(layer)]
        made[name] = layer
        before = name, layer
    if len(made) < len(children):
        _rebuild(module, made)
    return done


def _free(layer: nn.Module) -> bool:
    return isinstance(layer, FreeNorm) or getattr(layer, "affine", True) is False


def _weighted(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear)


def _fold(layer: Any, norm: Any) -> None:
    free = isinstance(norm, FreeNorm)
    mean = norm.mean if free else norm.running_mean
    variance = norm.variance if free else norm.running_var
    scale = (variance.double() + (norm.epsilon if free else norm.eps)).rsqrt()
    weight = layer.weight
    bias = (
        torch.zeros_like(weight[:, 0].flatten()[: len(weight)])
        if layer.bias is None
        else layer.bias
    )
    folded = (bias.double() - mean.double()) * scale
    weight.copy_(weight.double() * scale.view((-1,) + (1,) * (weight.ndim - 1)))
    layer.bias = nn.Parameter(folded.to(weight.dtype))


def _rebuild(module: nn.Module, made: dict[str, nn.Module]) -> None:
    """Give a chain other children, in order."""
    for name in list(dict(module.named_children())):
        delattr(module, name)
    for name, layer in made.items():
        module.add_module(name, layer)
