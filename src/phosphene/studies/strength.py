"""One layer inverted with several strengths: what does C do?

The larger C, the more the match counts and the less the priors do: the code is met more closely,
and the picture becomes less like a photograph. Without priors (C = none) it is noise to the eye.

Beside the error stands the *roughness*,

```text
mean of dx^2 + dy^2 of the inversion / that of the original
```

over pixels and channels, with forward differences: what the total variation prior (beta = 2)
weighs, in units of the photograph's own. It is 1 for an image as rough as the photograph.

*Reference.* Mahendran & Vedaldi, IJCV 2016, figure 2 left; thesis 2018, figure 5.2 left: relu3 of
AlexNet.
"""

from __future__ import annotations

import math

import numpy as np

from phosphene.panel import Table, Tile
from phosphene.studies import tabulated
from phosphene.studies.findings import Findings
from phosphene.studies.inversion import cells_of, middle_of
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import Plan, called
from phosphene.studies.setting import demand_photos

SHOWN = 4
"""Photographs of which pictures are shown."""


def strength(plan: Plan) -> Findings:
    """Invert photographs from one layer with several strengths and without priors; see `Plan`."""
    demand_photos(plan, "strength")
    layers = middle_of(plan)
    strengths = tuple(sorted({*plan.strengths, math.inf}))
    cells = cells_of(plan, layers, strengths)
    error = {key: tabulated.averaged(c.values["error"] for c in own) for key, own in cells.items()}
    rough = {key: tabulated.averaged(map(roughness_of, own)) for key, own in cells.items()}
    rows, verdicts = [], []
    for layer in layers:
        for c in strengths:
            errors, roughs = error[layer, c], rough[layer, c]
            rows.append(
                (layer, called(c), tabulated.said(errors, 1, 100), tabulated.said(roughs, 2))
            )
        known = [c for c in strengths if error[layer, c]["count"]]
        if known:
            parts = (
                f"{error[layer, c]['mean']:.0%} with C = {called(c)} (roughness "
                f"{rough[layer, c]['mean']:.2g} of the photograph's)"
                for c in dict.fromkeys((known[0], known[-1]))
            )
            verdicts.append(f"At {layer} the error is {' and '.join(parts)}.")
    verdict = " ".join(verdicts) or "Nothing could be inverted."
    columns = ("layer", "C", "relative error, %", "roughness")
    what = layers, strengths
    return Findings(
        "strength",
        f"{plan.net.name}: what the strength C does",
        (Table("error and roughness by strength", columns, tuple(rows), verdict),),
        (
            tabulated.plot("relative error", *what, error, "%", times=100),
            tabulated.plot("roughness", *what, rough, "of the photograph's"),
        ),
        tuple(
            (f"{layer}, {name}", _tiles(layer, strengths, number, cells))
            for layer in layers
            for number, name in enumerate(plan.names[:SHOWN])
        ),
        tabulated.facts(plan, layers=", ".join(layers)),
        (),
        {
            "error": tabulated.listed(*what, error),
            "roughness": tabulated.listed(*what, rough),
            "verdict": verdict,
        },
    )


def roughness_of(cell: Cell) -> float | None:
    """Return how much larger the squared gradients of an inversion are than its original's."""
    original, found = (_squares(cell, name) for name in ("original", "found"))
    return found / original if original else None


def _squares(cell: Cell, name: str) -> float:
    pixels = np.asarray(cell.images[name], dtype=np.float64)
    return float(sum(np.square(np.diff(pixels, axis=axis)).sum() for axis in (0, 1)))


def _tiles(
    layer: str,
    strengths: tuple[float, ...],
    number: int,
    cells: dict[tuple[str, float], list[Cell]],
) -> tuple[Tile, ...]:
    one = {(layer, c): cells[layer, c][number : number + 1] for c in strengths}
    return tabulated.pictures(layer, strengths, one)
