"""How far does a unit see? Photographs inverted from the central 5x5 units of each layer alone.

The prior switches off what those units do not see, so the busy part of the pre-image is what they
do see: their effective receptive field. The papers drew the theoretical one, the union of the 25
receptive fields, as a box, and found the effective one in some cases significantly smaller.

*Reference.* Mahendran & Vedaldi, IJCV 2016, section 5.2.5, figure 9; thesis 2018, section 5.4.2.6,
figure 5.12.

*Departures.* That claim is measured: the side of the smallest square around the box's middle that
holds 90 % of the pre-image's squared gradients, over the side that the photograph itself, cut off
at the box, needs for that. It would be 1 if the units saw all of the box alike. (The side of the
box is no measure: how much of a box is needed depends on where the photograph is busy.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image

from phosphene.core.layers import Layer
from phosphene.errors import UnitError
from phosphene.image import to_image
from phosphene.panel import Plot, Table, Tile
from phosphene.preimage.masks import central, window
from phosphene.studies import tabulated
from phosphene.studies.appearance import activity, extent, inside
from phosphene.studies.curves import curve
from phosphene.studies.findings import Findings
from phosphene.studies.inversion import inverted
from phosphene.studies.ledger import Cell
from phosphene.studies.montage import boxed
from phosphene.studies.plan import Plan, called
from phosphene.studies.setting import (
    ALL_DEPTHS,
    demand_photos,
    known_layers,
    percent,
    plural,
    strength_fact,
    strengths_at,
)

SIDE = 5
SHARE = 0.9
_SMALLER = 0.8
"""Below this share of the photograph's side a pre-image counts as smaller."""

_BOX = "union of the receptive fields of the window"

Box = tuple[float, float, float, float]


def locality(plan: Plan) -> Findings:
    """Invert the middle of each layer.

    Args:
        plan: Photographs, layers (all depths, if none is named) and strengths (the papers' for
            each layer, if none is given).

    Raises:
        ImageError: There is no photograph.
        UnitError: No layer has a map of 5x5 units with a receptive field.
    """
    demand_photos(plan, "locality")
    known = known_layers(plan, plan.spread(ALL_DEPTHS))
    fit = {name: layer for name, layer in known.items() if _fits(layer)}
    small = [name for name in known if name not in fit]
    if not fit:
        raise UnitError(f"no layer has a map of {SIDE}x{SIDE} units: name layers nearer the input")
    places = [(name, c) for name, layer in fit.items() for c in strengths_at(plan, layer)]
    total = len(plan.photos) * len(places)
    found: list[dict[str, Any]] = []
    rows: list[tuple[str, tuple[Tile, ...]]] = []
    skipped: list[str] = []
    for number, name in enumerate(plan.names):
        tiles: list[Tile] = []
        for place, (layer, c) in enumerate(places):
            plan.tick(number * len(places) + place, total, f"{layer}, {name}")
            cell = _cell(plan, number, layer, c, union(fit[layer], SIDE))
            if "skipped" in cell.values:
                skipped.append(f"{name}: {cell.values['skipped']}; left out")
                continue
            tiles += [] if tiles else [Tile(cell.images["original"], "photograph")]
            box = union(fit[layer], SIDE)
            found.append(_measured(name, layer, c, box, cell))
            strength = f", C = {called(c)}" if len(places) > len(fit) else ""
            seen = f": {found[-1]['side']:.0f} of {found[-1]['box']:.0f} px"
            tiles.append(Tile(boxed(cell.images["found"], box), f"{layer}{strength}{seen}"))
        rows.append((name if len(plan.photos) > 1 else "", tuple(tiles)))
    plan.tick(total, total, "done")
    verdict = _verdict(found)
    left_out = {"left out, of smaller maps": ", ".join(small)} if small else {}
    return Findings(
        "locality",
        f"{plan.net.name}: what the central {SIDE}x{SIDE} units of each layer see",
        (_table(found, verdict),),
        (_plot(found),) if found else (),
        tuple(rows),
        tabulated.facts(plan, C=strength_fact(places), box=_BOX) | left_out,
        tuple(dict.fromkeys(skipped)),
        {"windows": found, "left_out": small, "verdict": verdict},
    )


def union(layer: Layer, side: int) -> Box:
    """Return the box (top, left, height, width) that the central units see, pixels.

    It may reach beyond the image.

    Args:
        layer: Of the network's table, with maps and a receptive field.
        side: Units in a row of the window.
    """
    assert layer.field is not None
    mask = window(torch.zeros(1, 1, *layer.shape[1:3]), side)[0, 0]
    sites = mask.nonzero()
    top, left, _, _ = layer.field.box((int(sites[0, 0]), int(sites[0, 1])))
    low, right, height, width = layer.field.box((int(sites[-1, 0]), int(sites[-1, 1])))
    return top, left, low + height - top, right + width - left


