"""Numbers over layers and strengths: means with intervals, as tables, plots and rows of pictures.

What is measured stands by layer and strength, as a mapping that has a value and its interval under
their names; what could not be measured is `None`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from phosphene.panel import Plot, Series, Table, Tile
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import Plan, called
from phosphene.studies.setting import plural

FEWEST = 5
"""Photographs from which on verdicts are worth something."""
FEWEST_SPREAD = 3
"""Values from which on an interval is worth showing: of two it is 12.7 deviations."""
Measured = Mapping[tuple[str, float], Mapping[str, Any]]
"""By layer and strength: numbers by name."""


def interval(values: Sequence[float]) -> float:
    """Return half the 95 % interval of the mean: t standard deviations / sqrt(n).

    t is Student's: 12.7 for two values, 2.3 for ten. The papers take 1.96 for all; for their 100
    photographs it is 1.98, and for a handful 1.96 would promise too much. A single value has no
    interval; 0 is returned.

    >>> round(interval([1.0, 2.0]), 2), round(interval([1.0, 2.0] * 50), 3)
    (6.35, 0.1)
    """
    n = len(values)
    return _student(n - 1) * stdev(values) / math.sqrt(n) if n > 1 else 0.0


def _student(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's distribution, to 1 %.

    The expansion of Abramowitz & Stegun 26.7.5, which needs three degrees of freedom.
    """
    if freedom < 3:
        return (12.706, 4.303)[freedom - 1]
    z = 1.959964
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return math.fsum(term / float(freedom) ** power for power, term in enumerate(terms))


def averaged(values: Iterable[float | None]) -> dict[str, Any]:
    """Return `mean`, `interval` and `count` of the values there are.

    >>> averaged([1.0, None, 1.0])
    {'mean': 1.0, 'interval': 0.0, 'count': 2}
    """
    found = [value for value in values if value is not None and math.isfinite(value)]
    return {
        "mean": mean(found) if found else None,
        "interval": interval(found) if found else None,
        "count": len(found),
    }


def sure(found: Mapping[str, Any]) -> int:
    """Return the sign of a mean whose 95 % interval leaves out 0; 0 for the others.

    A mean of fewer than three values has no sign.
    """
    if found["count"] < FEWEST_SPREAD or abs(found["mean"]) <= found["interval"]:
        return 0
    return 1 if found["mean"] > 0 else -1


def said(found: Mapping[str, Any], digits: int = 1, times: float = 1.0) -> str | None:
    """Write a mean, with its interval where three values or more make it up.

    >>> said({"mean": 0.5, "interval": 0.02, "count": 9}, 1, 100)
    '50.0 ± 2.0'
    """
    if found["mean"] is None:
        return None
    middle = f"{round(times * found['mean'], digits) + 0.0:.{digits}f}"  # never -0
    spread = f" ± {times * found['interval']:.{digits}f}"
    return middle + (spread if found["count"] >= FEWEST_SPREAD else "")


def heads(strengths: Sequence[float]) -> tuple[str, ...]:
    """Name the columns of a table over strengths."""
    return ("layer", *(f"C = {called(c)}" for c in strengths))


def table(
    title: str,
    layers: Sequence[str],
    strengths: Sequence[float],
    measured: Measured,
    note: str = "",
    *,
    digits: int = 1,
    times: float = 1.0,
) -> Table:
    """Tabulate means with intervals, as `averaged` returns them.

    Args:
        title: Heading.
        layers: The rows.
        strengths: The columns.
        measured: What is in the cells.
        note: What the numbers are.
        digits: Behind the point.
        times: What they are multiplied by: 100 for per cent.
    """
    rows = [
        (layer, *(said(measured[layer, c], digits, times) for c in strengths)) for layer in layers
    ]
    return Table(title, heads(strengths), tuple(rows), note)


def line(
    name: str, x: Iterable[Any], found: Iterable[Mapping[str, Any]], times: float = 1.0
) -> Series:
    """Draw means as `averaged` returns them, with intervals where three values make them up.

    Args:
        name: For the legend.
        x: Where each stands.
        found: The means; a gap where there is none.
        times: What they are multiplied by: 100 for per cent.

    >>> line("", ["a", "b"], [averaged([1.0, 3.0]), averaged([])])
    Series(name='', x=('a', 'b'), y=(2.0, nan), spread=(0.0, 0.0))
    """
    found = list(found)
    heights = (math.nan if v["mean"] is None else times * v["mean"] for v in found)
    bars = (times * v["interval"] if v["count"] >= FEWEST_SPREAD else 0.0 for v in found)
    return Series(name, tuple(x), tuple(heights), tuple(bars))


def plot(
    title: str,
    layers: Sequence[str],
    strengths: Sequence[float],
    measured: Measured,
    unit: str,
    *,
    times: float = 1.0,
) -> Plot:
    """Draw a line for every strength over the layers, with intervals as error bars."""
    series = []
    for c in strengths:
        found = [measured[layer, c] for layer in layers]
        series.append(line(f"C = {called(c)}", layers, found, times))
    return Plot(title, tuple(series), "layer", unit)


def listed(
    layers: Sequence[str], strengths: Sequence[float], measured: Measured
) -> list[dict[str, Any]]:
    """List all numbers for `Findings.data`."""
    return [
        {"layer": layer, "strength": called(c), **measured[layer, c]}
        for layer in layers
        for c in strengths
    ]


def pictures(
    layer: str, strengths: Sequence[float], cells: Mapping[tuple[str, float], Sequence[Cell]]
) -> tuple[Tile, ...]:
    """Show the first photograph of inversions: itself, then what each strength finds."""
    tiles: list[Tile] = []
    for c in strengths:
        if not cells[layer, c]:
            continue
        first = cells[layer, c][0]
        if not tiles:
            tiles.append(Tile(first.images["original"], "image"))
        error = first.values["error"]
        known = "" if error is None else f": error {error:.0%}"
        tiles.append(Tile(first.images["found"], f"C = {called(c)}{known}"))
    return tuple(tiles)


def facts(plan: Plan, **more: object) -> dict[str, str]:
    """Say what a study was asked."""
    steps = {"steps": str(plan.steps)} if plan.steps is not None else {}
    return {
        "network": plan.net.name,
        **({"photographs": str(len(plan.photos))} if plan.photos else {}),
        "quality": plan.quality or "papers', stopped when converged",
        **steps,
        "seed": str(plan.seed),
        **{name: str(fact) for name, fact in more.items()},
    }


def doubts(plan: Plan) -> tuple[str, ...]:
    """Warn of verdicts from too few photographs: two have an interval of 12.7 deviations."""
    count = len(plan.photos)
    if count >= FEWEST:
        return ()
    return (
        f"of {plural(count, 'photograph')} hardly anything can be said for sure: give {FEWEST} or "
        "more",
    )
