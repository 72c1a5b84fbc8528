"""What does each layer see in a photograph? The photograph, with that exaggerated.

*Reference.* Mahendran & Vedaldi, IJCV 2016, section 7, figures 14 and 15; thesis 2018, section
5.5, figures 5.19 and 5.20. Of VGG-M's layers the papers found the first to saturate colours, then
lines, round things, parts, and mixtures of heads.

*Departures.* The growth of what is exaggerated is measured at the picture that is shown, clipped to
possible colours: `<phi(x), phi0> / || phi0 ||^2` with `phi0 = max(0, phi(x0))`, which is 1 for the
photograph itself. The prior takes contrast from the whole picture, by which the growth at first
layers ends below 1; so it is also given over the share of contrast that is left, the *emphasis*.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import product
from typing import Any

import torch

from phosphene.errors import SettingError, UnitError
from phosphene.image import to_image
from phosphene.panel import Plot, Table, Tile
from phosphene.preimage.caricature import caricature
from phosphene.preimage.objectives import Caricature
from phosphene.studies import tabulated
from phosphene.studies.appearance import contrast, difference
from phosphene.studies.curves import curve
from phosphene.studies.findings import Findings
from phosphene.studies.inversion import classes_of
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import STRENGTHS, Plan, called
from phosphene.studies.setting import demand_photos, finished, known_layers

_LAYERS = 8


def caricatures(plan: Plan) -> Findings:
    """Exaggerate photographs by each layer.

    Args:
        plan: Photographs, layers (eight of all depths, if none is named), and strengths (the
            papers' C = 1, if none is said).

    Raises:
        ImageError: There is no photograph.
        SettingError: A strength is infinite: what nothing holds back grows without end.
    """
    demand_photos(plan, "caricatures")
    layers = tuple(known_layers(plan, plan.spread(_LAYERS)))
    strengths = (1.0,) if plan.strengths is STRENGTHS else plan.strengths
    if any(map(math.isinf, strengths)):
        raise SettingError("a caricature without priors grows without end: give a finite strength")
    total = len(plan.photos) * len(strengths) * len(layers)
    found: list[dict[str, Any]] = []
    rows: list[tuple[str, tuple[Tile, ...]]] = []
    skipped: list[str] = []
    for done, (number, c) in enumerate(product(range(len(plan.photos)), strengths)):
        name = plan.names[number]
        tiles: list[Tile] = []
        for place, layer in enumerate(layers):
            plan.tick(done * len(layers) + place, total, f"{layer}, {name}")
            key = {"photo": plan.photo_ids[number], "layer": layer, "strength": c}
            compute = partial(_computed, plan, number, layer, c)
            cell = plan.cell("caricature", key, compute)
            if "skipped" in cell.values:
                skipped.append(f"{name}: {cell.values['skipped']}; left out")
                continue
            row = {"photograph": name, "layer": layer, "strength": c, **_measured(plan, cell)}
            found.append(row)
            tiles += [] if tiles else [Tile(cell.images["original"], "photograph")]
            tiles.append(Tile(cell.images["found"], f"{layer}: x {row['growth']:.2f}"))
        heads = [name] * (len(plan.photos) > 1) + [f"C = {called(c)}"] * (len(strengths) > 1)
        rows.append((", ".join(heads), tuple(tiles)))
    plan.tick(total, total, "done")
    said = [_verdict([row for row in found if row["strength"] == c]) for c in strengths]
    several = len(strengths) > 1 and found
    verdict = (
        " ".join(f"C = {called(c)}: {v}" for c, v in zip(strengths, said, strict=True))
        if several
        else said[0]
    )
    return Findings(
        "caricatures",
        f"{plan.net.name}: what each layer sees, exaggerated",
        (_table(found, verdict),),
        (_plot(found),) if found else (),
        tuple(rows),
        tabulated.facts(plan),
        tuple(dict.fromkeys(skipped)),
        {"caricatures": found, "verdict": verdict},
    )


def _computed(plan: Plan, number: int, layer: str, strength: float) -> Cell:
    try:
        result = finished(
            caricature(
                plan.net,
                plan.photos[number],
                layer,
                strength=strength,
                quality=plan.quality,
                steps=plan.steps,
                seed=plan.seed,
            )
        )
    except UnitError as error:
        return Cell({"skipped": str(error)})
    assert result.reference is not None
    with torch.no_grad():
        before, after = plan.net[layer](result.reference), plan.net[layer](result.image)
        growth = -float(Caricature(before).loss(after)[0])
    values: dict[str, object] = {"growth": growth, **classes_of(plan, result)}
    if "stood" in values:
        whole = plan.net.probabilities(result.reference)[0]
        values["probability_before"] = float(whole.max())
    images = {"original": to_image(result.reference[0]), "found": to_image(result.image[0])}
    return Cell(values, images)


def _measured(plan: Plan, cell: Cell) -> dict[str, Any]:
    original, picture = cell.images["original"], cell.images["found"]
    growth, left = cell.values["growth"], contrast(picture)
    row: dict[str, Any] = {
        "growth": growth,
        "emphasis": growth * contrast(original) / left if left else None,
        "change": difference(original, picture),
    }
    if "stood" in cell.values:
        row |= {
            "class_before": plan.net.label(cell.values["stood"]),
            "class": plan.net.label(cell.values["stands"]),
            "probability_before": cell.values["probability_before"],
            "probability": cell.values["probability"],
        }
    return row


def _verdict(found: list[dict[str, Any]]) -> str:
    if not found:
        return "In no layer is anything active that could be exaggerated."
    names = list(dict.fromkeys(row["layer"] for row in found))
    growth = {
        name: tabulated.averaged(r["growth"] for r in found if r["layer"] == name)["mean"]
        for name in names
    }
    most = max(names, key=growth.__getitem__)
    least = min(names, key=growth.__getitem__)
    known = [row for row in found if "class" in row]
    surer = sum(row["probability"] > row["probability_before"] for row in known)
    classes = (
        f"; the network is surer of the photograph's class than before in {surer} of {len(known)} "
        "caricatures"
    )
    return (
        f"What a layer sees grows most at {most}, to {growth[most]:.2g} times what it was, and "
        f"least at {least}, to {growth[least]:.2g} times" + (classes if known else "") + "."
    )


def _table(found: list[dict[str, Any]], verdict: str) -> Table:
    known = any("class" in row for row in found)
    columns = ["photograph", "layer", "C", "growth", "at equal contrast", "change"]
    columns += ["class", "probability before, %", "after, %", "class after"] if known else []
    rows = []
    for row in found:
        cells: list[str | float | None] = [row["photograph"], row["layer"], called(row["strength"])]
        emphasis = None if row["emphasis"] is None else round(row["emphasis"], 3)
        cells += [round(row["growth"], 3), emphasis, round(row["change"], 1)]
        if known:
            shares = (round(100 * row[k], 1) for k in ("probability_before", "probability"))
            cells += [row["class_before"], *shares, row["class"]]
        rows.append(tuple(cells))
    title = "growth of what each layer sees, times that of the photograph; change, gray levels"
    return Table(title, tuple(columns), tuple(rows), verdict)


def _plot(found: list[dict[str, Any]]) -> Plot:
    strengths = dict.fromkeys(row["strength"] for row in found)
    series = []
    for c in strengths:
        chosen = [row for row in found if row["strength"] == c]
        several = f", C = {called(c)}" if len(strengths) > 1 else ""
        series += [
            curve(f"as it is{several}", chosen, "layer", "growth"),
            curve(f"at the photograph's contrast{several}", chosen, "layer", "emphasis"),
        ]
    title, what = "growth of what a layer sees", "times that of the photograph"
    return Plot(title, tuple(series), "layer", what)
