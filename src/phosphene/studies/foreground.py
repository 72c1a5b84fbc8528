"""Does the signal lie on the object? Reversed networks and masks.

Of every photograph with a mask, signals go back from the strongest unit in the middle of a deep
layer, from the class the network predicts, and from another class. The share of a signal's energy
inside the object is set against three things that know nothing of the object: the share of the
unit's field that is object, a blob in the middle of the image, and the signals of the *other*
photographs, from the same place by the same rule, laid over this photograph's mask. The last is
the hardest: it falls off as the signal does (`finite-support`) and likes the middle as photographs
do, so that what a signal has more than it comes from the photograph. A rule is *selective* where
that gain is surely above 0.

*Reference.* Mahendran & Vedaldi, ECCV 2016, section 3.3, "Foreground object selectivity", figure
6: SaliNet and DeSaliNet emphasise the foreground object, "regardless of which neuron is specified",
and "DeConvNet fails to produce a clearly selective signal from these very deep neurons".

*Departures.* The paper shows five photographs and no numbers. Where only boxes are known they stand
for masks. Units are in the middle of their layer, as in the paper. Of networks that average a map
of class scores (SqueezeNet) a class is seeded at all positions alike, as any one of them sees but
a part of the image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from phosphene.image import as_photograph
from phosphene.panel import Plot, Table, Tile
from phosphene.saliency.explain import AnyRule
from phosphene.segmentation.truths import Truth
from phosphene.studies import tabulated
from phosphene.studies.curves import curve
from phosphene.studies.findings import Findings
from phosphene.studies.inside import framed, object_of
from phosphene.studies.ledger import Cell
from phosphene.studies.lit import ANOTHER, PREDICTED, lit
from phosphene.studies.on_objects import AGAINST, gains, measured, verdicts_of
from phosphene.studies.plan import Plan
from phosphene.studies.reversed_layers import (
    RULES,
    Reversible,
    has_classes,
    reversible,
    score_site,
    size_of,
    titled,
)
from phosphene.studies.setting import deep_layers, demand_photos, plural
from phosphene.studies.truth_sets import demand, some, truths_for

SHOWN = 6
"""Photographs of which pictures are kept."""
_SMALLEST, _LARGEST = 0.01, 0.95


def foreground(
    plan: Plan, truths: Sequence[Truth] | None = None, *, rules: Sequence[AnyRule] = RULES
) -> Findings:
    """Measure how much of each signal lies on the object.

    Args:
        plan: Photographs and layers (one deep one, if none is named).
        truths: What is known about each photograph; if `None` it is looked for beside them, as
            `truth_sets` says.
        rules: The reversed networks.

    Raises:
        ImageError: There is no photograph, or none with an object that the network sees.
        NothingToReverse: No ReLU lies below the layers.
    """
    demand_photos(plan, "foreground")
    net = plan.net
    size = size_of(plan)
    places, warnings = reversible(net, plan.layers or deep_layers(net)[:2][-1:], size)
    starts: dict[str, Reversible] = dict(places)
    if has_classes(net):
        starts |= dict.fromkeys((PREDICTED, ANOTHER), score_site(net, size))
    known = truths_for(plan.photos, truths)
    cells: list[Cell] = []
    names: list[str] = []
    unknown: list[str] = []
    unfit: list[str] = []
    boxes = 0
    for done, (number, truth) in enumerate(known.each()):
        plan.tick(done, len(known.numbers), plan.names[number])
        whole = None if truth is None else object_of(truth, _size(plan.photos[number]))
        if truth is None or whole is None:
            unknown.append(plan.names[number])
            continue
        _, frame = net.prepare(plan.photos[number])
        inside = framed(whole, frame)
        if not _SMALLEST <= float(inside.mean()) <= _LARGEST:
            unfit.append(plan.names[number])
            continue
        boxes += not truth.masks
        cells.append(lit(plan, number, inside, starts, rules, len(cells) < SHOWN))
        names.append(plan.names[number])
    plan.tick(len(known.numbers), len(known.numbers), "done")
    warnings = (*warnings, *demand(len(names) + len(unfit), unknown, "mask"), *_unfit(unfit))
    if not names:
        demand(0, unfit, "mask of an object of 1 to 95 % of what the network sees")
    said = [str(rule) for rule in rules]
    found = {
        (start, rule): measured([cell.values["starts"][start][rule] for cell in cells], cells)
        for start in starts
        for rule in said
    }
    verdicts = verdicts_of(found, list(starts), said, PREDICTED, ANOTHER)
    return Findings(
        "foreground",
        f"{net.name}: how much of the signal lies on the object, "
        f"{plural(len(names), 'photograph')}",
        tuple(_tables(found, cells, verdicts)),
        tuple(_plots(cells, list(starts), said)),
        tuple(_rows(cells, names, list(starts), said)),
        tabulated.facts(
            plan,
            measured=f"{plural(len(names), 'photograph')}, {boxes} of them by boxes",
            starts=", ".join(starts),
            rules=", ".join(said),
            seeds="units in the middle of the layer, classes at all positions",
        ),
        (*warnings, *_few(len(names))),
        {
            "starts": [
                {"start": start, "rule": rule, **{k: v for k, v in row.items() if k != "each"}}
                for (start, rule), row in found.items()
            ],
            "photographs": [
                {
                    "name": name,
                    "area": cell.values["area"],
                    "blob": cell.values["blob"],
                    **{
                        start: {rule: cell.values["starts"][start][rule]["inside"] for rule in said}
                        for start in starts
                    },
                }
                for name, cell in zip(names, cells, strict=True)
            ],
            "verdicts": verdicts,
        },
    )


def _size(photo: Any) -> tuple[int, int]:
    """Return (h, w) of a photograph."""
    if isinstance(photo, torch.Tensor):
        return int(photo.shape[-2]), int(photo.shape[-1])
    width, height = as_photograph(photo).size
    return height, width


def _unfit(names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        return ()
    return (
        f"{plural(len(names), 'photograph')} left out, as the object is less than 1 % or more than "
        f"95 % of what the network sees ({some(names)})",
    )


def _few(count: int) -> tuple[str, ...]:
    if count >= tabulated.FEWEST:
        return ()
    return (
        f"of {plural(count, 'photograph')} with masks hardly anything can be said for sure: give "
        f"{tabulated.FEWEST} or more",
    )


def _tables(
    found: Mapping[tuple[str, str], Mapping[str, Any]],
    cells: Sequence[Cell],
    verdicts: Mapping[str, str],
) -> list[Table]:
    rows = [
        (
            f"{start}, {titled(rule)}",
            *(tabulated.said(row[what], 1, 100) for what in ("inside", "field", *AGAINST.values())),
        )
        for (start, rule), row in found.items()
    ]
    heads = ("start, rule", "energy on the object", "object in the field", *gains())
    area, blob = (tabulated.averaged(c.values[what] for c in cells) for what in ("area", "blob"))
    note = (
        f"Per cent, means over photographs with 95 % intervals; gains are paired. The object is "
        f"{tabulated.said(area, 1, 100)} % of the image, and holds "
        f"{tabulated.said(blob, 1, 100)} % of the blob."
    )
    said = tuple((claim, text) for claim, text in verdicts.items())
    return [
        Table("energy on the object, %", heads, tuple(rows), note),
        Table("verdict", ("claim of the paper", "what is found"), said),
    ]


def _plots(cells: Sequence[Cell], starts: Sequence[str], rules: Sequence[str]) -> list[Plot]:
    series = []
    for rule in rules:
        rows = [
            {"start": start, "inside": cell.values["starts"][start][rule]["inside"]}
            for start in starts
            for cell in cells
        ]
        series.append(curve(titled(rule), rows, "start", "inside", 100))
    for what, title in (("area", "share of the area"), ("blob", "a blob in the middle")):
        rows = [{"start": s, what: cell.values[what]} for s in starts for cell in cells]
        series.append(curve(title, rows, "start", what, 100))
    return [Plot("energy on the object", tuple(series), "", "%", "bars")]


def _rows(
    cells: Sequence[Cell], names: Sequence[str], starts: Sequence[str], rules: Sequence[str]
) -> list[tuple[str, tuple[Tile, ...]]]:
    """Lay out figure 6: a row for every photograph and start."""
    rows = []
    for name, cell in zip(names[:SHOWN], cells, strict=False):
        for start in starts:
            tiles = [Tile(cell.images["photograph"], f"object: {cell.values['area']:.0%} of it")]
            for rule in rules:
                share = cell.values["starts"][start][rule]["inside"]
                known = ": zero everywhere" if share is None else f": {share:.0%} on it"
                tiles.append(Tile(cell.images[f"{start}, {rule}"], titled(rule) + known))
            label = cell.values.get(start)
            which = f" ({label.split(',')[0]})" if label else ""
            rows.append((f"{name}: {start}{which}", tuple(tiles)))
    return rows
