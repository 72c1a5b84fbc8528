"""What a comparison is asked: networks, levels, photographs, the one image set, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from phosphene.comparison.levels import Level, shapes_of
from phosphene.comparison.networks import Compared
from phosphene.comparison.recipes import Recipes, recipes_of
from phosphene.errors import SettingError, UnitError
from phosphene.image import name_of, numbered
from phosphene.studies.identity import identity, photo_id
from phosphene.studies.ledger import Cell, Ledger
from phosphene.survey.dissection.concepts import ConceptSet

Tick = Callable[[int, int, str], None]
UNITS = 6
FORM = 1
"""Of pieces that are kept; raised where what one holds, or how it is computed, changes."""
_PARTS = 100
"""Steps of progress that each piece is divided into."""


def silent(done: int, total: int, what: str) -> None:
    """Tell no one of progress."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What to compare, and how.

    Attributes:
        networks: The networks.
        levels: Which layers stand side by side.
        concepts: The one image set, with what is known of its pixels.
        photos: Photographs to invert and to exaggerate, as for `Network.prepare`.
        units: How many units of each layer are shown.
        chosen: These channels, in place of so many.
        recipes: How pictures are found.
        seed: Start of the random numbers.
        batch: Images of the set at a time.
        folder: Where pieces are kept; in memory if `None`.
        tick: Told of progress.

    Raises:
        SettingError: A number cannot be, or a layer puts out tokens.
        UnitError: A layer has no such unit.
    """

    networks: tuple[Compared, ...]
    levels: tuple[Level, ...]
    concepts: ConceptSet
    photos: tuple[Any, ...] = ()
    units: int = UNITS
    chosen: tuple[int, ...] = ()
    recipes: Recipes = field(default_factory=recipes_of)
    seed: int = 0
    batch: int = 16
    folder: Path | None = None
    tick: Tick = silent

    def __post_init__(self) -> None:
        """Find what is wrong before hours are spent."""
        if self.units < 1 or self.batch < 1:
            raise SettingError(f"{self.units} units, {self.batch} images at a time: give 1 or more")
        if not self.levels:
            raise SettingError("there are no layers to compare: name one or more")
        for number, one in enumerate(self.networks):
            if not self.layers(number):
                raise SettingError(
                    f"{one.name} has a layer at no level: name one for it, or leave it out"
                )
            for layer, shape in shapes_of(one.net, self.layers(number)).items():
                self._check(one, layer, shape)

    def _check(self, one: Compared, layer: str, shape: tuple[int, ...]) -> None:
        if len(shape) == 2:
            raise SettingError(
                f"layer {layer!r} of {one.name} puts out {shape[0]} tokens, and maps or codes are "
                "compared: choose another layer"
            )
        wrong = [unit for unit in self.chosen if shape and not 0 <= unit < shape[0]]
        if wrong:
            raise UnitError(
                f"{layer!r} of {one.name} has units 0 to {shape[0] - 1}, and so no unit {wrong[0]}"
            )

    def layers(self, number: int) -> tuple[str, ...]:
        """List the layers of a network, each once."""
        found = (level.layers[number] for level in self.levels)
        return tuple(dict.fromkeys(layer for layer in found if layer is not None))

    @cached_property
    def ledger(self) -> Ledger:
        """Where pieces are kept."""
        return Ledger(self.folder)

    @cached_property
    def passes(self) -> Path | None:
        """Where passes over the image set keep their states."""
        return None if self.folder is None else self.folder / "passes"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What to call each photograph; no two alike."""
        photos = enumerate(self.photos, 1)
        return numbered(name_of(photo, f"photograph {count}") for count, photo in photos)

    @cached_property
    def photo_ids(self) -> tuple[str, ...]:
        """What each photograph holds."""
        return tuple(photo_id(photo) for photo in self.photos)

    @cached_property
    def identities(self) -> tuple[Mapping[str, Any], ...]:
        """What each network is, by its contents."""
        return tuple(identity(one.net) for one in self.networks)

    def cell(
        self, what: str, number: int, key: Mapping[str, Any], compute: Callable[[], Cell]
    ) -> Cell:
        """Return a piece of a network, computed if it is not there."""
        whole = {"what": what, "network": self.identities[number], "form": FORM, **key}
        return self.ledger.cell(whole, compute)


class Progress:
    """Counts pieces, and the steps inside of each."""

    def __init__(self, tick: Tick, pieces: int) -> None:
        self._tick, self._total, self._done = tick, pieces, 0

    def within(self, what: str) -> Callable[[int, int], None]:
        """Return what tells how far the next piece is."""
        self._tick(self._done * _PARTS, self._total * _PARTS, what)

        def tell(done: int, total: int) -> None:
            share = min(_PARTS, _PARTS * done // max(1, total))
            self._tick(self._done * _PARTS + share, self._total * _PARTS, what)

        return tell

    def done(self) -> None:
        """Count a piece as done."""
        self._done += 1
