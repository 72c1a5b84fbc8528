"""Who finds the object? Three reversed networks and a blob in the middle, cut out and scored.

Every map of `methods` is cut by every engine, and scored by the photograph's masks: pixel accuracy
(PP) and intersection over union (IoU), each the best over several masks, averaged by class and then
over classes. The engine `threshold` takes the map without the photograph's colours, so that what a
cut adds is a number.

*Reference.* Mahendran & Vedaldi, ECCV 2016, section 3.5, table 1 and figure 8; thesis 2018, table
7.1. PP and IoU with AlexNet on 4276 photographs of ImageNet: SaliNet 82.8 and 57.1, DeSaliNet 82.3
and 55.6, DeConvNet 75.9 and 48.3, baseline 79.0 and 46.3.

*Departures.* Any set with masks will do, and is not that of the paper. The baseline is there as the
paper describes it and as the code makes it, and is thresholded from 90 % on instead of 80 %. The
paper has one cut, here `graph-cut`, and no threshold. Differences from the baseline are paired, by
class where there are three classes or more, with Student's 95 % interval.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from hashlib import sha256
from typing import Any

from phosphene.panel import Plot, Series, Table, Tile
from phosphene.segmentation.averages import ClassMeans
from phosphene.segmentation.cutting import Engine
from phosphene.segmentation.scores import score_mask
from phosphene.segmentation.truths import Truth
from phosphene.studies import tabulated
from phosphene.studies.findings import Findings
from phosphene.studies.ledger import Cell
from phosphene.studies.measured import ROWS, Asked, Cells, measure
from phosphene.studies.methods import (
    BLOBS,
    METHODS,
    RULES,
    Constants,
    cut,
    engines,
)
from phosphene.studies.plan import Plan
from phosphene.studies.setting import demand_photos, plural
from phosphene.studies.truth_sets import some

PAPERS = {
    "saliency": (82.82, 57.07),
    "guided": (82.31, 55.57),
    "deconvnet": (75.85, 48.26),
    "corners": (78.97, 46.27),
}
"""PP and IoU of table 1 with AlexNet, per cent."""
_SCORES = {"accuracy": "PP", "iou": "IoU"}


def segmentation(
    plan: Plan,
    truths: Sequence[Truth] | None = None,
    *,
    constants: Constants | None = None,
    methods: Sequence[str] = tuple(METHODS),
    by: Sequence[Engine] | None = None,
) -> Findings:
    """Cut objects out by every method and engine, and score the masks.

    Args:
        plan: Network and photographs; see `Plan`.
        truths: What is known about each photograph; if `None` it is looked for beside them, as
            `truth_sets` says.
        constants: What is chosen between a photograph and a mask; the papers' if `None`.
        methods: Which of `METHODS`.
        by: Which engines; all that are installed if `None`.

    Raises:
        ImageError: There is no photograph, or none with a mask.
        SettingError: There is no such method, or a constant cannot be.
    """
    demand_photos(plan, "segmentation")
    chosen = constants or Constants()
    cutters = tuple(by) if by is not None else engines()
    found = measure(
        plan,
        truths,
        methods,
        chosen,
        cutters,
        what="mask",
        note=lambda truth: (truth.classes or ("",))[0] if truth.masks else None,
        cell=partial(_cell, plan),
    )
    cells, names, classes = found.cells, found.names, found.notes
    averages = _averages(cells, classes, cutters)
    differences = _differences(cells, classes, cutters)
    return Findings(
        "segmentation",
        f"{plan.net.name}: objects cut out by what is seen of them, "
        f"{plural(len(names), 'photograph')}",
        tuple(_tables(methods, cutters, averages, differences)),
        tuple(_plots(methods, cutters, averages)),
        tuple(_rows(cells, names)),
        {
            "network": plan.net.name,
            "photographs": plural(len(names), "photograph"),
            "classes": str(len(set(classes))),
            "means": "over photographs of a class, then over classes",
            **chosen.facts(),
        },
        (*found.warnings, *_empty(cells, names, cutters)),
        {
            "methods": [
                {"method": m, "engine": e, "papers": PAPERS.get(m), **averages[m, e]}
                for m in methods
                for e in cutters
            ],
            "differences": differences,
            "photographs": [
                {"name": name, "class": class_, **{m: cells[m][i].values for m in methods}}
                for i, (name, class_) in enumerate(zip(names, classes, strict=True))
            ],
        },
    )


def _cell(plan: Plan, number: int, truth: Truth, asked: Asked) -> Cell:
    def computed() -> Cell:
        (view,) = asked.photo.seen_by(asked.method)
        values: dict[str, Any] = {}
        images = {}
        for engine in asked.cutters:
            found = cut(plan.net, view, asked.constants.cutting(asked.method, engine))
            values[engine] = {**asdict(score_mask(found.mask, truth.masks)), "empty": found.empty}
            if asked.shown:
                photograph, heat, trimap, over = (tile.image for tile in found.tiles())
                divided = {"trimap": trimap} if engine != "threshold" else {}
                images.update({"photograph": photograph, "map": heat, **divided, engine: over})
        label = plan.net.label(view.channel) if view.channel >= 0 else None
        return Cell({"seen": label, "engines": values}, images)

    masks = [[*mask.shape, sha256(mask.tobytes()).hexdigest()] for mask in truth.masks]
    return plan.cell("segmentation", {**asked.key(plan, number), "truth": masks}, computed)


def _scores(cells: Sequence[Cell], engine: str, score: str) -> list[float]:
    """Return a score of every photograph; NaN where it is not defined."""
    found = (cell.values["engines"][engine][score] for cell in cells)
    return [float("nan") if value is None else float(value) for value in found]


def _by_class(values: Sequence[float], classes: Sequence[str]) -> ClassMeans:
    means = ClassMeans()
    for value, class_ in zip(values, classes, strict=True):
        means.add(value, class_)
    return means


def _averages(
    cells: Cells, classes: Sequence[str], cutters: Sequence[Engine]
) -> dict[tuple[str, Engine], dict[str, float]]:
    found: dict[tuple[str, Engine], dict[str, float]] = {}
    for method, own in cells.items():
        for engine in cutters:
            means = {s: _by_class(_scores(own, engine, s), classes) for s in _SCORES}
            found[method, engine] = {
                **{score: mean.per_class for score, mean in means.items()},
                **{f"{score}_per_image": mean.per_image for score, mean in means.items()},
            }
    return found


def _differences(
    cells: Cells, classes: Sequence[str], cutters: Sequence[Engine]
) -> list[dict[str, Any]]:
    """Compare every rule with every blob, and every cut with no cut, pair by pair, in IoU."""
    pairs = [((r, e), (b, e)) for r in RULES for b in BLOBS for e in cutters]
    cuts = [e for e in cutters if e != "threshold"] if "threshold" in cutters else []
    pairs += [((m, e), (m, "threshold")) for m in METHODS for e in cuts]
    found = []
    for one, other in pairs:
        if one[0] not in cells or other[0] not in cells:
            continue
        ious = (_scores(cells[method], engine, "iou") for method, engine in (one, other))
        apart = [a - b for a, b in zip(*ious, strict=True)]
        means = _by_class(apart, classes)
        if len(means.classes) >= 3:
            apart = [mean.value for mean in means.classes.values()]
        found.append(
            {
                "method": one[0],
                "engine": one[1],
                "less": " ".join(other),
                **tabulated.averaged(apart),
            }
        )
    return found


def _tables(
    methods: Sequence[str],
    cutters: Sequence[Engine],
    averages: Mapping[tuple[str, Engine], Mapping[str, float]],
    differences: Sequence[Mapping[str, Any]],
) -> Iterator[Table]:
    heads = [f"{engine} {title}" for engine in cutters for title in _SCORES.values()]
    rows = []
    for method in methods:
        numbers = [100 * averages[method, e][score] for e in cutters for score in _SCORES]
        rows.append((METHODS[method], *(f"{number:.1f}" for number in numbers)))
    yield Table(
        "pixels right (PP) and intersection over union (IoU), %",
        ("method", *heads),
        tuple(rows),
        "Means over classes; threshold: the map alone, without a cut.",
    )
    against = tuple(
        dict.fromkeys(f["less"].split()[0] for f in differences if f["less"][0] in "cb")
    )
    less = {(f["method"], f["engine"], f["less"]): f for f in differences}
    for engine in cutters:
        lines = []
        for method in methods:
            said = [
                tabulated.said(less[method, engine, f"{blob} {engine}"], times=100)
                for blob in against
                if (method, engine, f"{blob} {engine}") in less
            ]
            gain = less.get((method, engine, f"{method} threshold"))
            blank = [None] * (len(against) - len(said))
            last = None if gain is None else tabulated.said(gain, times=100)
            if any(said) or last:
                lines.append((METHODS[method], *said, *blank, last))
        if lines:
            yield Table(
                f"what it adds, {engine}: IoU, % points",
                ("method", *(f"over {BLOBS[blob]}" for blob in against), "over no cut"),
                tuple(lines),
                "Paired differences with their 95 % intervals.",
            )


def _plots(
    methods: Sequence[str],
    cutters: Sequence[Engine],
    averages: Mapping[tuple[str, Engine], Mapping[str, float]],
) -> Iterator[Plot]:
    titles = tuple(METHODS[method] for method in methods)
    for score, title in _SCORES.items():
        series = (
            Series(e, titles, tuple(100 * averages[m, e][score] for m in methods)) for e in cutters
        )
        yield Plot(title, tuple(series), "", "%", "bars")


def _rows(cells: Cells, names: Sequence[str]) -> Iterator[tuple[str, tuple[Tile, ...]]]:
    """Lay out figure 8: photograph, map, trimap and masks, a row for every method."""
    for place, name in enumerate(names[:ROWS]):
        for method, own in cells.items():
            cell = own[place]
            tiles = []
            for title, image in cell.images.items():
                score = cell.values["engines"].get(title, {}).get("iou")
                tiles.append(Tile(image, title if score is None else f"{title}: IoU {score:.0%}"))
            seen = f", seen as {cell.values['seen'].split(',')[0]}" if cell.values["seen"] else ""
            yield f"{name}: {METHODS[method]}{seen}", tuple(tiles)


def _empty(cells: Cells, names: Sequence[str], cutters: Sequence[Engine]) -> Iterator[str]:
    for method, own in cells.items():
        for engine in cutters:
            empty = [
                name
                for name, cell in zip(names, own, strict=True)
                if cell.values["engines"][engine]["empty"]
            ]
            if empty:
                yield (
                    f"{METHODS[method]}, {engine}: no object on {len(empty)} of "
                    f"{plural(len(own), 'photograph')} ({some(empty)})"
                )
