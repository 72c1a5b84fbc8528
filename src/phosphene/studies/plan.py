"""What a study is asked: the network, the photographs, and what is varied."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from phosphene.errors import UnitError
from phosphene.image import name_of, numbered
from phosphene.studies.depth import spread_layers as spread_layers
from phosphene.studies.identity import identity, photo_id
from phosphene.studies.ledger import Cell, Ledger

if TYPE_CHECKING:
    from phosphene.core.network import Network

Tick = Callable[[int, int, str], None]
"""Told of progress: how many steps are done, of how many, and what is being done."""

STRENGTHS = (1.0, 20.0, 100.0, 300.0)
"""The papers' values of C (thesis, section 5.4.2.1)."""


def silent(done: int, total: int, what: str) -> None:
    """Tell no one of progress."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything a study may be asked. Each takes what it needs and leaves the rest.

    Attributes:
        net: The network.
        photos: Photographs as for `Network.prepare`: paths, images, arrays or tensors.
        layers: Names of layers; where empty, `spread` chooses.
        strengths: C, the weights of the match against the priors; infinity for no prior at all.
        units: Channels to maximise; where empty, the study's own choice.
        classes: Classes by name or index; where empty, the study's own choice.
        repeats: From how many random starts each is computed.
        quality: Preset of the optimiser; its default if `None`.
        steps: Iterations; those of the quality if `None`.
        batch: How many images are computed together at most.
        seed: Start of the random numbers.
        ledger: Keeps what was computed; in memory by default.
        tick: Told of progress.

    Raises:
        UnknownLayer: The network has no layer of that name.
        UnknownClass: The network has no class of that name.
        UnitError: A unit is negative.
        ValueError: A strength, or a number of repeats, steps or images, is not positive.
    """

    net: Network
    photos: tuple[Any, ...] = ()
    layers: tuple[str, ...] = ()
    strengths: tuple[float, ...] = STRENGTHS
    units: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()
    repeats: int = 4
    quality: str | None = None
    steps: int | None = None
    batch: int = 8
    seed: int = 0
    ledger: Ledger = field(default_factory=Ledger)
    tick: Tick = silent

    def __post_init__(self) -> None:
        """Find what is wrong before hours are spent."""
        for layer in self.layers:
            self.net.address(layer)
        for name in self.classes:
            self.net.class_index(name)
        if any(unit < 0 for unit in self.units):
            raise UnitError(f"unit {min(self.units)} does not exist: units count from 0")
        if not self.strengths or not all(strength > 0 for strength in self.strengths):
            given = ", ".join(f"{strength:g}" for strength in self.strengths) or "none"
            raise ValueError(f"strengths are positive numbers, and {given} were given")
        if min(self.repeats, self.batch, self.steps if self.steps is not None else 1) < 1:
            raise ValueError("repeats, batch and steps must be 1 or more")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What to call each photograph; no two alike."""
        photos = enumerate(self.photos)
        return numbered(name_of(photo, f"image {count}") for count, photo in photos)

    @cached_property
    def photo_ids(self) -> tuple[str, ...]:
        """What each photograph holds, as a hash to tell it by in a ledger.

        Raises:
            ImageError: One cannot be read.
        """
        return tuple(photo_id(photo) for photo in self.photos)

    def seed_of(self, number: int) -> int:
        """Return a seed for a photograph, of its contents: the same in whatever company."""
        return (self.seed * 1_000_003 + int(self.photo_ids[number][:12], 16)) % 2**62

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What every result depends on: the network and the version; for `Ledger(about=...)`."""
        return identity(self.net)

    def spread(self, count: int) -> tuple[str, ...]:
        """Return the layers asked for, or that many spread over the network's depth."""
        return self.layers or spread_layers(self.net, count)

    def numbers(self) -> Iterator[int]:
        """Go through the photographs by number, telling of progress."""
        for number, name in enumerate(self.names):
            self.tick(number, len(self.names), name)
            yield number
        self.tick(len(self.names), len(self.names), "done")

    def cell(self, what: str, key: Mapping[str, Any], compute: Callable[[], Cell]) -> Cell:
        """Return a cell of the ledger, computed if it is not there.

        The network, the quality, the steps and the seed are part of its name by themselves.

        Args:
            what: What is computed; the same word for the same computation, in whatever study.
            key: The settings it is computed for, photographs by their `photo_ids`.
            compute: Makes the cell.
        """
        settings = {"quality": self.quality, "steps": self.steps, "seed": self.seed}
        whole = {"what": what, "network": self.identity, **settings, **key}
        return self.ledger.cell(whole, compute)


def called(strength: float | None) -> str:
    """Say a strength: `none` where there is no prior, which the thesis calls C = infinity.

    >>> called(100.0), called(math.inf), called(None)
    ('100', 'none', 'none')
    """
    return "none" if strength is None or math.isinf(strength) else f"{strength:g}"
