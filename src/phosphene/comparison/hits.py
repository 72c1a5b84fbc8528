"""Units that answer to a picture or a concept: the result of a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL.Image import Image

from phosphene.comparison.units import blank_tile
from phosphene.panel import Panel, Shows, Table, Tile


@dataclass(frozen=True, eq=False)
class Hit:
    """A unit and how it answers.

    Attributes:
        network: Name of the network.
        layer: The layer.
        unit: The unit.
        numbers: Its scores by name, that which units are ranked by first.
        answers: Whether the score is beyond its limit.
        patches: What it sees in its strongest images of the reference set.
        heat: Where it answers on the picture; `None` of a concept.
    """

    network: str
    layer: str
    unit: int
    numbers: Mapping[str, float]
    answers: bool
    patches: Image | None = None
    heat: Image | None = None

    def as_json(self) -> dict[str, Any]:
        """Say all but the pictures."""
        where = {"network": self.network, "layer": self.layer, "unit": self.unit}
        return {**where, **self.numbers, "answers": self.answers}


# How many units stand in a row that have a single picture.
_ABREAST = 4


@dataclass(frozen=True)
class Searched:
    """How many units of a layer answer.

    Attributes:
        network: Name of the network.
        layer: The layer.
        units: Of how many.
        answering: How many do.
        expected: How many would by chance; `None` where that is not known.
    """

    network: str
    layer: str
    units: int
    answering: int
    expected: float | None = None


@dataclass(frozen=True, eq=False)
class Hits(Shows):
    """What a search has found.

    Attributes:
        title: Heading.
        hits: The best units, best first.
        searched: The layers that were searched.
        facts: What was done, by name.
        warnings: Sentences a person should not miss.
    """

    title: str
    hits: tuple[Hit, ...]
    searched: tuple[Searched, ...]
    facts: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def panel(self) -> Panel:
        """Show the units in order, each with where it answers and its strongest patches."""
        rows: list[tuple[str, tuple[Tile, ...]]] = []
        if all(hit.heat is None for hit in self.hits):  # one picture each: several fit a row
            for first in range(0, len(self.hits), _ABREAST):
                together = self.hits[first : first + _ABREAST]
                captions = [self._called(n, hit) for n, hit in enumerate(together, first + 1)]
                tiles = [hit.patches or blank_tile() for hit in together]
                heading = "strongest patches of the set" if first == 0 else ""
                rows.append((heading, tuple(map(Tile, tiles, captions))))
        else:
            for place, hit in enumerate(self.hits, 1):
                seen = [Tile(hit.heat, "where it answers")] if hit.heat is not None else []
                patches = Tile(hit.patches or blank_tile(), "strongest patches of the set")
                rows.append((self._called(place, hit), (*seen, patches)))
        return Panel(self.title, tuple(rows), self.facts, self.warnings, tables=self.tables())

    def _called(self, place: int, hit: Hit) -> str:
        """Say place, unit and numbers of a hit; its network too, where there are several."""
        numbers = ", ".join(f"{name} {value:.3g}" for name, value in hit.numbers.items())
        network = f"{hit.network}, " if len({one.network for one in self.searched}) > 1 else ""
        return f"{place}. {network}{hit.layer}, unit {hit.unit}: {numbers}"

    def tables(self) -> tuple[Table, ...]:
        """Tabulate the units, and how many answer in each layer."""
        # Not all have all: of layers without maps there is no IoU.
        names = tuple(dict.fromkeys(name for hit in self.hits for name in hit.numbers))
        ranked = tuple(
            (
                f"{n}", h.network, h.layer, h.unit, *map(h.numbers.get, names),
                "yes" if h.answers else "no",
            )
            for n, h in enumerate(self.hits, 1)
        )  # fmt: skip
        counted = tuple(
            (f"{s.network}, {s.layer}", s.units, s.answering, s.expected) for s in self.searched
        )
        return (
            Table("Units", ("place", "network", "layer", "unit", *names, "answers"), ranked),
            Table("Layers", ("network, layer", "units", "answer", "by chance"), counted),
        )

    def as_json(self) -> dict[str, Any]:
        """Say everything, for scripts."""
        return {
            "title": self.title,
            "units": [hit.as_json() for hit in self.hits],
            "layers": [vars(one) for one in self.searched],
            "facts": dict(self.facts),
            "warnings": list(self.warnings),
        }
