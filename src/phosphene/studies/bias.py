"""Which colours do inversions drift to, and is that the priors' doing or the network's?

The papers note large green regions in inversions from deep layers, and that the green stays when
the prior is gradually removed: so it should be the network's. Here the mean colour of every
inversion is compared with that of its original while the weight of both priors falls from 1 to 0;
jitter and the bound on pixels stay, so that nothing else changes. In gray levels of 255,

```text
drift = mean RGB of the inversion - mean RGB of the original
green = G - (R + B) / 2
```

A layer counts as turned green if its inversions are greener than their originals *and* than the
mean colour of the network's training images, where the descent starts: an inversion that merely
forgets the original's colour drifts there.

*Reference.* Mahendran & Vedaldi, IJCV 2016, section 5.2.4; thesis 2018, section 5.4.2.5. They give
pictures and a sentence; the numbers are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from phosphene.errors import UnitError
from phosphene.image import to_image
from phosphene.panel import Plot, Table, Tile
from phosphene.preimage.canvas import PixelSpace
from phosphene.preimage.energy import Energy
from phosphene.preimage.priors import NATURAL
from phosphene.studies import tabulated
from phosphene.studies.findings import Findings
from phosphene.studies.inversion import inversion, inverted, strength_of
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import Plan
from phosphene.studies.setting import demand_photos, plural

WEIGHTS = (1.0, 0.3, 0.1, 0.0)
"""Of both priors; 1 is the papers'."""
_COLORS = ("R", "G", "B")
Key = tuple[str, float]


def bias(plan: Plan) -> Findings:
    """Invert photographs while the priors are removed step by step; see `Plan`."""
    demand_photos(plan, "bias")
    layers = plan.spread(5)
    keys = [(layer, weight) for layer in layers for weight in WEIGHTS]
    cells: dict[Key, list[Cell]] = {key: [] for key in keys}
    total = len(keys) * len(plan.photos)
    done = 0
    for layer, weight in keys:
        for number, name in enumerate(plan.names):
            plan.tick(done, total, f"{layer}, priors {weight:g}, {name}")
            cell = _cell(plan, number, layer, weight)
            if "skipped" not in cell.values:
                cells[layer, weight].append(cell)
            done += 1
    plan.tick(total, total, "done")
    start = _start(plan)
    found = {key: measured(own, start) for key, own in cells.items()}
    verdict = _verdict(layers, found)
    return Findings(
        "bias",
        f"{plan.net.name}: colours of inversions, {plural(len(plan.photos), 'photograph')}",
        (_table(found, verdict),),
        (_plot(layers, found),),
        tuple((layer, _tiles(layer, cells)) for layer in layers),
        tabulated.facts(plan, start=", ".join(f"{255 * v:.0f}" for v in start)),
        (*_warnings(plan), *tabulated.doubts(plan)),
        {
            "drifts": [{"layer": key[0], "weight": key[1], **own} for key, own in found.items()],
            "start": start,
            "verdict": verdict,
        },
    )


def measured(cells: Sequence[Cell], start: Sequence[float]) -> dict[str, Any]:
    """Average colours over photographs.

    Args:
        cells: With `mean` and `mean_original`, RGB in [0, 1].
        start: RGB in [0, 1] of where the descent starts.

    Returns:
        By name (`R`, `G`, `B`, `green`, and `over_start`, how much greener than the start) the
        mean difference in gray levels of 255, as `tabulated.averaged` has it; and the mean `error`.
    """
    pairs = [(cell.values["mean"], cell.values["mean_original"]) for cell in cells]
    drifts = {
        color: tabulated.averaged(255 * (now[i] - was[i]) for now, was in pairs)
        for i, color in enumerate(_COLORS)
    }
    return {
        **drifts,
        "green": tabulated.averaged(255 * (_green(now) - _green(was)) for now, was in pairs),
        "over_start": tabulated.averaged(255 * (_green(now) - _green(start)) for now, _ in pairs),
        "error": tabulated.averaged(cell.values["error"] for cell in cells),
    }


def _green(rgb: Sequence[float]) -> float:
    return rgb[1] - (rgb[0] + rgb[2]) / 2


