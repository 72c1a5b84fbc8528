"""Who knows where things are? Boxes and strongest points, by three reversed networks and a blob.

| score | of which class | what is counted |
|---|---|---|
| CorLoc | the true one | boxes that have IoU >= 0.5 with a true one |
| top-5 error | the five likeliest | photographs of which no guess has the right class and box |
| pointing game | the true one | strongest pixels in a true box, or at most 15 px from one |

The boxes are those of masks cut out by colour (`segmentation`), with every engine.

*Reference.* Simonyan et al. 2014, section 3.2: 46.4 % top-5 error on ILSVRC-2013 with a network of
their own; Deselaers et al. 2010 (CorLoc); Zhang et al. 2016, section 4.1 (pointing game); the
reversed networks and the blob are those of Mahendran & Vedaldi, ECCV 2016, section 3.5.

*Departures.* Photographs are shown as a whole instead of in ten crops. All boxes count, difficult
ones too. Where the network has no class of a box's name, the likeliest one takes its place and the
photograph is left out of the top-5 error. CorLoc and pointing are means over photographs. A blob
has the same box for all classes. `whole photograph` is the box that cuts nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from phosphene.panel import Plot, Series, Table, Tile
from phosphene.segmentation.box_scores import CorLoc, Localization
from phosphene.segmentation.cutting import Engine
from phosphene.segmentation.pointing import PointingGame, strongest
from phosphene.segmentation.region import drawn_over
from phosphene.segmentation.truths import Box, Truth
from phosphene.studies import tabulated
from phosphene.studies.findings import Findings
from phosphene.studies.ledger import Cell
from phosphene.studies.measured import ROWS, Asked, Cells, measure
from phosphene.studies.methods import (
    METHODS,
    RULES,
    Constants,
    cut,
    engines,
    outlined,
)
from phosphene.studies.plan import Plan
from phosphene.studies.setting import demand_photos, plural
from phosphene.studies.truth_sets import numbers_of, some

TOP = 5
_WHOLE = "whole photograph"
_SCORES = {"corloc": "CorLoc", "iou": "box IoU", "error": "top-5 error"}


def localization(
    plan: Plan,
    truths: Sequence[Truth] | None = None,
    *,
    constants: Constants | None = None,
    methods: Sequence[str] = tuple(METHODS),
    by: Sequence[Engine] | None = None,
) -> Findings:
    """Find boxes and points by every method, and score them.

    Args:
        plan: Network and photographs; see `Plan`.
        truths: What is known about each photograph; if `None` it is looked for beside them, as
            `truth_sets` says.
        constants: What is chosen between a photograph and a box; the papers' if `None`.
        methods: Which of `METHODS`.
        by: Which engines; all that are installed if `None`.

    Raises:
        ImageError: There is no photograph, or none with a box.
        SettingError: There is no such method, or a constant cannot be.
    """
    demand_photos(plan, "localization")
    chosen = constants or Constants()
    cutters = tuple(by) if by is not None else engines()

    def named(truth: Truth) -> bool | None:
        """Whether the network has a class of a box's name."""
        if not truth.boxes:
            return None
        return any(numbers_of(plan.net, box.label) for box in truth.boxes)

    seen = measure(
        plan,
        truths,
        methods,
        chosen,
        cutters,
        what="box",
        note=named,
        cell=lambda number, truth, asked: _cell(plan, number, truth.boxes, asked),
    )
    cells, names, warnings = seen.cells, seen.names, seen.warnings
    unnamed = [name for name, known in zip(names, seen.notes, strict=True) if not known]
    if unnamed:
        warnings += (
            f"{plural(len(unnamed), 'photograph')} left out of the top-5 error: the network has no "
            f"class of that name ({some(unnamed)})",
        )
    found = {
        (m, e): {s: _mean(own, e, s) for s in (*_SCORES, "class_error")}
        for m, own in cells.items()
        for e in cutters
    }
    points = {m: _mean(own, "", "point") for m, own in cells.items()}
    whole = _mean(cells[methods[0]], "", "whole")
    return Findings(
        "localization",
        f"{plan.net.name}: boxes around what is seen, {plural(len(names), 'photograph')}",
        (_table(methods, cutters, found, points, whole),),
        tuple(_plots(methods, cutters, found, points)),
        tuple(_rows(cells, names)),
        {
            "network": plan.net.name,
            "photographs": plural(len(names), "photograph"),
            "correct": "IoU of 0.5 or more with any true box",
            "points": "15 px from a true box at most",
            **chosen.facts(),
        },
        warnings,
        {
            "methods": [
                {"method": m, "engine": e, "pointing": points[m]["mean"]}
                | {score: value["mean"] for score, value in found[m, e].items()}
                for m in methods
                for e in cutters
            ],
            "whole": whole["mean"],
            "photographs": [
                {"name": name, **{m: cells[m][i].values for m in methods}}
                for i, name in enumerate(names)
            ],
        },
    )


def _likely(plan: Plan, number: int, asked: Asked) -> list[int]:
    """Find the likeliest classes of a photograph, once for all methods."""

    def computed() -> Cell:
        top = min(TOP, plan.net.classes)
        return Cell({"classes": asked.photo.likeliest(top)})

    key = {
        "photo": plan.photo_ids[number],
        "side": asked.constants.shorter_side,
    }
    return [int(i) for i in plan.cell("likely classes", key, computed).values["classes"]]


