"""What does each unit answer to? Images that excite the first units of every layer most.

*Reference.* Mahendran & Vedaldi, IJCV 2016, section 6, figures 11 and 12; thesis 2018, section
5.4.3, figures 5.15 to 5.17 (the last with four random starts). The papers saw coloured edges and
blobs first, and patterns ever more complex with depth.

*Departures.* Every unit has an image of its own, and its own M; the authors' code makes one image
of all, with the M of one of them. As there, each picture of a mosaic is stretched in contrast. M
is measured over the plan's photographs; units that none of these excites have no scale and are left
out, by name. How far a unit was driven is measured: its largest activation anywhere on its map, at
the picture before it is stretched, over M.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from statistics import median
from typing import Any

import torch

from phosphene.core.layers import Layer
from phosphene.core.seed import as_maps
from phosphene.image import to_image
from phosphene.panel import Plot, Series, Table, Tile
from phosphene.preimage.activate import activate
from phosphene.preimage.maxima import Maxima, measure_maxima
from phosphene.studies import tabulated
from phosphene.studies.findings import Findings
from phosphene.studies.ledger import Cell
from phosphene.studies.montage import mosaic, stretched
from phosphene.studies.plan import Plan
from phosphene.studies.setting import demand_photos, finished, known_layers, plural

FIRST = tuple(range(25))
"""Units that the papers show."""
_LAYERS = 8
_SIDE = 640


def units(plan: Plan) -> Findings:
    """Excite units.

    Args:
        plan: Photographs to measure M over, layers (eight of all depths, if none is named), units
            (the first 25, if none is given) and repeats.

    Raises:
        ImageError: There is no photograph.
    """
    demand_photos(plan, "units")
    known = known_layers(plan, plan.spread(_LAYERS))
    asked = tuple(dict.fromkeys(plan.units)) or FIRST
    scales = {}
    for layer in known:
        plan.tick(0, 1, f"{layer}, largest activations over {len(plan.photos)} photographs")
        scales[layer] = maxima_cell(plan, layer)
    alive = {layer: _alive(scales[layer], asked) for layer in known}
    chunks = {layer: _chunks(alive[layer], plan.batch) for layer in known}
    total = sum(map(len, chunks.values())) * plan.repeats
    found: list[dict[str, Any]] = []
    rows: list[tuple[str, tuple[Tile, ...]]] = []
    done = 0
    for layer, scale in scales.items():
        tiles = []
        for repeat in range(plan.repeats):
            cells = []
            for chunk in chunks[layer]:
                plan.tick(done, total, f"{layer}, units {chunk[0]} to {chunk[-1]}")
                done += 1
                cells.append(excited(plan, layer, chunk, scale, repeat))
            found += [
                {"layer": layer, "unit": unit, "repeat": repeat, "maximum": scale.of(unit), **row}
                for unit, row in zip(alive[layer], chain(*map(_rows, cells)), strict=True)
            ]
            images = [stretched(image) for cell in cells for image in cell.images.values()]
            if images:
                side = images[0].height
                tiles.append(Tile(mosaic(images, _SIDE), f"{layer}, {side} px"))
        rows.append((layer, tuple(tiles)))
    plan.tick(total, total, "done")
    dead = {layer: _dead(scales[layer], asked) for layer in known}
    verdict = _verdict(found, dead)
    if plan.repeats == 1:  # a mosaic for each layer: they may as well stand side by side
        rows = [("", tuple(tile for _, tiles in rows for tile in tiles))]
    return Findings(
        "units",
        f"{plan.net.name}: what units of each layer answer to",
        (_table(known, found, dead, verdict),),
        (_plot(found),) if found else (),
        tuple(rows),
        tabulated.facts(
            plan, M=f"over {plural(len(plan.photos), 'photograph')}", contrast="stretched"
        ),
        tuple(_warnings(dead, scales, asked)),
        {"units": found, "left_out": dead, "verdict": verdict},
    )


def maxima_cell(plan: Plan, layer: str) -> Maxima:
    """Measure the largest activations of a layer over the plan's photographs, or look them up."""

    def compute() -> Cell:
        measured = measure_maxima(plan.net, layer, plan.photos, plan.batch)
        return Cell({"maxima": measured.values.tolist()})

    # Their order changes nothing, nor does a photograph that is there twice.
    cell = plan.cell("maxima", {"photos": sorted(set(plan.photo_ids)), "layer": layer}, compute)
    values = torch.tensor([0.0 if m is None else m for m in cell.values["maxima"]])
    return Maxima(values, plan.net.name, layer, len(plan.photos))


