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
        rows = []
        for place, hit in enumerate(self.hits, 1):
            numbers = ", ".join(f"{name} {value:.3g}" for name, value in hit.numbers.items())
            heading = f"{place}. {hit.network}, {hit.layer}, unit {hit.unit}: {numbers}"
            tiles = [Tile(hit.heat, "where it answers")] if hit.heat is not None else []
            tiles.append(Tile(hit.patches or blank_tile(), "strongest patches of the set"))
            rows.append((heading, tuple(tiles)))
        return Panel(self.title, tuple(rows), self.facts, self.warnings, tables=self.tables())

    def tables(self) -> tuple[Table, ...]:
        """Tabulate the units, and how many answer in each layer."""
        names = tuple(self.hits[0].numbers) if self.hits else ()
        ranked = tuple(
            (f"{n}", h.network, h.layer, h.unit, *h.numbers.values(), "yes" if h.answers else "no")
            for n, h in enumerate(self.hits, 1)
        )
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
