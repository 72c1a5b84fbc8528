"""Does a map find what counts? Pixels are deleted, and inserted, in its order.

The pixels that a map is largest at are replaced first, and the probability of the predicted class
is followed (`removal`). *Deletion* begins with the photograph and ends with a baseline: a map that
finds what counts makes the probability fall at once, and its area is small. *Insertion* begins with
a blurred photograph and puts pixels back: a large area is good.

An area by itself says little, as it hangs on the photograph, the baseline and the network. So every
method is set against pixels in *random order*, photograph by photograph; against the photograph's
own edges and a blob in the middle, too, which know nothing of the network.

*Reference.* Petsiuk, Das and Saenko, RISE: Randomized Input Sampling for Explanation of Black-box
Models, BMVC 2018, section 4.2.

*Departures.* 12 steps instead of one for every 224 pixels. The blur is a Gaussian of a sixteenth of
the shorter side; theirs is cut to 11 pixels, which leaves many photographs recognisable. Pixels
that a map does not tell apart (attention is zero in many places) come in random order. Random order
as control is ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from phosphene.errors import SettingError
from phosphene.panel import Tile
from phosphene.studies import tabulated
from phosphene.studies.deletion_judged import GAMES, RANDOM, measured, plots, tables, verdict
from phosphene.studies.explained import (
    EDGES,
    METHODS,
    MIDDLE,
    AnyMethod,
    Method,
    class_probabilities,
    controls,
    demand_classes,
    drawn,
    explained,
    fitting,
    mean_score,
    predicted,
    rules_key,
)
from phosphene.studies.findings import Findings
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import Plan
from phosphene.studies.removal import BASELINES, area, baseline, order_of, replaced
from phosphene.studies.setting import plural

STEPS = 12
SHOWN = 2
"""Photographs of which pictures are kept."""
_PICTURED = 0.2  # share of pixels that pictures show deleted


def deletion(
    plan: Plan,
    *,
    methods: Sequence[AnyMethod] = METHODS,
    deleted: str = "mean",
    inserted: str = "blur",
) -> Findings:
    """Delete and insert pixels in the order of maps, and measure areas.

    Args:
        plan: Photographs; random orders of each (`repeats`); steps of a curve (`steps`, 12 if not
            given).
        methods: Rules of `explain`, and `"occlusion"`; what does not fit the network is left out,
            by name.
        deleted: What is in place of deleted pixels, one of `removal.BASELINES`.
        inserted: What insertion begins with, one of them.

    Raises:
        ImageError: There is no photograph.
        NetworkError: The network tells no classes apart.
        SettingError: There is no such baseline.
    """
    demand_classes(plan, "deletion")
    for name in (deleted, inserted):
        if name not in BASELINES:
            raise SettingError(f"there is no baseline {name!r}: choose {', '.join(BASELINES)}")
    fit, warnings = fitting(plan, methods)
    cells = [_cell(plan, number, fit, (deleted, inserted)) for number in plan.numbers()]
    found = measured(cells, [*fit, EDGES, MIDDLE])
    verdicts = {name: verdict(own) for name, own in found.items()}
    return Findings(
        "deletion",
        f"{plan.net.name}: pixels deleted and inserted in the order of maps, "
        f"{plural(len(cells), 'photograph')}",
        tables(found, verdicts),
        plots(cells, [*fit, EDGES, MIDDLE]),
        tuple(_rows(plan, cells, list(fit))),
        tabulated.facts(
            plan,
            methods=", ".join(fit),
            followed="probability of the class predicted of the photograph",
            deleted=f"pixels become {deleted}",
            inserted=f"begins with {inserted}",
            curve=f"{plan.steps or STEPS} steps, area by the trapezoid rule",
            random=f"{plural(plan.repeats, 'order')} of every photograph",
        ),
        (*warnings, *tabulated.doubts(plan), *_unsure(plan, cells), *_empty(cells, list(fit))),
        {
            "methods": found,
            "photographs": [
                {"name": name, **cell.values} for name, cell in zip(plan.names, cells, strict=True)
            ],
            "verdicts": verdicts,
        },
    )


def _cell(plan: Plan, number: int, methods: Mapping[str, Method], bases: tuple[str, str]) -> Cell:
    steps, shown = plan.steps or STEPS, number < SHOWN

    def compute() -> Cell:
        net = plan.net
        image, _ = net.prepare(plan.photos[number])
        index = predicted(net, image)
        sent = explained(net, image, mean_score(net, image, index), methods, shown=shown)
        maps = {name: e.map[0] for name, e in sent.items()} | controls(image)
        # A map that is zero everywhere has no order.
        orders = {name: order_of(m, plan.seed) for name, m in maps.items() if bool(m.any())}
        flat = torch.zeros(image.shape[-2:])
        random = [order_of(flat, plan.seed + 1 + draw) for draw in range(plan.repeats)]
        gone, start = (baseline(net, image, name) for name in bases)
        ends = torch.cat([image, gone, start])
        here, without, before = class_probabilities(net, ends, index, plan.batch).tolist()
        games = {
            "deletion": (image, gone, here, without),
            "insertion": (start, image, before, here),
        }

        def curves(order: Tensor) -> dict[str, list[float]]:
            return {
                game: [first, *_between(plan, one, other, order, steps, index), last]
                for game, (one, other, first, last) in games.items()
            }

        values: dict[str, Any] = {
            "class": net.label(index),
            "curves": {name: curves(order) for name, order in orders.items()},
            RANDOM: [curves(order) for order in random],
        }
        return Cell(values, _pictures(image, gone, sent, orders) if shown else {})

    key = {
        "photo": plan.photo_ids[number],
        "methods": rules_key(methods),
        "baselines": list(bases),
        "steps of a curve": steps,
        "orders": plan.repeats,
        "shown": shown,
    }
    return plan.cell("deletion", key, compute)


def _between(
    plan: Plan, image: Tensor, other: Tensor, order: Tensor, steps: int, index: int
) -> list[float]:
    """Return the class's probability after every step but the last."""
    between = list(islice(replaced(image, other, order, steps), 1, steps))
    if not between:
        return []
    found: list[float] = class_probabilities(
        plan.net, torch.cat(between), index, plan.batch
    ).tolist()
    return found


