"""Normalization put into a chain of layers before it learns, and taken into weights afterwards.

While evaluating, batch normalization without parameters is an affine function, which the layer
before takes in:

    W' = W / sqrt(variance + epsilon),   b' = (b - mean) / sqrt(variance + epsilon).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from phosphene.errors import NetworkError, SettingError
from phosphene.training.free_norm import FreeNorm


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