def excited(
    plan: Plan,
    layer: str,
    units: Sequence[int],
    scale: Maxima,
    repeat: int,
    everywhere: bool = False,
) -> Cell:
    """Find images that excite some units, or look them up.

    Args:
        plan: The study's.
        layer: The layer.
        units: Channels, each with a positive M.
        scale: M.
        repeat: Which noise to start from.
        everywhere: Each unit at all positions of its map, on images of the network's own size.

    Returns:
        Value `reached`, the largest activation on the map, a number for each unit; images by
        unit (`unit 3`).
    """
    key: dict[str, Any] = {
        "layer": layer,
        "units": list(units),
        "maxima": [scale.of(u) for u in units],
    }
    key |= {"repeat": repeat, "everywhere": everywhere}

    def compute() -> Cell:
        result = finished(
            activate(
                plan.net,
                list(units),
                layer,
                scale,
                everywhere=everywhere,
                quality=plan.quality,
                steps=plan.steps,
                seed=plan.seed + repeat,
            )
        )
        with torch.no_grad():
            maps = as_maps(plan.net[layer](result.image))[0]
        reached = [float(maps[n, unit].max()) for n, unit in enumerate(units)]
        images = {f"unit {u}": to_image(i) for u, i in zip(units, result.image, strict=True)}
        return Cell({"reached": reached}, images)

    return plan.cell("activation", key, compute)


def _rows(cell: Cell) -> list[dict[str, Any]]:
    return [{"reached": reached} for reached in cell.values["reached"]]


def _alive(scale: Maxima, asked: Sequence[int]) -> list[int]:
    return [unit for unit in asked if unit < len(scale.values) and scale.values[unit] > 0]


def _dead(scale: Maxima, asked: Sequence[int]) -> list[int]:
    return [unit for unit in asked if unit < len(scale.values) and not scale.values[unit] > 0]


def _chunks(units: Sequence[int], most: int) -> list[Sequence[int]]:
    return [units[i : i + most] for i in range(0, len(units), most)]


def _warnings(
    dead: dict[str, list[int]], scales: dict[str, Maxima], asked: Sequence[int]
) -> list[str]:
    warnings = []
    for layer, left_out in dead.items():
        if left_out:
            numbers, several = ", ".join(map(str, left_out)), len(left_out) > 1
            warnings.append(
                f"{layer}: unit{'s' * several} {numbers} left out, as no photograph excites "
                f"{'them' if several else 'it'}"
            )
        # The first 25 are just a habit; units asked for by number should be there.
        missing = [unit for unit in asked if unit >= len(scales[layer].values)]
        if missing and asked is not FIRST:
            warnings.append(
                f"{layer} has units 0 to {len(scales[layer].values) - 1}, and so not "
                f"{', '.join(map(str, missing))}"
            )
    return warnings


def _verdict(found: list[dict[str, Any]], dead: dict[str, list[int]]) -> str:
    if not found:
        return "No photograph excites any of these units."
    ratios = [row["reached"] / row["maximum"] for row in found]
    beyond = sum(ratio > 1 for ratio in ratios)
    left_out = sum(map(len, dead.values()))
    silent = f"; {plural(left_out, 'unit')} left out, as no photograph excites them"
    return (
        f"{beyond} of {len(ratios)} images excite their unit more than any of the photographs "
        f"does; the median image {median(ratios):.1f} times as much"
        + (silent if left_out else "")
        + "."
    )


def _table(
    known: dict[str, Layer],
    found: list[dict[str, Any]],
    dead: dict[str, list[int]],
    verdict: str,
) -> Table:
    columns: tuple[str, ...] = ("layer", "receptive field, px", "units", "left out", "median of M")
    columns += ("reached / M: least", "median", "largest")
    rows = []
    for layer, about in known.items():
        own = [row for row in found if row["layer"] == layer]
        ratios = [row["reached"] / row["maximum"] for row in own]
        numbers: tuple[float | None, ...] = (None,) * 4
        if own:
            scale = median(row["maximum"] for row in own)
            numbers = (scale, min(ratios), median(ratios), max(ratios))
        field = None if about.field is None else max(about.field.size)
        shown = len({row["unit"] for row in own})
        rounded = (None if n is None else float(f"{n:.3g}") for n in numbers)
        rows.append((layer, field, shown, len(dead[layer]), *rounded))
    return Table("activation reached, over that by photographs (M)", columns, tuple(rows), verdict)


def _plot(found: list[dict[str, Any]]) -> Plot:
    names = tuple(dict.fromkeys(row["layer"] for row in found))
    medians = tuple(
        median(row["reached"] / row["maximum"] for row in found if row["layer"] == name)
        for name in names
    )
    series = (Series("", names, medians),)
    return Plot("activation reached (median)", series, "layer", "times that by photographs")
