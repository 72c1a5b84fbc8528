"""Planting a unit: from an activation to the tensor a backward signal starts from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from phosphene.core.unit import Unit
from phosphene.errors import UnitError

Back = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Seed:
    """The tensor a backward signal starts from, and what it stands for.

    Attributes:
        p: The seed, in the shape of the activation.
        channel: (b,) chosen channel of every image; -1 where the seed is no single channel.
        at: (b, 2) row and column of the chosen position; -1 where there is no single one.
        score: (b,) inner product of seed and activation: what the signal is the reason of.
    """

    p: Tensor
    channel: Tensor
    at: Tensor
    score: Tensor

    def but(self, other: Seed, where: Tensor) -> Seed:
        """Return this seed with that of another for the images (b,) where it is wanted."""
        images = where.view(-1, *[1] * (self.p.dim() - 1))
        return Seed(
            torch.where(images, other.p, self.p),
            torch.where(where, other.channel, self.channel),
            torch.where(where[:, None], other.at, self.at),
            torch.where(where, other.score, self.score),
        )


def plant(unit: Unit, activation: Tensor, classes: Tensor | None = None) -> Seed:
    """Make a unit's seed; see `Unit.plant`."""
    maps, back = as_maps(activation)
    b, c = maps.shape[:2]
    if unit.kind == "given":
        return _spread(as_maps(_fitted(unit, activation))[0], maps, back)
    if unit.kind == "code":
        return _spread(maps.clone(), maps, back)
    generator = torch.Generator().manual_seed(unit.seed)
    if unit.kind == "noise":
        # One draw for all images: what one of them gets must not depend on those beside it.
        noise = torch.randn(maps.shape[1:], generator=generator).expand_as(maps)
        return _spread((noise.abs() if unit.positive else noise).to(maps), maps, back)
    fixed = _fixed(unit, maps, classes)
    channel, at = _locate(unit, maps, fixed)
    rows = torch.arange(b, device=maps.device)
    p = torch.zeros_like(maps)
    if unit.kind == "mixture":
        p[rows, :, at[:, 0], at[:, 1]] = torch.randn(c, generator=generator).abs().to(maps)
        channel = torch.full_like(channel, -1)
    else:
        if unit.kind == "random" and c > 1:
            # Any channel but the strongest: a draw from the c - 1 others, shifted past it.
            draw = torch.randint(c - 1, (1,), generator=generator).to(channel.device)
            channel = draw + (draw >= channel)
        p[rows, channel, at[:, 0], at[:, 1]] = 1
        if unit.at == "positive":
            # Where no position is positive, the strongest alone stays, as planted above.
            some = (maps[rows, channel] > 0).flatten(1).any(1)
            p[rows[some], channel[some]] = (maps[rows, channel] > 0).to(maps)[some]
            at = torch.where(some[:, None], -1, at)
    return Seed(back(p), channel, at, (p * maps).sum((1, 2, 3)))


def as_maps(activation: Tensor) -> tuple[Tensor, Back]:
    """View an activation as maps.

    Args:
        activation: (b, c, h, w), (b, c), or tokens (b, n, d).

    Returns:
        (b, c, h, w) maps, and the function that takes such maps back to the given shape.

    Raises:
        UnitError: It has another number of dimensions.
    """
    shape = activation.shape
    if activation.dim() == 4:
        return activation, lambda p: p
    if activation.dim() == 2:
        return activation[:, :, None, None], lambda p: p.reshape(shape)
    if activation.dim() == 3:
        return activation.transpose(1, 2)[..., None], lambda p: p[..., 0].transpose(1, 2)
    raise UnitError(
        f"an activation of shape {tuple(shape)} has no units phosphene knows: it reads "
        "(batch, channels, height, width), (batch, channels) and (batch, tokens, channels)"
    )


def _fixed(unit: Unit, maps: Tensor, classes: Tensor | None) -> Tensor | None:
    """Return the channel of each image where the unit fixes it."""
    b, c = maps.shape[:2]
    if unit.kind == "class" and 0 <= unit.channel < c:
        return torch.full((b,), unit.channel, device=maps.device)
    if unit.kind in ("class", "predicted"):
        if classes is None:
            raise UnitError(f"which channel the {unit} is, only the network knows: ask `explain`")
        return classes.to(maps.device)
    if unit.kind != "channel":
        return None
    if unit.channel >= c:
        raise UnitError(f"the layer has units 0 to {c - 1}, and so no unit {unit.channel}")
    return torch.full((b,), unit.channel, device=maps.device)


def _locate(unit: Unit, maps: Tensor, fixed: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the channel (b,) and position (b, 2) of the unit in each image."""
    h, w = maps.shape[2:]
    looked_at = maps if fixed is None else maps[torch.arange(len(maps)), fixed][:, None]
    if unit.at == "strongest" or unit.at == "positive":
        index = looked_at.flatten(1).argmax(1)
        channel, row, column = index // (h * w), index // w % h, index % w
    else:
        # The papers' centre is the 1-based round(n / 2).
        y, x = ((h - 1) // 2, (w - 1) // 2) if unit.at == "centre" else unit.at
        if int(y) >= h or int(x) >= w:
            raise UnitError(f"the layer's map is {h}x{w}, and so has no position {unit.at}")
        channel = looked_at[:, :, int(y), int(x)].argmax(1)
        row, column = torch.full_like(channel, int(y)), torch.full_like(channel, int(x))
    return (channel if fixed is None else fixed), torch.stack([row, column], 1)


def _fitted(unit: Unit, like: Tensor) -> Tensor:
    assert unit.tensor is not None
    try:
        return unit.tensor.to(like).expand_as(like)
    except RuntimeError:
        raise UnitError(
            f"a seed of shape {tuple(unit.tensor.shape)} does not fit a layer of shape "
            f"{tuple(like.shape)}"
        ) from None


def _spread(p: Tensor, maps: Tensor, back: Back) -> Seed:
    nowhere = torch.full((len(maps), 2), -1, device=maps.device)
    return Seed(back(p), nowhere[:, 0].clone(), nowhere, (p * maps).sum((1, 2, 3)))
