r"""Units, and the seeds they plant.

A backward signal starts from a seed p, a tensor of the layer's shape (Mahendran & Vedaldi, ECCV
2016, eq. 3). A `Unit` is a rule that makes such a tensor from the activation of the layer, for
every image of a batch by itself:

| unit | seed |
|---|---|
| `Unit(7)` | 1 at the strongest position of channel 7 |
| `Unit(7, at=(6, 6))`, `at="centre"` | 1 there |
| `Unit(7, at="positive")` | 1 at every position where channel 7 is positive |
| `Unit.strongest()` | 1 at the strongest unit of the layer |
| `Unit.strongest(at="centre")` | 1 at that position of the channel that is strongest there |
| `Unit.random(seed=0)` | 1 at a random channel other than the strongest, same position |
| `Unit.mixture(seed=0)` | \|N(0, 1)\| over the channels of one position |
| `Unit.code()` | the activation itself |
| `Unit.noise(seed=0)` | N(0, 1), or \|N(0, 1)\|, over the whole layer |
| `Unit.given(p)` | p |
| `Unit.of_class("goldfish")` | its channel of the class scores, at the strongest position |

Token activations (b, n, d) count as d channels over n x 1 positions, vectors (b, c) as c channels
over a single one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from phosphene.errors import UnitError

Position = tuple[int, int] | Literal["strongest", "centre", "positive"]
Kind = Literal["channel", "strongest", "random", "mixture", "code", "noise", "given", "class"]


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


@dataclass(frozen=True)
class Unit:
    """A channel of a layer, optionally at a position.

    Attributes:
        channel: Number of the channel; -1 for units that choose theirs by the activation.
        at: (row, column) of the layer's map, `"strongest"`, `"centre"`, or `"positive"` for all
            positions with a positive activation (the strongest one if there is none).
        kind: Which rule makes the seed.
        seed: Start of the random numbers of random units.
        positive: Whether noise is folded to its magnitude.
        tensor: The seed of a given unit.
        name: Name of the class, for class units.

    >>> print(Unit(131, at=(6, 6)))
    unit 131 at (6, 6)
    """

    channel: int = -1
    at: Position = "strongest"
    kind: Kind = "channel"
    seed: int = 0
    positive: bool = True
    tensor: Tensor | None = field(default=None, compare=False, repr=False)
    name: str | int = ""

    def __post_init__(self) -> None:
        if self.kind == "channel" and self.channel < 0:
            raise UnitError(f"units are counted from 0, so there is no unit {self.channel}")
        if isinstance(self.at, str) and self.at not in ("strongest", "centre", "positive"):
            raise UnitError(
                f"at={self.at!r} is no position: give (row, column), 'strongest', 'centre' or "
                "'positive'"
            )
        if not isinstance(self.at, str) and (len(self.at) != 2 or min(self.at) < 0):
            raise UnitError(f"at={self.at} is no position: give (row, column), counted from 0")

    @classmethod
    def strongest(cls, at: Position = "strongest") -> Unit:
        """The unit with the largest activation, of the layer or of a position."""
        return cls(at=at, kind="strongest")

    @classmethod
    def random(cls, seed: int = 0, at: Position = "strongest") -> Unit:
        """A random channel that is not the strongest, at the position of `strongest(at)`."""
        return cls(at=at, kind="random", seed=seed)

    @classmethod
    def mixture(cls, seed: int = 0, at: Position = "strongest") -> Unit:
        """A random positive mixture of all channels, at the position of `strongest(at)`."""
        return cls(at=at, kind="mixture", seed=seed)

    @classmethod
    def code(cls) -> Unit:
        """All units of the layer, each as strong as it is."""
        return cls(kind="code")

    @classmethod
    def noise(cls, seed: int = 0, positive: bool = True) -> Unit:
        """All units of the layer, each as strong as |N(0, 1)| says (N(0, 1) if not `positive`)."""
        return cls(kind="noise", seed=seed, positive=positive)

    @classmethod
    def given(cls, tensor: Tensor) -> Unit:
        """Any seed: a tensor of the layer's shape, for one image or for the whole batch."""
        return cls(kind="given", tensor=tensor)

    @classmethod
    def of_class(cls, name: str | int, at: Position = "strongest") -> Unit:
        """A class of the network, by its name or index; its layer is `net.scores`."""
        return cls(at=at, kind="class", name=name)

    @classmethod
    def parse(cls, text: str, seed: int = 0) -> Unit:
        """Read a unit from text, as the command line gives it.

        Args:
            text: `"131"`, `"131@6,6"`, `"131@centre"`, `"131@positive"`, `"strongest@centre"`,
                `"random"`, `"mixture"`, `"code"`, `"noise"`.
            seed: Start of the random numbers of random units.

        >>> Unit.parse("131@6,6")
        Unit(channel=131, at=(6, 6), kind='channel', seed=0, positive=True, name='')
        """
        what, _, where = text.strip().lower().replace("center", "centre").partition("@")
        numbers = re.fullmatch(r"(\d+),(\d+)", where)
        at = (int(numbers[1]), int(numbers[2])) if numbers else where or "strongest"
        if what.isdigit():
            return cls(int(what), at)  # type: ignore[arg-type]
        if what in ("strongest", "random", "mixture", "code", "noise"):
            return cls(at=at, kind=what, seed=seed)  # type: ignore[arg-type]
        raise UnitError(
            f"{text!r} is no unit: give a channel (131), with a position (131@6,6, 131@centre, "
            "131@positive), or strongest, random, mixture, code, noise"
        )

    def __str__(self) -> str:
        """Return `unit 131 at (6, 6)` and the like."""
        place = "" if self.at == "strongest" else f" at {self.at}"
        match self.kind:
            case "channel":
                return f"unit {self.channel}{place}"
            case "class":
                return f"class {self.name}{place}"
            case "random" | "mixture" | "noise":
                return f"{self.kind}{place}, seed {self.seed}"
            case _:
                return f"{self.kind}{place}"

    def plant(self, activation: Tensor) -> Seed:
        """Make the seed for an activation.

        Args:
            activation: (b, c, h, w), (b, c) or (b, n, d): what the layer put out, detached.

        Returns:
            The seed, for every image of the batch by itself.

        Raises:
            UnitError: The layer has no such channel or position, or a given tensor has another
                shape.
        """
        maps, back = as_maps(activation)
        b, c = maps.shape[:2]
        if self.kind == "given":
            return self._given(maps, back, activation)
        if self.kind == "code":
            return _spread(maps.clone(), maps, back)
        generator = torch.Generator().manual_seed(self.seed)
        if self.kind == "noise":
            noise = torch.randn(maps.shape, generator=generator)
            return _spread((noise.abs() if self.positive else noise).to(maps), maps, back)
        if self.kind == "class":
            raise UnitError(f"{self} is looked up by the network: ask explain, or net.unit_of")
        if self.kind == "channel" and self.channel >= c:
            raise UnitError(f"the layer has units 0 to {c - 1}, and so no unit {self.channel}")
        if self.kind == "channel" and self.at == "positive":
            return self._positive(maps, back)
        channel, at = self._locate(maps)
        rows = torch.arange(b, device=maps.device)
        p = torch.zeros_like(maps)
        if self.kind == "mixture":
            p[rows, :, at[:, 0], at[:, 1]] = torch.randn(b, c, generator=generator).abs().to(maps)
            channel = torch.full_like(channel, -1)
        else:
            if self.kind == "random" and c > 1:
                # Any channel but the strongest: a draw from the c - 1 others, shifted past it.
                draw = torch.randint(c - 1, (b,), generator=generator).to(channel.device)
                channel = draw + (draw >= channel)
            p[rows, channel, at[:, 0], at[:, 1]] = 1
        return Seed(back(p), channel, at, (p * maps).sum((1, 2, 3)))

    def _locate(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        h, w = maps.shape[2:]
        looked_at = maps if self.kind != "channel" else maps[:, self.channel : self.channel + 1]
        if self.at == "strongest" or self.at == "positive":
            index = looked_at.flatten(1).argmax(1)
            channel, row, column = index // (h * w), index // w % h, index % w
        else:
            y, x = ((h - 1) // 2, (w - 1) // 2) if self.at == "centre" else self.at
            if int(y) >= h or int(x) >= w:
                raise UnitError(f"the layer's map is {h}x{w}, and so has no position {self.at}")
            channel = looked_at[:, :, int(y), int(x)].argmax(1)
            row, column = torch.full_like(channel, int(y)), torch.full_like(channel, int(x))
        if self.kind == "channel":
            channel = torch.full_like(channel, self.channel)
        return channel, torch.stack([row, column], 1)

    def _positive(self, maps: Tensor, back: Callable[[Tensor], Tensor]) -> Seed:
        chosen = maps[:, self.channel] > 0
        single = replace(self, at="strongest").plant(maps)
        alone = ~chosen.flatten(1).any(1)
        p = torch.zeros_like(maps)
        p[:, self.channel] = chosen.to(maps)
        p[alone] = single.p[alone]
        at = torch.where(alone[:, None], single.at, -1)
        return Seed(back(p), single.channel, at, (p * maps).sum((1, 2, 3)))

    def _given(self, maps: Tensor, back: Callable[[Tensor], Tensor], like: Tensor) -> Seed:
        assert self.tensor is not None
        try:
            p = self.tensor.to(like).expand_as(like)
        except RuntimeError:
            raise UnitError(
                f"a seed of shape {tuple(self.tensor.shape)} does not fit a layer of shape "
                f"{tuple(like.shape)}"
            ) from None
        return _spread(as_maps(p)[0], maps, back)


def _spread(p: Tensor, maps: Tensor, back: Callable[[Tensor], Tensor]) -> Seed:
    nowhere = torch.full((len(maps), 2), -1, device=maps.device)
    return Seed(back(p), nowhere[:, 0].clone(), nowhere, (p * maps).sum((1, 2, 3)))


def as_maps(activation: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """View an activation as maps.

    Args:
        activation: (b, c, h, w), (b, c), or tokens (b, n, d).

    Returns:
        (b, c, h, w) maps, and the function that takes such maps back to the given shape.
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