def _start(plan: Plan) -> list[float]:
    space = PixelSpace.of(plan.net.preprocessing, torch.zeros(1))
    mean = space.mean.flatten().tolist()
    return mean if len(mean) == 3 else [mean[0]] * 3


def _cell(plan: Plan, number: int, layer: str, weight: float) -> Cell:
    strength = strength_of(plan, layer)
    if weight == 1:
        return inversion(plan, number, layer, strength)

    def compute() -> Cell:
        priors = Energy(tuple((weight, prior) for prior in NATURAL if weight))
        try:
            result = inverted(plan, plan.photos[number], layer, strength, priors=priors)
        except UnitError as error:
            return Cell({"skipped": str(error)})
        assert result.error is not None
        assert result.reference is not None
        values = {
            "error": float(result.error[0]),
            "mean": result.image[0].mean((1, 2)).tolist(),
            "mean_original": result.reference[0].mean((1, 2)).tolist(),
        }
        images = {"original": to_image(result.reference[0]), "found": to_image(result.image[0])}
        return Cell(values, images)

    about = {"photo": plan.photo_ids[number], "layer": layer, "strength": strength}
    return plan.cell("faded priors", {**about, "weight": weight}, compute)


def turned_green(found: Mapping[str, Any]) -> bool:
    """Tell whether inversions are surely greener than their originals and than the start."""
    return min(tabulated.sure(found["green"]), tabulated.sure(found["over_start"])) > 0


def _verdict(layers: Sequence[str], found: Mapping[Key, Mapping[str, Any]]) -> str:
    known = [layer for layer in layers if found[layer, 1.0]["green"]["count"] > 2]
    if not known:
        return "Three photographs or more are needed to tell a drift from chance."
    green = [layer for layer in known if turned_green(found[layer, 1.0])]
    if not green:
        most = max(known, key=lambda layer: abs(float(found[layer, 1.0]["green"]["mean"])))
        return (
            f"At none of {len(known)} layers do inversions surely turn green; the largest change "
            f"is {found[most, 1.0]['green']['mean']:+.1f} levels, at {most}."
        )
    kept = [layer for layer in green if turned_green(found[layer, 0.0])]
    blame = "the network's, not the prior's" if len(kept) * 2 > len(green) else "mostly the prior's"
    return (
        f"Inversions turn green at {len(green)} of {len(known)} layers ({', '.join(green)}), and "
        f"at {len(kept)} of these still do without any prior: the green is {blame}."
    )


def _table(found: Mapping[Key, Mapping[str, Any]], verdict: str) -> Table:
    rows = [
        (
            layer,
            f"{weight:g}",
            *(tabulated.said(own[name]) for name in (*_COLORS, "green", "over_start")),
            tabulated.said(own["error"], 1, 100),
        )
        for (layer, weight), own in found.items()
    ]
    drifts = ("R", "G", "B", "green", "green over start")
    columns = ("layer", "weight of priors", *drifts, "relative error, %")
    return Table("drift of the mean colour, gray levels", columns, tuple(rows), verdict)


def _plot(layers: Sequence[str], found: Mapping[Key, Mapping[str, Any]]) -> Plot:
    series = []
    for layer in layers:
        own = [found[layer, weight]["green"] for weight in WEIGHTS]
        series.append(tabulated.line(layer, (f"{weight:g}" for weight in WEIGHTS), own))
    return Plot("greener than the original by", tuple(series), "weight of the priors", "levels")


def _tiles(layer: str, cells: Mapping[Key, Sequence[Cell]]) -> tuple[Tile, ...]:
    tiles: list[Tile] = []
    for weight in WEIGHTS:
        for cell in cells[layer, weight][:1]:
            if not tiles:
                tiles.append(Tile(cell.images["original"], "image"))
            now, was = cell.values["mean"], cell.values["mean_original"]
            change = 255 * (_green(now) - _green(was))
            tiles.append(Tile(cell.images["found"], f"priors x {weight:g}: green {change:+.0f}"))
    return tuple(tiles)


def _warnings(plan: Plan) -> list[str]:
    if plan.quality not in ("fast", "best"):
        return []
    return [
        f"the quality {plan.quality!r} descends in decorrelated colours, which favour gray by "
        "themselves and cannot be removed: use 'paper' to tell prior from network"
    ]
