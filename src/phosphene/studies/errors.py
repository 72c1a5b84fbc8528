"""How much of a photograph does a layer keep? Reconstruction error for each layer and C.

*Reference.* Mahendran & Vedaldi, IJCV 2016, table 5 and figure 8 left; thesis 2018, figure 5.5:
relative error `|| phi - phi0 || / || phi0 ||`, mean over photographs with its 95 % interval, and
the fraction of pre-images that the network takes for the class of their original.

*Departures.* Classes are those of the pre-image itself, clipped to possible colours; the authors'
code classifies the picture stretched in contrast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

from phosphene.panel import Plot, Series, Table, Tile
from phosphene.studies.findings import Findings
from phosphene.studies.inversion import cells_of
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import Plan, called


def errors(plan: Plan) -> Findings:
    """Invert photographs from layers with several strengths; see `Plan`."""
    layers = plan.spread(8)
    cells = cells_of(plan, layers, plan.strengths)
    measured = {(layer, c): _measured(cells[layer, c]) for layer in layers for c in plan.strengths}
    best = {layer: _best(layer, plan.strengths, measured) for layer in layers}
    low = [layer for layer in layers if best[layer] and best[layer]["error"] <= 0.2]
    kept = [layer for layer in layers if best[layer] and (best[layer]["kept"] or 0) >= 0.8]
    verdict = (
        f"With the best C of each layer the error is at most 20 % at {len(low)} of {len(layers)} "
        f"layers, and the class is kept for at least 80 % at {len(kept)}."
    )
    return Findings(
        "errors",
        f"{plan.net.name}: what inversion recovers, {len(plan.photos)} photographs",
        (
            _table("relative error, %", "error", layers, plan.strengths, measured, verdict),
            _table("class kept, %", "kept", layers, plan.strengths, measured, ""),
        ),
        (
            _plot("relative error", "error", layers, plan.strengths, measured),
            _plot("class kept", "kept", layers, plan.strengths, measured),
        ),
        tuple((layer, _tiles(layer, plan.strengths, cells)) for layer in layers),
        {
            "network": plan.net.name,
            "photographs": str(len(plan.photos)),
            "quality": plan.quality or "papers', stopped when converged",
            "seed": str(plan.seed),
        },
        (),
        {
            "layers": [
                {"layer": layer, "strength": called(c), **measured[layer, c]}
                for layer in layers
                for c in plan.strengths
            ],
            "verdict": verdict,
        },
    )


def interval(values: Sequence[float]) -> float:
    """Return half the 95 % interval of the mean: 1.96 standard deviations / sqrt(n)."""
    return 1.96 * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def _measured(cells: Sequence[Cell]) -> dict[str, Any]:
    found = [cell.values["error"] for cell in cells if cell.values["error"] is not None]
    kept = [
        cell.values["stood"] == cell.values["stands"] for cell in cells if "stood" in cell.values
    ]
    return {
        "error": mean(found) if found else None,
        "interval": interval(found) if found else None,
        "kept": mean(map(float, kept)) if kept else None,
        "count": len(found),
    }


def _best(
    layer: str, strengths: Sequence[float], measured: dict[tuple[str, float], dict[str, Any]]
) -> dict[str, Any]:
    known = [measured[layer, c] for c in strengths if measured[layer, c]["error"] is not None]
    return min(known, key=lambda m: float(m["error"]), default={})


def _table(
    title: str,
    what: str,
    layers: Sequence[str],
    strengths: Sequence[float],
    measured: dict[tuple[str, float], dict[str, Any]],
    note: str,
) -> Table:
    rows = []
    for layer in layers:
        values = [measured[layer, c][what] for c in strengths]
        rows.append((layer, *(None if v is None else round(100 * v, 1) for v in values)))
    columns = ("layer", *(f"C = {called(c)}" for c in strengths))
    return Table(title, columns, tuple(rows), note)


def _plot(
    title: str,
    what: str,
    layers: Sequence[str],
    strengths: Sequence[float],
    measured: dict[tuple[str, float], dict[str, Any]],
) -> Plot:
    series = []
    for c in strengths:
        values = [measured[layer, c] for layer in layers]
        heights = tuple(float("nan") if v[what] is None else 100 * v[what] for v in values)
        bars = tuple(100 * (v["interval"] or 0) for v in values) if what == "error" else ()
        series.append(Series(f"C = {called(c)}", tuple(layers), heights, bars))
    return Plot(title, tuple(series), "layer", "%")


def _tiles(
    layer: str, strengths: Sequence[float], cells: dict[tuple[str, float], list[Cell]]
) -> tuple[Tile, ...]:
    """Show the first photograph: itself, then what each strength finds."""
    tiles: list[Tile] = []
    for c in strengths:
        if not cells[layer, c]:
            continue
        first = cells[layer, c][0]
        if not tiles:
            tiles.append(Tile(first.images["original"], "image"))
        error = first.values["error"]
        tiles.append(Tile(first.images["found"], f"C = {called(c)}: error {error:.0%}"))
    return tuple(tiles)
