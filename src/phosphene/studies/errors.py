"""How much of a photograph does a layer keep? Reconstruction error for each layer and C.

*Reference.* Mahendran & Vedaldi, IJCV 2016, table 5 and figure 8 left; thesis 2018, figure 5.5:
relative error `|| phi - phi0 || / || phi0 ||`, mean over photographs with its 95 % interval, and
the fraction of pre-images that the network takes for the class of their original.

*Departures.* Intervals are Student's (`tabulated.interval`), and those of table 5 are standard
deviations over images. Classes are those of the pre-image itself, clipped to possible colours; the
authors' code classifies the picture stretched in contrast.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from phosphene.panel import Table
from phosphene.studies import tabulated
from phosphene.studies.findings import Findings
from phosphene.studies.inversion import cells_of
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import Plan, called
from phosphene.studies.setting import demand_photos, plural


def errors(plan: Plan) -> Findings:
    """Invert photographs from layers with several strengths; see `Plan`."""
    demand_photos(plan, "errors")
    layers = plan.spread(8)
    cells = cells_of(plan, layers, plan.strengths)
    error = {key: tabulated.averaged(c.values["error"] for c in own) for key, own in cells.items()}
    kept = {key: tabulated.averaged(_kept(own)) for key, own in cells.items()}
    low, same = 0, 0
    for layer in layers:
        known = [c for c in plan.strengths if error[layer, c]["count"]]
        if not known:
            continue
        best = min(known, key=lambda c: float(error[layer, c]["mean"]))
        low += error[layer, best]["mean"] <= 0.2
        same += (kept[layer, best]["mean"] or 0) >= 0.8
    verdict = (
        f"With the best C of each layer the error is at most 20 % at {low} of {len(layers)} "
        f"layers, and the class is kept for at least 80 % at {same}."
    )
    what = layers, plan.strengths
    return Findings(
        "errors",
        f"{plan.net.name}: what inversion recovers, {plural(len(plan.photos), 'photograph')}",
        (
            tabulated.table("relative error, %", *what, error, verdict, times=100),
            Table("class kept", tabulated.heads(plan.strengths), tuple(_rates(layers, plan, kept))),
        ),
        (
            tabulated.plot("relative error", *what, error, "%", times=100),
            tabulated.plot("class kept", *what, _bare(kept), "%", times=100),
        ),
        tuple((layer, tabulated.pictures(layer, plan.strengths, cells)) for layer in layers),
        tabulated.facts(plan),
        (),
        {
            "layers": [
                {
                    "layer": layer,
                    "strength": called(c),
                    "error": error[layer, c]["mean"],
                    "interval": error[layer, c]["interval"],
                    "kept": kept[layer, c]["mean"],
                    "count": error[layer, c]["count"],
                }
                for layer in layers
                for c in plan.strengths
            ],
            "verdict": verdict,
        },
    )


def _rates(
    layers: Sequence[str], plan: Plan, kept: tabulated.Measured
) -> Iterator[tuple[str | None, ...]]:
    """Count: few photographs give a rate no interval worth the name."""
    for layer in layers:
        found = [kept[layer, c] for c in plan.strengths]
        counts = (
            f"{round(k['mean'] * k['count'])} of {k['count']}" if k["count"] else None
            for k in found
        )
        yield (layer, *counts)


def _bare(kept: tabulated.Measured) -> tabulated.Measured:
    return {key: {**found, "interval": 0.0} for key, found in kept.items()}


def _kept(cells: Sequence[Cell]) -> list[float | None]:
    known: list[dict[str, Any]] = [cell.values for cell in cells if "stood" in cell.values]
    return [float(values["stood"] == values["stands"]) for values in known]
