"""What does a network take for a class? Images that excite the unit of the class scores most.

*Reference.* Mahendran & Vedaldi, IJCV 2016, section 6, figure 13; thesis 2018, section 5.4.3,
figure 5.18: black swan, goose, tree frog, cheeseburger and others, by activation maximisation of
fc8 at the network's own input size.

*Departures.* M of a class is measured over the plan's photographs, of which some should show the
class: of one that no photograph excites there is no scale, and it is left out by name. Where the
scores are a map, the unit is excited at all its positions, as their mean is the class's score.
What the network makes of the image is measured at the picture that is shown.
"""

from __future__ import annotations

from typing import Any

import torch

from phosphene.core.labels import most_probable
from phosphene.errors import NetworkError
from phosphene.image import to_tensor
from phosphene.panel import Plot, Table, Tile
from phosphene.studies import tabulated
from phosphene.studies.curves import curve
from phosphene.studies.findings import Findings
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import Plan
from phosphene.studies.setting import chosen_classes, demand_photos, percent, plural
from phosphene.studies.units import excited, maxima_cell


def classes(plan: Plan) -> Findings:
    """Excite units of the class scores.

    Args:
        plan: Photographs to measure M over, classes (the papers', or some, if none is named) and
            repeats.

    Raises:
        ImageError: There is no photograph.
        NetworkError: The network has no layer of class scores.
    """
    demand_photos(plan, "classes")
    net = plan.net
    if not net.scores.layer:
        raise NetworkError(
            f"the class scores of {net.name} are made in no layer of their own: the study "
            "class-models does without"
        )
    layer, wanted = net.scores.layer, chosen_classes(plan)
    plan.tick(0, 1, f"{layer}, largest activations over {len(plan.photos)} photographs")
    scale = maxima_cell(plan, layer)
    silent = [index for index in wanted if not scale.values[index] > 0]
    wanted = [index for index in wanted if index not in silent]
    total = len(wanted) * plan.repeats
    found: list[dict[str, Any]] = []
    rows: list[tuple[str, tuple[Tile, ...]]] = []
    done = 0
    for index in wanted:
        tiles = []
        for repeat in range(plan.repeats):
            plan.tick(done, total, net.label(index))
            done += 1
            cell = excited(plan, layer, [index], scale, repeat, everywhere=True)
            row = _measured(plan, index, scale.of(index), cell)
            found.append({"class": net.label(index), "index": index, "repeat": repeat, **row})
            tiles.append(Tile(cell.images[f"unit {index}"], _caption(found[-1], plan.repeats)))
        rows.append((net.label(index), tuple(tiles)))
    plan.tick(total, total, "done")
    if plan.repeats == 1:
        rows = [("", tuple(tile for _, tiles in rows for tile in tiles))]
    verdict = _verdict(found)
    return Findings(
        "classes",
        f"{net.name}: what it takes for its classes",
        (_table(found, verdict),),
        (_plot(found),) if found else (),
        tuple(rows),
        tabulated.facts(plan, layer=layer, M=f"over {plural(len(plan.photos), 'photograph')}"),
        tuple(
            f"{net.label(index)} is left out, as no photograph excites its unit: give one of it"
            for index in silent
        ),
        {"classes": found, "left_out": [net.label(i) for i in silent], "verdict": verdict},
    )


@torch.no_grad()
def _measured(plan: Plan, index: int, maximum: float, cell: Cell) -> dict[str, Any]:
    net = plan.net
    picture = to_tensor(cell.images[f"unit {index}"])[None].to(net.device, net.dtype)
    probabilities = net.probabilities(picture)
    ((best, most),) = most_probable(probabilities, net.labels, 1)[0]
    return {
        "maximum": maximum,
        "reached": cell.values["reached"][0],
        "probability": float(probabilities[0, index]),
        "first": int(probabilities[0].argmax()) == index,
        "most_probable": best,
        "most_probability": most,
    }


def _caption(row: dict[str, Any], repeats: int) -> str:
    share = f"{row['probability']:.0%}"
    return share if repeats > 1 else f"{row['class']}: {share}"


def _verdict(found: list[dict[str, Any]]) -> str:
    if not found:
        return "No photograph excites the unit of any of these classes."
    first = sum(row["first"] for row in found)
    least = min(found, key=lambda row: float(row["probability"]))
    return (
        f"The network takes {first} of {plural(len(found), 'image')} for the class they were made "
        f"for; the least sure is {least['class']}, at {percent(least['probability'])}."
    )


def _table(found: list[dict[str, Any]], verdict: str) -> Table:
    columns: tuple[str, ...] = (
        "class",
        "score by photographs (M)",
        "score reached",
        "probability, %",
    )
    columns += ("most probable", "its probability, %")
    rows = []
    for row in found:
        scores = float(f"{row['maximum']:.3g}"), float(f"{row['reached']:.3g}")
        best = row["most_probable"], round(100 * row["most_probability"], 1)
        rows.append((row["class"], *scores, round(100 * row["probability"], 1), *best))
    return Table("what the network makes of the images", columns, tuple(rows), verdict)


def _plot(found: list[dict[str, Any]]) -> Plot:
    series = (curve("", found, "class", "probability", 100),)
    return Plot("probability of the class", series, "", "%", "bars")
