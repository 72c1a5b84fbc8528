"""What does a layer not tell apart? Several pre-images of one code, from different noise.

*Reference.* Mahendran & Vedaldi, IJCV 2016, section 5.2.3, figure 8; thesis 2018, section 5.4.2.4,
figure 5.11: four pre-images from VGG-VD's conv4_1, conv5_2 and fc7. To the network they are nearly
the same; as pictures they differ more the deeper the layer.

*Departures.* Both halves of that claim are measured. Between the repeats of one code:

    in pixels  || a - b || / sqrt(|| a ||^2 + || b ||^2)    a, b: less their mean colours
    in code    || phi(a) - phi(b) || / || phi0 ||

so that 0 is the same picture (or code) and 1 in pixels are unrelated pictures.
"""

from __future__ import annotations

from itertools import combinations
from statistics import mean
from typing import Any

import torch

from phosphene.image import to_tensor
from phosphene.panel import Plot, Table, Tile
from phosphene.studies import tabulated
from phosphene.studies.appearance import apart
from phosphene.studies.curves import curve
from phosphene.studies.findings import Findings
from phosphene.studies.inversion import inversion
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import Plan, called
from phosphene.studies.setting import (
    deep_layers,
    demand_photos,
    known_layers,
    percent,
    plural,
    strength_fact,
    strengths_at,
)


def multiple(plan: Plan) -> Findings:
    """Invert codes several times each.

    Args:
        plan: Photographs, layers (three deep ones, if none is named), strengths (the papers' for
            each layer, if none is given) and repeats, at least 2.

    Raises:
        ImageError: There is no photograph.
        ValueError: One repeat has nothing to be compared with.
    """
    demand_photos(plan, "multiple")
    if plan.repeats < 2:
        raise ValueError("one pre-image has nothing to be compared with: ask for 2 repeats or more")
    known = known_layers(plan, plan.layers or deep_layers(plan.net))
    places = [(layer, c) for layer, at in known.items() for c in strengths_at(plan, at)]
    total = len(plan.photos) * len(places) * plan.repeats
    found: list[dict[str, Any]] = []
    rows: list[tuple[str, tuple[Tile, ...]]] = []
    skipped: list[str] = []
    for number, name in enumerate(plan.names):
        for layer, c in places:
            cells = []
            for repeat in range(plan.repeats):
                done = (number * len(places) + places.index((layer, c))) * plan.repeats + repeat
                plan.tick(done, total, f"{layer}, {name}, {repeat + 1} of {plan.repeats}")
                cells.append(inversion(plan, number, layer, c, repeat))
            if "skipped" in cells[0].values:
                skipped.append(f"{name}: {cells[0].values['skipped']}; left out")
                continue
            found.append(_measured(plan, number, layer, c, cells))
            tiles = [Tile(cells[0].images["original"], "photograph")]
            tiles += [Tile(cell.images["found"], _caption(cell)) for cell in cells]
            strength = f", C = {called(c)}" if len(places) > len(known) else ""
            whose = f"{name}, " if len(plan.photos) > 1 else ""
            rows.append((f"{whose}{layer}{strength}", tuple(tiles)))
    plan.tick(total, total, "done")
    verdict = _verdict(found)
    return Findings(
        "multiple",
        f"{plan.net.name}: {plural(plan.repeats, 'pre-image')} of each code",
        (_table(found, verdict),),
        (_plot(found),) if found else (),
        tuple(rows),
        tabulated.facts(plan, C=strength_fact(places), repeats=plan.repeats),
        tuple(dict.fromkeys(skipped)),
        {"codes": found, "verdict": verdict},
    )


def _caption(cell: Cell) -> str:
    error = cell.values["error"]
    return "" if error is None else f"error {error:.1%}"


def _measured(plan: Plan, number: int, layer: str, c: float, cells: list[Cell]) -> dict[str, Any]:
    pictures = [cell.images["found"] for cell in cells]
    original = cells[0].images["original"]
    key = {"photo": plan.photo_ids[number], "layer": layer, "strength": called(c)}
    between = plan.cell(
        "codes of repeats",
        {**key, "repeats": len(cells)},
        lambda: Cell({"code": _between_codes(plan, layer, cells)}),
    )
    return {
        "photograph": plan.names[number],
        "layer": layer,
        "strength": called(c),
        "errors": [cell.values["error"] for cell in cells],
        "pixels": mean(apart(a, b) for a, b in combinations(pictures, 2)),
        "to_photograph": mean(apart(original, picture) for picture in pictures),
        "code": between.values["code"],
        "kept": [cell.values["stands"] == cell.values["stood"] for cell in cells]
        if "stands" in cells[0].values
        else None,
    }


@torch.no_grad()
def _between_codes(plan: Plan, layer: str, cells: list[Cell]) -> float:
    """Return the mean distance of the pictures' codes, over the length of the photograph's."""
    net = plan.net

    def code(cell: Cell, which: str) -> torch.Tensor:
        image = to_tensor(cell.images[which])[None].to(net.device, net.dtype)
        return net[layer](image).flatten().float()

    whole = float(code(cells[0], "original").norm())
    codes = [code(cell, "found") for cell in cells]
    distances = [float((a - b).norm()) for a, b in combinations(codes, 2)]
    return mean(distances) / whole if whole else float("nan")


def _verdict(found: list[dict[str, Any]]) -> str:
    if not found:
        return "No layer could be inverted."
    names = list(dict.fromkeys(row["layer"] for row in found))
    pixels = {n: mean(row["pixels"] for row in found if row["layer"] == n) for n in names}
    codes = [row["code"] for row in found if row["code"] is not None]
    errors = [error for row in found for error in row["errors"] if error is not None]
    said = f"Pre-images of one code lie {pixels[names[0]]:.2f} apart as pictures at {names[0]}"
    if len(names) > 1:
        more = "farther" if pixels[names[-1]] > pixels[names[0]] else "no farther"
        said += f" and {pixels[names[-1]]:.2f}, {more}, at {names[-1]}"
    said += " (0 the same, 1 unrelated)"
    if errors:
        said += f"; each meets the code within {percent(mean(errors))} on average"
    if codes:
        said += f", and their codes lie {percent(mean(codes))} apart"
    return said + "."


def _table(found: list[dict[str, Any]], verdict: str) -> Table:
    columns = (
        "photograph",
        "layer",
        "C",
        "errors of the code, %",
        "repeats apart, in code, %",
        "repeats apart, in pixels",
        "apart from the photograph",
        "same class",
    )
    rows = []
    for row in found:
        errors = ", ".join("?" if e is None else f"{100 * e:.1f}" for e in row["errors"])
        kept = f"{sum(row['kept'])} of {len(row['kept'])}" if row["kept"] is not None else None
        code = None if row["code"] is None else round(100 * row["code"], 1)
        places = row["photograph"], row["layer"], row["strength"]
        apart_by = round(row["pixels"], 3), round(row["to_photograph"], 3)
        rows.append((*places, errors, code, *apart_by, kept))
    return Table("distances", columns, tuple(rows), verdict)


def _plot(found: list[dict[str, Any]]) -> Plot:
    """Draw means over photographs and strengths, layer by layer."""
    series = tuple(curve(f"in {what}", found, "layer", what) for what in ("pixels", "code"))
    return Plot("how far repeats lie apart", series, "layer", "relative distance", "bars")
