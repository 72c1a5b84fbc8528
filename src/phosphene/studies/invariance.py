"""What does a network not mind? Translation, scale and rotation, layer by layer.

A photograph is moved down, enlarged or turned, and compared are its code in an early and in a late
layer, `|| phi(T x) - phi(x) || / || phi(x) ||`, and the probability of the class that the network
takes the unchanged one for. Small changes throw an early layer off at once, and a late one little
by little; to rotation networks are not invariant, unless the object is.

*Reference.* Zeiler & Fergus, ECCV 2014, section 4.1 and figure 5: five images, layers 1 and 7.

*Departures.* Distances are relative, so that layers can be compared, and averaged over photographs
with their 95 % interval. The class is the predicted one, as photographs come without labels. What
comes from beyond a photograph has its mean colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from phosphene.image import to_image
from phosphene.panel import Plot, Series, Table, Tile
from phosphene.studies import tabulated
from phosphene.studies.findings import Findings
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import Plan
from phosphene.studies.setting import deep_layers, demand_photos, plural
from phosphene.studies.warped import AMOUNTS, NEUTRAL, UNITS, Change, View

SLIGHT: dict[Change, tuple[float, ...]] = {
    "translation": (0.025, 0.05, 0.1, 0.25),
    "scale": (1.1, 1.2, 1.5, 1.8),
    "rotation": (15.0, 45.0, 90.0, 180.0),
}
"""The amounts of the table."""
_SHOWN = 3


def invariance(plan: Plan) -> Findings:
    """Measure how codes and probabilities change with the image; see `Plan`."""
    demand_photos(plan, "invariance")
    first, scores = plan.spread(2)[0], plan.spread(2)[-1]
    layers = plan.layers or tuple(dict.fromkeys((first, deep_layers(plan.net)[-1], scores)))
    cells = [_cell(plan, number, layers) for number in plan.numbers()]
    curves = {change: _curves(cells, change, layers) for change in AMOUNTS}
    rows = tuple(
        (
            f"{change} {amount:g}",
            *(tabulated.said(curves[change][w][_place(change, amount)], 2) for w in (*layers, "P")),
        )
        for change, amounts in SLIGHT.items()
        for amount in amounts
    )
    verdict = _verdict(curves, layers)
    return Findings(
        "invariance",
        f"{plan.net.name}: invariance, {plural(len(plan.photos), 'photograph')}",
        (Table("change of the code, and P", ("", *layers, "P(class)"), rows, verdict),),
        tuple(_plot(change, curves[change], layers) for change in AMOUNTS),
        tuple((plan.names[i], _tiles(plan, i)) for i in range(min(_SHOWN, len(plan.photos)))),
        tabulated.facts(plan, layers=", ".join(layers)),
        tabulated.doubts(plan),
        {
            "curves": [
                {"change": change, "what": what, "amount": amount, **found}
                for change, all_ in curves.items()
                for what, points in all_.items()
                for amount, found in zip(AMOUNTS[change], points, strict=True)
            ],
            "verdict": verdict,
        },
    )


def _cell(plan: Plan, number: int, layers: Sequence[str]) -> Cell:
    key = {"photo": plan.photo_ids[number], "layers": list(layers), "amounts": dict(AMOUNTS)}
    return plan.cell("invariance", key, lambda: Cell(_measured(plan, number, layers)))


def _measured(plan: Plan, number: int, layers: Sequence[str]) -> dict[str, Any]:
    """Return curves by change: of each layer's distance, and of the probability as `P`."""
    net = plan.net
    view = View.of(net, plan.photos[number])
    base = view.changed("scale", 1.0)
    _, codes = net.record(base, layers)
    index = int(net.probabilities(base)[0].argmax())
    found: dict[str, Any] = {"class": net.label(index)}
    for change, amounts in AMOUNTS.items():
        curves: dict[str, list[float]] = {what: [] for what in (*layers, "P")}
        for start in range(0, len(amounts), plan.batch):
            some = amounts[start : start + plan.batch]
            images = torch.cat([view.changed(change, amount) for amount in some])
            _, changed = net.record(images, layers)
            for layer in layers:
                apart = (changed[layer] - codes[layer]).flatten(1).double().norm(dim=1)
                length = codes[layer].double().norm().clamp(min=1e-12)
                curves[layer] += (apart / length).tolist()
            curves["P"] += net.probabilities(images)[:, index].tolist()
        found[change] = curves
    return found


def _curves(
    cells: Sequence[Cell], change: Change, layers: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Average over photographs: by layer and for `P`, a mean with its interval at each amount."""
    return {
        what: [
            tabulated.averaged(cell.values[change][what][i] for cell in cells)
            for i in range(len(AMOUNTS[change]))
        ]
        for what in (*layers, "P")
    }


def _place(change: Change, amount: float) -> int:
    return min(range(len(AMOUNTS[change])), key=lambda i: abs(AMOUNTS[change][i] - amount))


def _plot(change: Change, curves: dict[str, list[dict[str, Any]]], layers: Sequence[str]) -> Plot:
    amounts = AMOUNTS[change]
    series = tuple(
        Series(
            "P(class)" if what == "P" else what,
            amounts,
            tuple(point["mean"] for point in curves[what]),
            tuple(point["interval"] for point in curves[what]),
        )
        for what in (*layers, "P")
    )
    return Plot(change, series, f"{change}, {UNITS[change]}", "relative distance; probability")


def _tiles(plan: Plan, number: int) -> tuple[Tile, ...]:
    view = View.of(plan.net, plan.photos[number])
    kinds = {change: amounts[1] for change, amounts in SLIGHT.items()}
    tiles = [Tile(to_image(view.changed("scale", 1.0)[0]), "image")]
    for change, amount in kinds.items():
        tiles.append(Tile(to_image(view.changed(change, amount)[0]), f"{change} {amount:g}"))
    return tuple(tiles)


def _verdict(curves: dict[Change, dict[str, list[dict[str, Any]]]], layers: Sequence[str]) -> str:
    """Say what a twentieth of the height does to the first and to the last layer."""
    moved = curves["translation"]
    at = _place("translation", 0.05)
    first, last = (moved[layer][at]["mean"] for layer in (layers[0], layers[-1]))
    turned = curves["rotation"]["P"]
    still, right = (_place("rotation", angle) for angle in (NEUTRAL["rotation"], 90.0))
    return (
        f"Moved by a twentieth of its height, an image changes {layers[0]} by {first:.0%} and "
        f"{layers[-1]} by {last:.0%}; turned by 90 degrees, its class falls from "
        f"{turned[still]['mean']:.0%} to {turned[right]['mean']:.0%}."
    )