def _pictures(
    image: Tensor, gone: Tensor, sent: Mapping[str, Any], orders: Mapping[str, Tensor]
) -> dict[str, Image.Image]:
    found = {"photograph": drawn(image)}
    for name, order in orders.items():
        some = order[: round(_PICTURED * order.numel())]
        now = image.flatten(2).clone()
        now[:, :, some] = gone.flatten(2)[:, :, some]
        found[f"{name}, deleted"] = drawn(now.view_as(image))
        if name in sent:
            found[name] = sent[name].pictures[0]
    return found


def _rows(
    plan: Plan, cells: Sequence[Cell], methods: Sequence[str]
) -> list[tuple[str, tuple[Tile, ...]]]:
    """Lay out maps, and under each the photograph without the fifth that it ranks highest."""
    rows = []
    for number, cell in enumerate(cells[:SHOWN]):
        heading = f"{plan.names[number]}: {cell.values['class'].split(',')[0]}"
        maps = [Tile(cell.images[name], name) for name in methods if name in cell.images]
        rows.append((heading, (Tile(cell.images["photograph"], "photograph"), *maps)))
        bare = []
        for name in (*methods, EDGES, MIDDLE):
            if name in cell.values["curves"]:
                lost = area(cell.values["curves"][name][GAMES[0]])
                bare.append(Tile(cell.images[f"{name}, deleted"], f"{name}: {lost:.2f}"))
        rows.append((f"{heading}, {_PICTURED:.0%} deleted; deletion AUC", tuple(bare)))
    return rows


def _empty(cells: Sequence[Cell], methods: Sequence[str]) -> list[str]:
    """Warn of maps that are zero everywhere."""
    lacking = {m: sum(m not in cell.values["curves"] for cell in cells) for m in methods}
    return [
        f"the map of {name} is zero everywhere on {count} of {plural(len(cells), 'photograph')}, "
        "which are left out for it"
        for name, count in lacking.items()
        if count
    ]


def _unsure(plan: Plan, cells: Sequence[Cell]) -> list[str]:
    """Warn of photographs whose class was hardly there, or does not go with all pixels gone."""
    first = [cell.values[RANDOM][0]["deletion"] for cell in cells]
    faint = [name for name, c in zip(plan.names, first, strict=True) if c[0] < 0.3]
    stays = [name for name, c in zip(plan.names, first, strict=True) if c[-1] > 0.5 * c[0]]
    warnings = []
    if faint:
        warnings.append(
            f"{plural(len(faint), 'photograph')} whose class has a probability below 0.3 from the "
            f"start, of which deletion tells little: {', '.join(faint)}"
        )
    if stays:
        warnings.append(
            f"{plural(len(stays), 'photograph')} whose class keeps half of its probability with "
            f"every pixel deleted: choose another baseline ({', '.join(stays)})"
        )
    return warnings
