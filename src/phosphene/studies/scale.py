"""How much larger things become in inversions, and how far repeated inversions lie apart.

The papers see a monkey's eye some 20 % and patches of a painting some 70 % larger in inversions of
fc7 than in the originals. Here the factor is a number for every layer, found by signatures of an
early layer (`magnification`), averaged in the logarithm over photographs and starts.

How far repeats lie apart says what a layer leaves open. For the starts r of one photograph x0,

```text
ratio = mean over pairs of || x_r - x_s || / mean over r of || x_r - x0 ||
```

on pixels, and the same on the layer's codes. 0: all starts find one image; 1.4 (the root of 2):
they differ from each other as much as if each went its own way from the original.

*Reference.* Mahendran & Vedaldi, IJCV 2016, section 5.2.3 and figure 8; thesis 2018, section
5.4.2.4. The papers measure nothing here: both numbers are ours.

Answers at the end of what is tried (0.71 and 2.2) are none: they are counted as *off scale*, and a
layer with more than a quarter of them is left out of the verdict. Inversions that are half noise,
as those of deep layers after few steps, end there.

*Departures.* C is the papers' for a layer of that depth, or the first that is asked for. Codes are
those of the pictures as kept, clipped and of 8 bits.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from phosphene.image import to_tensor
from phosphene.panel import Plot, Series, Table, Tile
from phosphene.studies import tabulated
from phosphene.studies.findings import Findings
from phosphene.studies.inversion import inversion, strength_of
from phosphene.studies.ledger import Cell
from phosphene.studies.magnification import FACTORS, Scaled, early_layer
from phosphene.studies.plan import Plan
from phosphene.studies.setting import demand_photos, plural

LOST = 0.25
"""Share of answers at the end of what is tried, beyond which a layer has no factor to speak of."""
SHOWN = 4
"""Starts of which pictures are shown."""


def scale(plan: Plan) -> Findings:
    """Invert photographs several times, and measure sizes and distances; see `Plan`."""
    demand_photos(plan, "scale")
    layers = plan.spread(5)
    ruler = early_layer(plan.net)
    cells: dict[str, list[Cell]] = {layer: [] for layer in layers}
    rows: list[tuple[str, tuple[Tile, ...]]] = []
    total = len(plan.photos) * len(layers)
    for number, name in enumerate(plan.names):
        scaled = cache(partial(_scaled, plan, number, ruler))  # only if a cell is still to be made
        for place, layer in enumerate(layers):
            plan.tick(number * len(layers) + place, total, f"{layer}, {name}")
            strength = strength_of(plan, layer)
            starts = [inversion(plan, number, layer, strength, r) for r in range(plan.repeats)]
            if "skipped" in starts[0].values:
                continue
            cell = _measured(plan, number, layer, strength, ruler, starts, scaled)
            cells[layer].append(cell)
            if number == 0:
                rows.append((layer, _tiles(starts, cell)))
    plan.tick(total, total, "done")
    found = {layer: _averaged(own) for layer, own in cells.items()}
    verdict = _verdict(layers, found, plan.repeats)
    return Findings(
        "scale",
        f"{plan.net.name}: how large things become, {plural(len(plan.photos), 'photograph')}",
        (_table(found, verdict),),
        (_sizes(found), _distances(found)),
        tuple(rows),
        tabulated.facts(plan, starts=plan.repeats, **{"measured by": ruler}),
        (*_alone(plan), *tabulated.doubts(plan)),
        {
            "layers": [{"layer": layer, **own} for layer, own in found.items()],
            "measured by": ruler,
            "verdict": verdict,
        },
    )


def _alone(plan: Plan) -> tuple[str, ...]:
    return () if plan.repeats > 1 else ("one start has no distance to another: give 2 repeats",)


def _scaled(plan: Plan, number: int, ruler: str) -> Scaled:
    return Scaled.of(plan.net, plan.net.prepare(plan.photos[number])[0], ruler)


def _measured(
    plan: Plan,
    number: int,
    layer: str,
    strength: float,
    ruler: str,
    starts: Sequence[Cell],
    scaled: Callable[[], Scaled],
) -> Cell:
    def compute() -> Cell:
        images = torch.cat([to_tensor(cell.images["found"])[None] for cell in starts])
        original = to_tensor(starts[0].images["original"])[None]
        images, original = (x.to(plan.net.device, plan.net.dtype) for x in (images, original))
        with torch.no_grad():
            codes = plan.net[layer](torch.cat([original, images])).double()
        factors = [scaled().factor(image[None]) for image in images]
        values = {
            "logarithm": mean(map(math.log, factors)),
            "ends": mean(float(factor in (FACTORS[0], FACTORS[-1])) for factor in factors),
            "pixels": apart(images.double(), original.double()),
            "codes": apart(codes[1:], codes[:1]),
        }
        return Cell(values)

    key = {"photo": plan.photo_ids[number], "layer": layer, "strength": strength}
    return plan.cell("scale", {**key, "ruler": ruler, "repeats": plan.repeats}, compute)


def apart(points: Tensor, origin: Tensor) -> float | None:
    """Compare how far points lie from each other and from where they belong.

    Args:
        points: (n, ...).
        origin: (1, ...).

    Returns:
        Mean distance over pairs, in units of the mean distance to the origin; `None` for a single
        point, and where all of them are at the origin.

    >>> apart(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.zeros(1, 2))
    2.0
    """
    flat, middle = points.flatten(1), origin.flatten(1)
    away = float((flat - middle).norm(dim=1).mean())
    if len(flat) < 2 or not away:
        return None
    pairs = itertools.combinations(range(len(flat)), 2)
    return mean(float((flat[i] - flat[j]).norm()) for i, j in pairs) / away


def _averaged(cells: Sequence[Cell]) -> dict[str, Any]:
    found = {
        what: tabulated.averaged(cell.values[what] for cell in cells)
        for what in ("logarithm", "pixels", "codes")
    }
    logarithm = found["logarithm"]
    if logarithm["mean"] is not None:
        middle, half = logarithm["mean"], logarithm["interval"]
        found["factor"] = {
            "mean": math.exp(middle),
            "low": math.exp(middle - half),
            "high": math.exp(middle + half),
            "ends": mean(cell.values["ends"] for cell in cells),
            "count": logarithm["count"],
        }
    return found


def _verdict(layers: Sequence[str], found: Mapping[str, Mapping[str, Any]], repeats: int) -> str:
    inverted = [layer for layer in layers if "factor" in found[layer]]
    known = [layer for layer in inverted if found[layer]["factor"]["ends"] <= LOST]
    if not inverted:
        return "Nothing could be inverted."
    if not known:
        return "The inversions are too unlike photographs for sizes to be compared at any layer."
    larger = [layer for layer in known if tabulated.sure(found[layer]["logarithm"]) > 0]
    most = max(known, key=lambda layer: float(found[layer]["factor"]["mean"]))
    factor = found[most]["factor"]
    text = (
        f"Things are surely larger than in the originals at {len(larger)} of {len(known)} layers; "
        f"most at {most}, by {100 * (factor['mean'] - 1):+.0f} %"
    )
    if factor["count"] > 1:
        text += f" ({100 * (factor['low'] - 1):+.0f} to {100 * (factor['high'] - 1):+.0f} %)"
    ends = [found[layer]["pixels"]["mean"] for layer in (known[0], known[-1])]
    if repeats > 1 and None not in ends:
        text += (
            f". Pixels of repeats lie {ends[0]:.2f} of their distance to the original apart at "
            f"{known[0]}, {ends[1]:.2f} at {known[-1]}"
        )
    return text + "."


def _table(found: Mapping[str, Mapping[str, Any]], verdict: str) -> Table:
    rows = []
    for layer, own in found.items():
        factor = own.get("factor")
        text = None
        if factor:
            text = f"{factor['mean']:.2f}"
            if factor["count"] > 1:
                text += f" ({factor['low']:.2f} to {factor['high']:.2f})"
            if factor["ends"]:
                text += f", {factor['ends']:.0%} off scale"
        rows.append(
            (layer, text, tabulated.said(own["pixels"], 2), tabulated.said(own["codes"], 2))
        )
    columns = ("layer", "larger by the factor", "repeats apart, pixels", "repeats apart, codes")
    return Table("size of things, and distance of repeats", columns, tuple(rows), verdict)


def _sizes(found: Mapping[str, Mapping[str, Any]]) -> Plot:
    known = {layer: own["logarithm"] for layer, own in found.items() if "factor" in own}
    # The interval is one of logarithms; for the factors near 1 that there are it is nearly even.
    y = tuple(math.exp(v["mean"]) for v in known.values())
    bars = tuple(math.exp(v["mean"]) * math.sinh(v["interval"]) for v in known.values())
    return Plot(
        "larger than in the original", (Series("", tuple(known), y, bars),), "layer", "times"
    )


def _distances(found: Mapping[str, Mapping[str, Any]]) -> Plot:
    series = []
    for what in ("pixels", "codes"):
        own = [entry[what] for entry in found.values()]
        series.append(tabulated.line(what, found, own))
    return Plot("distance of repeats", tuple(series), "layer", "of the distance to the original")


def _tiles(starts: Sequence[Cell], cell: Cell) -> tuple[Tile, ...]:
    factor = math.exp(cell.values["logarithm"])
    tiles = [
        Tile(starts[0].images["original"], f"image; things become {factor:.2f} times as large")
    ]
    return (
        *tiles,
        *(Tile(s.images["found"], f"start {n + 1}") for n, s in enumerate(starts[:SHOWN])),
    )
