"""Do the priors make inversions more like photographs, in the statistics of their gradients?

Every inversion is compared with its own original by the intersection of their histograms of
gradients (`studies.gradients`), with priors of several strengths and with none.

*Reference.* Mahendran, thesis 2018, section 5.4.2.2 and figure 5.6: means over photographs with
95 % intervals, for C = 1, 100 and without regularisation.

*Departures.* The thesis speaks of magnitudes and plots orientations; both are here. Its pictures
were stretched in contrast when they were saved; here they are clipped, and the numbers for
stretched ones stand in the data. Whether a C differs from no prior at all is judged by the
differences photograph by photograph, whose interval is narrower than those of the two means.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from phosphene.panel import Table
from phosphene.studies import gradients, tabulated
from phosphene.studies.findings import Findings
from phosphene.studies.gradients import Measure
from phosphene.studies.inversion import cells_of
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import Plan, called
from phosphene.studies.setting import demand_photos, plural

MEASURES: tuple[tuple[Measure, str], ...] = (
    ("orientation", "orientations"),
    ("magnitude", "magnitudes"),
)
Found = dict[tuple[str, float], list[float]]


def naturalness(plan: Plan) -> Findings:
    """Invert photographs with and without priors, and compare gradients; see `Plan`."""
    demand_photos(plan, "naturalness")
    layers = plan.spread(8)
    strengths = tuple(dict.fromkeys((*plan.strengths, math.inf)))
    cells = cells_of(plan, layers, strengths)
    tables, plots, verdicts = [], [], []
    numbers: dict[str, list[dict[str, Any]]] = {}
    for measure, noun in MEASURES:
        values = {key: [_alike(cell, measure) for cell in own] for key, own in cells.items()}
        means = {key: tabulated.averaged(own) for key, own in values.items()}
        gains = {key: _gain(values, *key) for key in values if not math.isinf(key[1])}
        verdict = _verdict(layers, strengths, gains, noun)
        title = f"intersection of gradient {noun} with the original's, %"
        tables.append(tabulated.table(title, layers, strengths, means, verdict, times=100))
        plots.append(tabulated.plot(f"gradient {noun}", layers, strengths, means, "%", times=100))
        numbers[measure] = tabulated.listed(layers, strengths, means)
        numbers[f"{measure} gained"] = tabulated.listed(layers, strengths[:-1], gains)
        verdicts.append(verdict)
        if measure == "orientation":
            tables.append(_gained(layers, strengths[:-1], gains))
    stretched = {
        key: tabulated.averaged(_alike(cell, "orientation", True) for cell in own)
        for key, own in cells.items()
    }
    numbers["orientation stretched"] = tabulated.listed(layers, strengths, stretched)
    return Findings(
        "naturalness",
        f"{plan.net.name}: how natural inversions are, {plural(len(plan.photos), 'photograph')}",
        tuple(tables),
        tuple(plots),
        tuple((layer, tabulated.pictures(layer, strengths, cells)) for layer in layers),
        tabulated.facts(plan),
        tabulated.doubts(plan),
        {**numbers, "verdict": " ".join(verdicts)},
    )


def _alike(cell: Cell, measure: Measure, stretched: bool = False) -> float:
    original, found = cell.images["original"], cell.images["found"]
    return gradients.naturalness(original, found, measure, stretched=stretched)


def _gain(values: Found, layer: str, strength: float) -> dict[str, Any]:
    """Compare with no prior, photograph by photograph."""
    pairs = zip(values[layer, strength], values[layer, math.inf], strict=True)
    return tabulated.averaged(one - other for one, other in pairs)


def _gained(
    layers: Sequence[str],
    strengths: Sequence[float],
    gains: Mapping[tuple[str, float], Mapping[str, Any]],
) -> Table:
    title = "orientations: gained over no prior, percentage points"
    note = "Mean of the differences photograph by photograph, with its 95 % interval."
    return tabulated.table(title, layers, strengths, gains, note, times=100)


def _verdict(
    layers: Sequence[str],
    strengths: Sequence[float],
    gains: Mapping[tuple[str, float], Mapping[str, Any]],
    noun: str,
) -> str:
    """Say for every C at how many layers it is better than no prior, and at how many worse."""
    parts = []
    for c in strengths[:-1]:
        signs = [tabulated.sure(gains[layer, c]) for layer in layers]
        parts.append(f"at {signs.count(1)} (less at {signs.count(-1)}) with C = {called(c)}")
    return (
        f"Of {len(layers)} layers, gradient {noun} are more like the photographs' than without "
        f"priors {', '.join(parts)} (95 %)."
    )
