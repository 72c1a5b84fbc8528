"""Copies of a network in which layers have forgotten what they learned.

*Permuted*, the default: the numbers of each tensor of a layer are shuffled among themselves, so
that a layer keeps its distribution to the last bit, and the network its scale, whatever it was
initialised with. Tensors of one layer that have the same shape (of batch normalization: weights,
biases, means and variances) are shuffled alike, so that a variance stays with its mean. *Redrawn*:
each tensor is drawn anew from a normal distribution with its own mean and standard deviation, and
what may not be negative (a running variance) from the magnitudes.

The user's network is not touched: a deep copy is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.errors import NetworkError, SettingError

How = Literal["permuted", "redrawn"]


def check_how(how: str) -> None:
    """Make sure that there is such a way.

    Raises:
        SettingError: There is none.
    """
    if how not in get_args(How):
        raise SettingError(f"weights are {' or '.join(get_args(How))}, and not {how!r}")


def learned_layers(net: Network) -> tuple[str, ...]:
    """Return the layers that hold weights, from the image up, each once (`modules_by_layer`).

    Raises:
        NetworkError: There is none.
    """
    return tuple(modules_by_layer(net))


def modules_by_layer(net: Network) -> dict[str, tuple[str, ...]]:
    """Return the layers that hold weights, from the image up, and the modules these are of.

    What a network holds without calling it (weights that its own code multiplies with, positions
    and class tokens of transformers) is counted with the layer that it lies in, and else with the
    lowest: when all layers have forgotten, all weights have.

    Raises:
        NetworkError: There is none.
    """
    found: dict[str, list[str]] = {}
    for layer in net.layers():
        path = net.address(layer.name).path
        if _own(net.module.get_submodule(path)):
            found.pop(path, None)  # a module that runs again counts where it runs last
            found[path] = [path]
    if not found:
        raise NetworkError(f"{net.name} has no layer with weights, and so nothing to randomise")
    lowest = next(iter(found))
    for path, module in net.module.named_modules():
        if path not in found and _own(module):
            above = [path.rsplit(".", n)[0] for n in range(1, path.count(".") + 1)]
            found[next((at for at in above if at in found), lowest)].append(path)
    return {layer: tuple(paths) for layer, paths in found.items()}


@torch.no_grad()
def randomise(net: Network, layers: Sequence[str], how: How = "permuted", seed: int = 0) -> None:
    """Randomise layers of a network, in place: give it a copy.

    Args:
        net: The copy.
        layers: Paths of modules, as `learned_layers` has them.
        how: In which way.
        seed: Of the random numbers; each layer draws its own, whichever others are randomised.
    """
    check_how(how)
    held = modules_by_layer(net)
    for layer in (path for name in layers for path in held.get(name, (name,))):
        name = hashlib.sha256(f"{seed} {layer}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(name[:6], "big"))
        orders: dict[tuple[int, ...], Tensor] = {}
        for tensor in _own(net.module.get_submodule(layer)):
            if how == "permuted":
                shape = tuple(tensor.shape)
                if shape not in orders:
                    orders[shape] = torch.randperm(tensor.numel(), generator=generator)
                order = orders[shape].to(tensor.device)
                tensor.copy_(tensor.flatten()[order].view_as(tensor))
            else:
                drawn = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
                spread = tensor.double().std(correction=0).cpu()
                new = drawn * spread + tensor.double().mean().cpu()
                tensor.copy_(new.abs() if bool((tensor >= 0).all()) else new)


def _own(module: nn.Module) -> list[Tensor]:
    """Return the floating tensors that a module holds by itself, running statistics too."""
    held = (*module.parameters(recurse=False), *module.buffers(recurse=False))
    return [tensor for tensor in held if tensor.is_floating_point() and tensor.numel()]
