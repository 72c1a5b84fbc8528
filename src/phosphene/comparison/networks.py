"""The networks of a comparison: what each is called, and its batch normalization taken in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from phosphene.core.copies import copied
from phosphene.core.network import Network
from phosphene.errors import NetworkError, SettingError, first_line
from phosphene.image import numbered
from phosphene.training.absorption import absorb
from phosphene.training.free_norm import FreeNorm

# Outputs of a network with its normalization absorbed differ by rounding alone.
_SAME = 1e-3


@dataclass(frozen=True, eq=False)
class Compared:
    """A network of a comparison.

    Attributes:
        name: What it is called; no two alike.
        short: The same without what all names begin with.
        net: The network, with normalization absorbed.
        absorbed: Layers that took a normalization in.
        note: What of it could not be absorbed; empty where nothing was left.
    """

    name: str
    short: str
    net: Network
    absorbed: tuple[str, ...] = ()
    note: str = ""


def compared(nets: Sequence[Network], least: int = 2) -> tuple[Compared, ...]:
    """Make networks ready to be compared.

    Batch normalization without parameters, as networks learn with here and in the thesis, is an
    affine function while a network is looked at, and is taken into the layers before it, in a copy.
    Normalization with parameters stays, as an affine function of its own.

    Args:
        nets: The networks; they stay as they are.
        least: How many there have to be.

    Raises:
        SettingError: There are fewer.
    """
    if len(nets) < least:
        raise SettingError(f"{len(nets)} network was given: name {least} or more to compare")
    names = numbered([net.name for net in nets])
    common = _common(names)
    return tuple(
        Compared(name, name[common:], *_absorbed(net))
        for name, net in zip(names, nets, strict=True)
    )


def _absorbed(net: Network) -> tuple[Network, tuple[str, ...], str]:
    free = [
        name
        for name, module in net.module.named_modules()
        if isinstance(module, FreeNorm)
        or (isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and not module.affine)
    ]
    if not free:
        return net, (), ""
    own = copied(net)
    try:
        done = absorb(own.module)
        own.module.eval()
        apart = _apart(net, own)
    except (NetworkError, AttributeError, RuntimeError, TypeError, KeyError) as error:
        return net, (), f"{net.name}: normalization was not absorbed ({first_line(error)})"
    if not apart < _SAME:
        return (
            net,
            (),
            (
                f"{net.name}: normalization was not absorbed (it does not stand behind the layers "
                "that its module lists before it)"
            ),
        )
    return own, tuple(done), ""


def _apart(net: Network, other: Network) -> float:
    """Return how far two networks' outputs lie apart for noise, as a share of the first's."""
    noise = torch.rand(net.blank().shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        one, two = (n.output(noise.to(n.device, n.dtype)).double() for n in (net, other))
    return float((one - two).norm() / one.norm().clamp(min=1e-12))


def _common(names: Sequence[str]) -> int:
    """Return how many letters, up to a colon, all names share.

    >>> _common(["small:random", "small:rotation"]), _common(["small", "small:rotation"])
    (6, 0)
    """
    heads = {name[: name.rfind(":") + 1] for name in names}
    head = heads.pop()
    return len(head) if not heads and all(len(name) > len(head) for name in names) else 0
