"""What jitter does for the image of a class.

Jitter shows the network another crop at every step. Without it, the descent is free to answer to
single pixels of the network's sampling grid: the papers see finer structures and less content.
Here, for each class and jitter T (none, a quarter of the stride, and twice that), the unit of the
class is maximised with the papers' priors, and the result is judged by itself:

- the *activation* as a multiple of M, the unit's largest on the photographs;
- the *probability* of the class when the network is shown the image;
- the *fine share*: how much of the image's spectrum has periods under 8 pixels (`spectrum`).

*Reference.* Mahendran & Vedaldi, IJCV 2016, figure 3 and section 3.2.3; thesis 2018, figure 5.3:
"tree frog" in fc8 of AlexNet, T = 8.

*Departures.* The papers show pictures; the numbers are ours. M is measured on the study's
photographs; classes are those that the network sees in them, unless others are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from phosphene.core.seed import as_maps
from phosphene.errors import NetworkError, PhospheneError
from phosphene.image import to_image
from phosphene.panel import Plot, Table, Tile
from phosphene.preimage.activate import activate
from phosphene.preimage.canvas import jitter_of
from phosphene.preimage.maxima import Maxima, measure_maxima
from phosphene.studies import tabulated
from phosphene.studies.findings import Findings
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import Plan
from phosphene.studies.setting import demand_photos, finished, plural
from phosphene.studies.spectrum import FINE, fine_share

CLASSES = 4
"""How many classes are taken from the photographs."""
_MEASURES = (("probability", 100.0, 1), ("activation", 1.0, 2), ("fine", 100.0, 1))


def jitter(plan: Plan) -> Findings:
    """Maximise units of classes with and without jitter; see `Plan`.

    Raises:
        NetworkError: The network has no layer of class scores.
        PhospheneError: No class is ever active on the photographs.
    """
    demand_photos(plan, "jitter")
    layer = str(plan.net.head.layer or "")
    if not layer:
        raise NetworkError(f"{plan.net.name} has no layer of class scores, whose units to maximise")
    maxima = measure_maxima(plan.net, layer, plan.photos)
    classes, warnings = _classes(plan, maxima)
    amounts = _amounts(plan, layer)
    cells: dict[int, list[Cell]] = {amount: [] for amount in amounts}
    total = len(amounts) * len(classes) * plan.repeats
    done = 0
    for amount in amounts:
        for index in classes:
            for repeat in range(plan.repeats):
                plan.tick(done, total, f"{plan.net.label(index)}, T = {amount}")
                cells[amount].append(_cell(plan, layer, maxima, index, amount, repeat))
                done += 1
    plan.tick(total, total, "done")
    found = {
        amount: {
            what: tabulated.averaged(cell.values[what] for cell in own) for what, *_ in _MEASURES
        }
        for amount, own in cells.items()
    }
    verdict = _verdict(cells)
    shown = [place * plan.repeats for place in range(len(classes))]
    return Findings(
        "jitter",
        f"{plan.net.name}: what jitter does for {plural(len(classes), 'class', 'classes')}",
        (_table(found, verdict),),
        (_plot(found, amounts),),
        tuple(
            (plan.net.label(index), tuple(_tile(amount, cells[amount][n]) for amount in amounts))
            for index, n in zip(classes, shown, strict=True)
        ),
        tabulated.facts(plan, layer=layer, maxima=maxima.origin, starts=plan.repeats),
        tuple(warnings),
        {
            "jitters": [{"jitter": amount, **entry} for amount, entry in found.items()],
            "classes": [plan.net.label(index) for index in classes],
            "verdict": verdict,
        },
    )


def _classes(plan: Plan, maxima: Maxima) -> tuple[list[int], list[str]]:
    """Choose classes that were active: those asked for, or what the photographs show."""
    asked = [plan.net.class_index(name) for name in plan.classes]
    if not asked:
        for photo in plan.photos:
            index = int(plan.net.probabilities(plan.net.prepare(photo)[0])[0].argmax())
            if index not in asked:
                asked.append(index)
        asked = asked[:CLASSES]
    active = [index for index in asked if float(maxima.values[index]) > 0]
    if not active:
        raise PhospheneError(
            "no photograph activates these classes, so their units have no scale: give "
            "photographs of them"
        )
    silent = [plan.net.label(index) for index in asked if index not in active]
    return active, [f"{name} is never active on the photographs: left out" for name in silent]


def _amounts(plan: Plan, layer: str) -> tuple[int, ...]:
    field = plan.net.receptive_field(layer)
    usual = max(2, jitter_of(min(field.stride))) if field else 8
    return (1, usual, 2 * usual)


def _cell(plan: Plan, layer: str, maxima: Maxima, index: int, amount: int, repeat: int) -> Cell:
    largest = maxima.of(index)

    def compute() -> Cell:
        result = finished(
            activate(
                plan.net,
                index,
                layer,
                maxima,
                quality=plan.quality,
                steps=plan.steps,
                jitter=amount,
                seed=plan.seed + repeat,
            )
        )
        with torch.no_grad():
            scores = as_maps(plan.net[layer](result.image))[0]
        values = {
            "activation": float(scores[0, index].max()) / largest,
            "probability": float(plan.net.probabilities(result.image)[0, index]),
            "fine": fine_share(result.image[0]),
        }
        return Cell(values, {"found": to_image(result.image[0])})

    key = {"layer": layer, "unit": index, "M": largest, "jitter": amount, "repeat": repeat}
    return plan.cell("jittered class", key, compute)


def _verdict(cells: Mapping[int, list[Cell]]) -> str:
    """Compare the papers' jitter with none, image by image."""
    none, usual, *_ = cells.values()
    changes = {
        what: tabulated.averaged(
            b.values[what] - a.values[what] for a, b in zip(none, usual, strict=True)
        )
        for what, *_ in _MEASURES
    }
    amount = list(cells)[1]
    words = {1: "rises", -1: "falls", 0: "does not surely change"}
    before, after = (tabulated.averaged(c.values["fine"] for c in own) for own in (none, usual))
    sure = {what: tabulated.sure(change) for what, change in changes.items()}
    return (
        f"With jitter (T = {amount}) the share of fine structures {words[sure['fine']]}, from "
        f"{before['mean']:.0%} to {after['mean']:.0%} of the spectrum; the class's probability "
        f"{words[sure['probability']]} ({100 * changes['probability']['mean']:+.0f} points)."
    )


def _table(found: Mapping[int, Mapping[str, Any]], verdict: str) -> Table:
    rows = [
        (
            "none" if amount == 1 else f"T = {amount}",
            *(tabulated.said(entry[what], digits, times) for what, times, digits in _MEASURES),
        )
        for amount, entry in found.items()
    ]
    columns = ("jitter", "probability, %", "activation / M", f"periods under {1 / FINE:g} px, %")
    return Table("images of classes by jitter", columns, tuple(rows), verdict)


def _plot(found: Mapping[int, Mapping[str, Any]], amounts: tuple[int, ...]) -> Plot:
    x = tuple("none" if amount == 1 else f"T = {amount}" for amount in amounts)
    series = []
    for what, name in (("probability", "probability"), ("fine", "fine structures")):
        own = [found[amount][what] for amount in amounts]
        series.append(tabulated.line(name, x, own, 100))
    return Plot("images of classes by jitter", tuple(series), "jitter", "%")


def _tile(amount: int, cell: Cell) -> Tile:
    name = "no jitter" if amount == 1 else f"jitter T = {amount}"
    return Tile(
        cell.images["found"],
        f"{name}: probability {cell.values['probability']:.0%}, fine {cell.values['fine']:.0%}",
    )
