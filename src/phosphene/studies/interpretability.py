"""Which inversion do people find more interpretable? The page that asks them.

*Reference.* Mahendran, thesis 2018, section 5.4.2.2 and figure 5.7: inversions of 25 photographs
from pool1, relu3, pool5 and fc8 of AlexNet without priors, at C = 100 and at C = 1. The page is
`studies.pairs`; the votes are counted by `studies.votes`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from PIL import Image

from phosphene.panel import Table, Tile
from phosphene.studies import tabulated
from phosphene.studies.findings import Findings
from phosphene.studies.inversion import inversion
from phosphene.studies.pairs import pairs_page
from phosphene.studies.plan import STRENGTHS, Plan, called
from phosphene.studies.setting import demand_photos, plural

CONDITIONS = (math.inf, 100.0, 1.0)
"""The thesis': no prior, a weak and a strong one."""
_LAYERS = 4


def pairs(plan: Plan) -> Findings:
    """Make the page.

    Args:
        plan: Photographs, layers (four of all depths, if none is named) and strengths (the
            thesis' three conditions, if none is given), at least two.

    Returns:
        With the page among its files.

    Raises:
        ImageError: There is no photograph, or no pair of pictures.
        ValueError: There is one strength only.
    """
    demand_photos(plan, "pairs")
    layers = plan.spread(_LAYERS)
    conditions = CONDITIONS if plan.strengths is STRENGTHS else plan.strengths
    if len(conditions) < 2:
        raise ValueError("one strength makes no pair: ask for two or more, such as none and 1")
    total = len(plan.photos) * len(layers) * len(conditions)
    pictures: dict[tuple[str, str, float | None], Image.Image] = {}
    found: list[dict[str, Any]] = []
    skipped: list[str] = []
    done = 0
    for layer in layers:  # in this order the page numbers their depth
        for number, name in enumerate(plan.names):
            for c in conditions:
                plan.tick(done, total, f"{layer}, {name}")
                done += 1
                cell = inversion(plan, number, layer, c)
                if "skipped" in cell.values:
                    skipped.append(f"{name}: {cell.values['skipped']}; left out")
                    continue
                pictures[name, layer, None if math.isinf(c) else c] = cell.images["found"]
                row = {"photograph": name, "layer": layer, "strength": called(c)}
                found.append({**row, "error": cell.values["error"]})
    plan.tick(total, total, "done")
    page = pairs_page(pictures)
    sets = {(name, layer) for name, layer, _ in pictures}
    verdict = (
        f"Each subject is asked {plural(len(sets), 'time')}, once for each photograph and layer, "
        f"a random one of {plural(math.comb(len(conditions), 2), 'pair')} of strengths; send "
        "pairs.html around, and count the votes by `phosphene study votes`."
    )
    return Findings(
        "pairs",
        f"{plan.net.name}: which inversion is more interpretable?",
        (_table(layers, conditions, found, verdict),),
        (),
        tuple(_rows(plan.names[0], layers, conditions, pictures)),
        tabulated.facts(plan, C=", ".join(map(called, conditions))),
        tuple(dict.fromkeys(skipped)),
        {"inversions": found, "questions": len(sets), "verdict": verdict},
        {"pairs.html": page},
    )


def _table(
    layers: Sequence[str], conditions: Sequence[float], found: list[dict[str, Any]], verdict: str
) -> Table:
    errors = {
        (layer, c): tabulated.averaged(
            row["error"] for row in found if row["layer"] == layer and row["strength"] == called(c)
        )
        for layer in layers
        for c in conditions
    }
    title = "relative error of the pictures to choose from, %"
    return tabulated.table(title, layers, conditions, errors, verdict, times=100)


def _rows(
    name: str,
    layers: Sequence[str],
    conditions: Sequence[float],
    pictures: Mapping[tuple[str, str, float | None], Image.Image],
) -> Iterator[tuple[str, tuple[Tile, ...]]]:
    """Show what there is to choose from, of one photograph."""
    for layer in layers:
        tiles = []
        for c in conditions:
            image = pictures.get((name, layer, None if math.isinf(c) else c))
            caption = "no prior" if math.isinf(c) else f"C = {called(c)}"
            tiles += [Tile(image, caption)] if image is not None else []
        yield layer, tuple(tiles)