def _cell(plan: Plan, number: int, boxes: Sequence[Box], asked: Asked) -> Cell:
    key = {**asked.key(plan, number), "truth": [asdict(box) for box in boxes]}
    return plan.cell("localization", key, lambda: _computed(plan, number, boxes, asked))


def _computed(plan: Plan, number: int, boxes: Sequence[Box], asked: Asked) -> Cell:
    method, constants = asked.method, asked.constants
    net, ranks = plan.net, _likely(plan, number, asked)
    true = sorted(set().union(*(numbers_of(net, box.label) for box in boxes)))
    # A name of several classes stands for the likeliest of them. Guesses of other classes are wrong
    # wherever their boxes are, so that these need not be found.
    told = next((channel for channel in ranks if channel in true), (*true, ranks[0])[0])
    classes = list(dict.fromkeys((told, *(channel for channel in ranks if channel in true))))
    seen = asked.photo.seen_by(method, classes)
    by_class = dict(zip(classes, seen if method in RULES else seen * len(classes), strict=True))
    view = by_class[told]
    photograph = view.photograph
    size = (photograph.height, photograph.width)
    point = None if not (view.map > 0).any() else strongest(view.map, size)
    everything = CorLoc()
    everything.add((0, 0, photograph.width, photograph.height), boxes)
    values: dict[str, Any] = {
        "": {
            "told": net.label(told),
            "point": 0.0 if point is None else PointingGame().add_boxes(point, boxes),
            "whole": everything.result().share,
        }
    }
    images = {}
    # The same name for what is seen and what is true: one that the box has, where it is right.
    names = {i: box.label for box in boxes for i in numbers_of(net, box.label)}
    for engine in asked.cutters:
        cutting = constants.cutting(method, engine)
        if method in RULES:
            found = {i: cut(net, seen, cutting) for i, seen in by_class.items()}
        else:
            found = dict.fromkeys(by_class, cut(net, view, cutting))
        right, five = CorLoc(), Localization(TOP)
        iou = right.add(found[told].box, boxes)
        boxed = {i: found[i].box if i in found else None for i in ranks}
        guesses = [(names.get(i, net.label(i)), box) for i, box in boxed.items()]
        five.add(guesses, boxes if true else ())
        values[engine] = {
            "corloc": right.result().share,
            "iou": iou,
            "error": five.result().error,
            "class_error": five.result().class_error,
            "box": found[told].box,
        }
        if asked.shown:
            own = found[told]
            images["photograph"] = outlined(photograph, [box.corners for box in boxes])
            images["map"] = own.tiles()[1].image
            images[engine] = drawn_over(photograph, own.mask, own.box)
    return Cell({"scores": values}, images)


def _mean(cells: Sequence[Cell], engine: str, score: str) -> dict[str, Any]:
    """Average a score over photographs; what is not defined is left out."""
    return tabulated.averaged(cell.values["scores"][engine][score] for cell in cells)


def _table(
    methods: Sequence[str],
    cutters: Sequence[Engine],
    found: Mapping[tuple[str, Engine], Mapping[str, Mapping[str, Any]]],
    points: Mapping[str, Mapping[str, Any]],
    whole: Mapping[str, Any],
) -> Table:
    heads = [f"{e} {title}" for e in cutters for title in _SCORES.values()]
    rows = [
        (
            METHODS[m],
            *(tabulated.said(found[m, e][score], times=100) for e in cutters for score in _SCORES),
            tabulated.said(points[m], times=100),
        )
        for m in methods
    ]
    first = [tabulated.said(whole, times=100), *[None] * len(heads)]
    rows.append((_WHOLE, *first))
    wrong = tabulated.said(found[methods[0], cutters[0]]["class_error"], times=100)
    return Table(
        "correct boxes (CorLoc), top-5 localization error and pointing game, %",
        ("method", *heads, "pointing game"),
        tuple(rows),
        f"Means over photographs, with 95 % intervals. The top-5 error of the class: {wrong}.",
    )


def _plots(
    methods: Sequence[str],
    cutters: Sequence[Engine],
    found: Mapping[tuple[str, Engine], Mapping[str, Mapping[str, Any]]],
    points: Mapping[str, Mapping[str, Any]],
) -> Iterator[Plot]:
    titles = tuple(METHODS[m] for m in methods)

    def series(name: str, of: Sequence[Mapping[str, Any]]) -> Series:
        return tabulated.line(name, titles, of, 100)

    for score in ("corloc", "error"):
        bars = (series(e, [found[m, e][score] for m in methods]) for e in cutters)
        yield Plot(_SCORES[score], tuple(bars), "", "%", "bars")
    yield Plot("pointing game", (series("", [points[m] for m in methods]),), "", "%", "bars")


def _rows(cells: Cells, names: Sequence[str]) -> Iterator[tuple[str, tuple[Tile, ...]]]:
    for place, name in enumerate(names[:ROWS]):
        for method, own in cells.items():
            scores = own[place].values["scores"]
            tiles = []
            for title, image in own[place].images.items():
                iou = scores.get(title, {}).get("iou")
                tiles.append(Tile(image, title if iou is None else f"{title}: IoU {iou:.0%}"))
            yield f"{name}: {METHODS[method]}, {scores['']['told'].split(',')[0]}", tuple(tiles)
