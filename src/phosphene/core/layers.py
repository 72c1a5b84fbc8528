"""Layers and their names.

A layer is *one call of one module* in a forward pass. Its name is the module's dotted path, as
printing the model shows it; the second call of a reused module is `path_1`, the third `path_2`.
Names from a network file that are no modules (Caffe's blobs) are aliases.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from phosphene.errors import UnknownLayer, nearest

if TYPE_CHECKING:
    from phosphene.core.receptive_field import ReceptiveField


@dataclass(frozen=True)
class Layer:
    """One line of the table that `Network.layers` makes.

    Attributes:
        name: How to address it, as in `net["conv5"]`.
        kind: Class of the module, such as `Conv2d`.
        shape: Shape of its output without the batch: (channels, height, width) for maps.
        field: Receptive field, or `None` where the tape does not define one.
        parameters: How many weights the module holds by itself.
        alias: Another name it goes by (a Caffe blob), if any.
        kernel: (h, w) of the window that it slides over its input, as the papers' tables have it:
            of a convolution or pool its kernel, 1x1 of PyTorch's layers that look at one place at
            a time (activations, normalizations, dropout); `None` for everything else.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    field: ReceptiveField | None
    parameters: int
    alias: str = ""
    kernel: tuple[int, int] | None = None


@dataclass(frozen=True)
class Address:
    """A module by its path, and which of its calls in the pass (0-based)."""

    path: str
    call: int = 0

    def __str__(self) -> str:
        """Return the layer's name."""
        return f"{self.path}_{self.call}" if self.call else self.path


def paths(module: nn.Module) -> dict[str, nn.Module]:
    """Return every submodule by its dotted path, without `torch.compile`'s wrapper names."""
    named = module.named_modules(remove_duplicate=False)
    return {path.replace("_orig_mod.", ""): child for path, child in named if path}


def resolve(name: str, module: nn.Module, aliases: Mapping[str, str]) -> Address:
    """Find the layer that goes by a name.

    Args:
        name: A module's path, `path_k` for the call k + 1 of a reused one, or an alias.
        module: The network.
        aliases: Other names for paths.

    Raises:
        UnknownLayer: No module has this path; the message offers the nearest names.
    """
    known = paths(module)
    name = aliases.get(name, str(name))  # a number too: the steps of a Sequential have no others
    if name in known:
        return Address(name)
    base, _, suffix = name.rpartition("_")
    if suffix.isdigit() and base in known:
        return Address(base, int(suffix))
    raise UnknownLayer(_unknown(name, [*known, *aliases]))


def _unknown(name: str, known: Iterable[str]) -> str:
    known = list(known)
    offer = nearest(name, known)
    listing = f"; its layers are {', '.join(known[:8])}{', ...' if len(known) > 8 else ''}"
    return f"the network has no layer {name!r}{offer or listing} (`phosphene layers` lists them)"
