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
| `Unit.predicted()` | the same for the class the network predicts, image by image |

Token activations (b, n, d) count as d channels over n x 1 positions, vectors (b, c) as c channels
over a single one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from torch import Tensor

from phosphene.errors import UnitError

if TYPE_CHECKING:
    from phosphene.core.seed import Seed

Position = tuple[int, int] | Literal["strongest", "centre", "positive"]
Kind = Literal[
    "channel", "strongest", "random", "mixture", "code", "noise", "given", "class", "predicted"
]


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
        if not isinstance(self.at, str):
            if len(self.at) != 2 or min(self.at) < 0:
                raise UnitError(f"at={self.at} is no position: give (row, column), counted from 0")
            object.__setattr__(self, "at", (int(self.at[0]), int(self.at[1])))

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
        if what.isdecimal():
            return cls(int(what), at)  # type: ignore[arg-type]
        if what in ("strongest", "random", "mixture", "code", "noise"):
            return cls(at=at, kind=what, seed=seed)  # type: ignore[arg-type]
        raise UnitError(
            f"{text!r} is no unit: give a channel (131), with a position (131@6,6, 131@centre, "
            "131@positive), or strongest, random, mixture, code, noise"
        )

    @classmethod
    def predicted(cls, at: Position = "strongest") -> Unit:
        """The class that the network predicts for each image; its layer is `net.scores`."""
        return cls(at=at, kind="predicted")

    def __str__(self) -> str:
        """Return `unit 131 at (6, 6)` and the like."""
        place = "" if self.at == "strongest" else f" at {self.at}"
        match self.kind:
            case "channel":
                return f"unit {self.channel}{place}"
            case "class":
                return f"class {self.name}{place}"
            case "predicted":
                return f"predicted class{place}"
            case "random" | "mixture" | "noise":
                return f"{self.kind}{place}, seed {self.seed}"
            case _:
                return f"{self.kind}{place}"

    def plant(self, activation: Tensor, classes: Tensor | None = None) -> Seed:
        """Make the seed for an activation.

        Args:
            activation: (b, c, h, w), (b, c) or (b, n, d): what the layer put out, detached.
            classes: (b,) channel of each image's class, for class units: only the network knows.

        Returns:
            The seed, for every image of the batch by itself.

        Raises:
            UnitError: The layer has no such channel or position, or a given tensor has another
                shape.
        """
        from phosphene.core.seed import plant

        return plant(self, activation, classes)
