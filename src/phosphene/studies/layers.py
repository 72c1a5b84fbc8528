"""What does each layer keep of a photograph? One row of inversions, from the first layer on.

*Reference.* Mahendran & Vedaldi, IJCV 2016, section 5.2.2, figures 5 to 7; thesis 2018, section
5.4.2.3, figures 5.8 to 5.10: layers of AlexNet, VGG-M and VGG-VD, at a C chosen for each layer.
The papers found that first layers keep nearly everything, deeper ones ever fuzzier instances, and
that fully connected layers recompose parts of the photograph.

*Departures.* C follows from the receptive field (`preimage.invert.strength_for`), which gives the
papers' choices. Numbers stand beside the pictures: the error of the code, the class of the
pre-image, and how far it lies from the photograph as a picture (`appearance.apart`).
"""

from __future__ import annotations

from typing import Any

from phosphene.panel import Plot, Table, Tile
from phosphene.studies import tabulated
from phosphene.studies.appearance import apart
from phosphene.studies.curves import curve
from phosphene.studies.findings import Findings
from phosphene.studies.inversion import inversion
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import STRENGTHS, Plan, called
from phosphene.studies.setting import (
    ALL_DEPTHS,
    demand_photos,
    known_layers,
    percent,
    plural,
    strength_fact,
    strengths_at,
)

_LOW = 0.2


def layers(plan: Plan) -> Findings:
    """Invert photographs from every layer.

    Args:
        plan: Photographs, layers (all depths, if none is named) and strengths (the papers' for
            each layer, if none is given).

    Raises:
        ImageError: There is no photograph.
    """
    demand_photos(plan, "layers")
    known = known_layers(plan, plan.spread(ALL_DEPTHS))
    at = {name: strengths_at(plan, layer) for name, layer in known.items()}
    count = max(map(len, at.values()))
    total = len(plan.photos) * len(at) * count
    found: list[dict[str, Any]] = []
    rows: list[tuple[str, tuple[Tile, ...]]] = []
    skipped: list[str] = []
    done = 0
    for number, name in enumerate(plan.names):
        for place in range(count):
            tiles: list[Tile] = []
            for layer, strengths in at.items():
                plan.tick(done, total, f"{layer}, {name}")
                cell = inversion(plan, number, layer, strengths[place])
                done += 1
                if "skipped" in cell.values:
                    skipped.append(f"{name}: {cell.values['skipped']}; left out")
                    continue
                found.append(_measured(plan, name, layer, strengths[place], cell))
                tiles += [] if tiles else [Tile(cell.images["original"], "photograph")]
                tiles.append(Tile(cell.images["found"], _caption(found[-1], count)))
            several = f", C = {called(plan.strengths[place])}" if _asked(plan) else ""
            rows.append((f"{name}{several}", tuple(tiles)))
    plan.tick(total, total, "done")
    verdict = _verdict(found)
    papers = strength_fact((layer, c[0]) for layer, c in at.items())
    given = ", ".join(map(called, plan.strengths))
    return Findings(
        "layers",
        f"{plan.net.name}: what every layer keeps",
        tuple(_tables(plan, found, verdict)),
        tuple(_plots(found)),
        tuple(rows),
        tabulated.facts(plan, C=given if _asked(plan) else papers),
        tuple(dict.fromkeys(skipped)),
        {"inversions": found, "verdict": verdict},
    )


def _asked(plan: Plan) -> bool:
    return plan.strengths is not STRENGTHS


def _measured(plan: Plan, name: str, layer: str, c: float, cell: Cell) -> dict[str, Any]:
    values = cell.values
    row = {
        "photograph": name,
        "layer": layer,
        "strength": called(c),
        "error": values["error"],
        "apart": apart(cell.images["original"], cell.images["found"]),
    }
    if "stands" in values:
        row |= {
            "kept": values["stands"] == values["stood"],
            "class": plan.net.label(values["stands"]),
            "class_before": plan.net.label(values["stood"]),
            "probability": values["probability"],
        }
    return row


def _caption(row: dict[str, Any], count: int) -> str:
    strength = f", C = {row['strength']}" if count == 1 else ""
    error = "" if row["error"] is None else f": {row['error']:.0%}"
    return f"{row['layer']}{strength}{error}"


def _verdict(found: list[dict[str, Any]]) -> str:
    if not found:
        return "No layer could be inverted."
    names = list(dict.fromkeys(row["layer"] for row in found))
    first, last = (
        [row["apart"] for row in found if row["layer"] == n] for n in (names[0], names[-1])
    )
    low = sum(row["error"] is not None and row["error"] <= _LOW for row in found)
    kept = [row["kept"] for row in found if "kept" in row]
    said = (
        f"As pictures, pre-images move away from the photograph from {sum(first) / len(first):.2f} "
        f"at {names[0]} to {sum(last) / len(last):.2f} at {names[-1]} (0 the same, 1 unrelated), "
        f"while the code is met within {percent(_LOW)} in {low} of {len(found)}"
    )
    classes = f" and the network names the same class in {sum(kept)} of {len(kept)}"
    return said + (classes if kept else "") + "."


def _tables(plan: Plan, found: list[dict[str, Any]], verdict: str) -> list[Table]:
    tables = []
    for name in plan.names:
        own = [row for row in found if row["photograph"] == name]
        known = any("kept" in row for row in own)
        stood = next((row["class_before"] for row in own if "kept" in row), "")
        columns = ["layer", "C", "error of the code, %", "apart as pictures"]
        columns += ["class of the pre-image", f"probability of {stood}, %"] if known else []
        rows = []
        for row in own:
            cells: list[str | float | None] = [row["layer"], row["strength"]]
            cells += [_percent(row["error"]), round(row["apart"], 3)]
            cells += [row.get("class"), _percent(row.get("probability"))] if known else []
            rows.append(tuple(cells))
        tables.append(Table(name, tuple(columns), tuple(rows)))
    if len(plan.photos) > 1:
        tables.insert(0, _summary(found))
    first = tables[0]
    return [Table(first.title, first.columns, first.rows, verdict), *tables[1:]]


def _summary(found: list[dict[str, Any]]) -> Table:
    places = dict.fromkeys((row["layer"], row["strength"]) for row in found)
    rows = []
    for place in places:
        own = [row for row in found if (row["layer"], row["strength"]) == place]
        kept = [row["kept"] for row in own if "kept" in row]
        rows.append(
            (
                *place,
                tabulated.said(tabulated.averaged(row["error"] for row in own), 1, 100),
                tabulated.said(tabulated.averaged(row["apart"] for row in own), 2),
                f"{sum(kept)} of {len(kept)}" if kept else None,
            )
        )
    columns = ("layer", "C", "error of the code, %", "apart as pictures", "same class")
    count = len({row["photograph"] for row in found})
    return Table(f"means of {plural(count, 'photograph')}", columns, tuple(rows))


def _plots(found: list[dict[str, Any]]) -> list[Plot]:
    # With the papers' C every layer has its own, and there is but one line.
    names = {row["layer"] for row in found}
    several = len({(row["layer"], row["strength"]) for row in found}) > len(names)
    lines = {"": found}
    if several:
        strengths = dict.fromkeys(row["strength"] for row in found)
        lines = {f"C = {c}": [row for row in found if row["strength"] == c] for c in strengths}
    plots = []
    for what, title, unit, times in (
        ("error", "error of the code", "%", 100.0),
        ("apart", "distance as pictures", "0 the same, 1 unrelated", 1.0),
    ):
        series = tuple(curve(name, own, "layer", what, times) for name, own in lines.items())
        plots.append(Plot(title, series, "layer", unit))
    return plots


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 1)
