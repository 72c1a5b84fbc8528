"""The statistics of a layer's units, ready to be read: as texts, and by rank among the units."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from phosphene.atlas.model import LayerEntry
from phosphene.panel import Table
from phosphene.view.tables import Shown


@dataclass(frozen=True)
class Ranked:
    """A statistic of a unit.

    Attributes:
        name: Of the statistic.
        text: Its value, with as many digits as the other units' have.
        rank: How many units have a larger one, and 1; 0 where it is no number.
        count: How many units have one.
        share: The share of the other units that have a smaller one, ties by half, in [0, 1].
    """

    name: str
    text: str
    rank: int
    count: int
    share: float


def statistic_names(layer: LayerEntry) -> tuple[str, ...]:
    """List the statistics that any unit of a layer has, in order of appearance."""
    return tuple(dict.fromkeys(name for unit in layer.units for name in unit.statistics))


def rank(layer: LayerEntry) -> tuple[tuple[Ranked, ...], ...]:
    """Rank every unit of a layer in every statistic that it has.

    Returns:
        For every unit, in the order of `layer.units`, its statistics.
    """
    names = statistic_names(layer)
    found: list[list[Ranked]] = [[] for _ in layer.units]
    for name in names:
        values = [unit.statistics.get(name) for unit in layer.units]
        rows = tuple(("", value) for value in values)
        texts = [row[1] for row in Shown.of(Table("", ("", name), rows)).typeset]
        sizes = sorted(v for v in values if v is not None and not math.isnan(v))
        for place, (value, text) in enumerate(zip(values, texts, strict=True)):
            if value is not None:
                found[place].append(_ranked(name, text, float(value), sizes))
    return tuple(tuple(statistics) for statistics in found)


def _ranked(name: str, text: str, value: float, sizes: list[float]) -> Ranked:
    if math.isnan(value):
        return Ranked(name, text, 0, len(sizes), 0.5)
    below, upto = bisect_left(sizes, value), bisect_right(sizes, value)
    others = len(sizes) - 1
    share = (below + upto - 1) / 2 / others if others else 0.5
    return Ranked(name, text, len(sizes) - upto + 1, len(sizes), share)