def clipped(box: Box, size: tuple[int, int]) -> Box:
    """Cut off what of a box (top, left, height, width) lies outside an image of (h, w)."""
    top, left = max(box[0], 0.0), max(box[1], 0.0)
    bottom, right = min(box[0] + box[2], size[0]), min(box[1] + box[3], size[1])
    return top, left, bottom - top, right - left


def _fits(layer: Layer) -> bool:
    maps = len(layer.shape) == 3 and min(layer.shape[1:]) >= SIDE
    return maps and layer.field is not None and min(layer.field.stride) > 0


def _cell(plan: Plan, number: int, layer: str, c: float, box: Box) -> Cell:
    key = {"photo": plan.photo_ids[number], "layer": layer, "strength": called(c), "side": SIDE}
    return plan.cell("window", key, lambda: _computed(plan, number, layer, c, box))


def _computed(plan: Plan, number: int, layer: str, c: float, box: Box) -> Cell:
    try:
        result = inverted(plan, plan.photos[number], layer, c, mask=central(SIDE))
    except UnitError as error:  # nothing in the window is active
        return Cell({"skipped": str(error)})
    assert result.error is not None
    assert result.reference is not None
    # Before rounding to 8 bits, which would make steps in what is nearly flat.
    energy = activity(result.image[0].double().cpu().numpy())
    values = {
        "error": float(result.error[0]),
        "side": extent(energy, _middle(box), SHARE),
        "inside": inside(energy, box),
    }
    images = {"original": to_image(result.reference[0]), "found": to_image(result.image[0])}
    return Cell(values, images)


def expected(image: Image.Image, box: Box) -> float:
    """Return the side that a photograph, cut off at a box, needs for its share of activity."""
    energy = activity(np.asarray(image, dtype=np.float64).transpose(2, 0, 1))
    top, left, height, width = map(round, clipped(box, energy.shape))
    seen = np.zeros_like(energy)
    part = slice(top, top + height), slice(left, left + width)
    seen[part] = energy[part]
    return extent(seen, _middle(box), SHARE)


def _middle(box: Box) -> tuple[float, float]:
    return box[0] + (box[2] - 1) / 2, box[1] + (box[3] - 1) / 2


def _measured(name: str, layer: str, c: float, box: Box, cell: Cell) -> dict[str, Any]:
    photo = cell.images["original"]
    size = photo.height, photo.width
    height, width = clipped(box, size)[2:]
    return {
        "photograph": name,
        "layer": layer,
        "strength": called(c),
        "error": cell.values["error"],
        "field": max(box[2:]),
        "box": max(height, width),
        "within": box[2] <= size[0] and box[3] <= size[1],
        # Around the middle of the box a square may reach beyond the image, as the box does.
        "side": min(cell.values["side"], float(max(size))),
        "expected": min(expected(photo, box), float(max(size))),
        "inside": cell.values["inside"],
    }


def _verdict(found: list[dict[str, Any]]) -> str:
    clear = [row for row in found if row["within"] and row["expected"]]
    if not clear:
        return "The box covers the image at every layer, so nothing can be said of its size."
    names = list(dict.fromkeys(row["layer"] for row in clear))
    ratios = {
        name: tabulated.averaged(_ratio(r) for r in clear if r["layer"] == name)["mean"]
        for name in names
    }
    smaller = [name for name in names if ratios[name] < _SMALLER]
    least = min(names, key=ratios.__getitem__)
    return (
        f"At {len(smaller)} of {plural(len(names), 'layer')} whose box fits into the image, "
        f"what the units see is less than {percent(_SMALLER)} as wide as the photograph in the "
        f"box; least at {least}, {percent(ratios[least])}."
    )


def _ratio(row: dict[str, Any]) -> float | None:
    return row["side"] / row["expected"] if row["expected"] else None


def _table(found: list[dict[str, Any]], verdict: str) -> Table:
    columns = (
        "photograph",
        "layer",
        "C",
        "theoretical side, px",
        "of it in the image, px",
        f"{SHARE:.0%} of the activity: photograph's, px",
        "pre-image's, px",
        "ratio, %",
        "activity inside the box, %",
        "error in the window, %",
    )
    rows = []
    for row in found:
        sides = row["field"], row["box"], row["expected"], row["side"]
        shares = _ratio(row), row["inside"], row["error"]
        shown = (None if share is None else round(100 * share, 1) for share in shares)
        rows.append((row["photograph"], row["layer"], row["strength"], *sides, *shown))
    return Table("what the central units see", columns, tuple(rows), verdict)


def _plot(found: list[dict[str, Any]]) -> Plot:
    series = (
        curve("box, in the image", found, "layer", "box"),
        curve(f"{SHARE:.0%} of the photograph in it", found, "layer", "expected"),
        curve(f"{SHARE:.0%} of the pre-image", found, "layer", "side"),
    )
    return Plot("side of what the central units see", series, "layer", "pixels")
