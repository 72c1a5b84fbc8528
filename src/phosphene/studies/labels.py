"""Does a map show what the labels taught? It is compared with that of a network taught nonsense.

A network can learn *permuted* labels by heart: every scene has a label, and it is the label of
another. What it knows has nothing to do with what is in the photographs. A map that explains what a
network has learned must look different for it. The class that the user's network predicts is
explained by both, and the maps are compared as in `cascade`.

Two networks differ in more than their labels. So a third is compared, trained *again*, in just the
way of the second, on true labels: what maps of the first share with those of the third and not with
those of the second is due to the labels. And the maps of two photographs by the first network say
what is shared in any case.

The demo network has such twins (`tools/train_permuted.py`): 1600 scenes, one start, one order, with
true labels and with permuted ones. For another network, one must be trained: the same architecture,
the labels of its training set shuffled once and kept, until it tells nearly all of them "rightly";
and, better, a second in the same way with true labels.

*Reference.* Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018, section 5, figure 5.

*Departures.* Twins of the demo network saw 1600 scenes and it saw many more: few can be learned by
heart. The network that is trained again is ours, as are the verdicts. Intervals are over
photographs; of trainings there is one pair.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL.Image import Image

from phosphene.core.network import Network
from phosphene.errors import SettingError
from phosphene.panel import Tile
from phosphene.studies import tabulated
from phosphene.studies.cascade import SHOWN, check_sizes, likeness
from phosphene.studies.explained import (
    METHODS,
    AnyMethod,
    Method,
    demand_classes,
    drawn,
    explained,
    fitting,
    mean_score,
    predicted,
    rules_key,
)
from phosphene.studies.findings import Findings
from phosphene.studies.identity import identity
from phosphene.studies.labels_judged import (
    AGAIN,
    OTHER,
    PERMUTED,
    measured,
    plots,
    tables,
    verdict,
)
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import Plan
from phosphene.studies.setting import partners, plural
from phosphene.zoo.demo import DemoNet
from phosphene.zoo.shipped import damaged, load_shipped, shipped

_LEARNED = 0.5
"""Share of unseen scenes from which on a twin has learned what its labels mean."""


def labels(
    plan: Plan,
    *,
    against: Network | None = None,
    again: Network | None = None,
    methods: Sequence[AnyMethod] = METHODS,
) -> Findings:
    """Compare maps with those of a network that was trained on permuted labels.

    Args:
        plan: Two photographs or more.
        against: That network; if `None` the demo network's twin, for the demo network alone.
        again: One that was trained in the same way on true labels; without it, what is found may
            be due to another start as well.
        methods: Rules of `explain`, and `"occlusion"`; what does not fit the network is left out,
            by name.

    Raises:
        ImageError: There are fewer than two photographs, or of several sizes.
        NetworkError: The network tells no classes apart.
        SettingError: There is no network to compare with, or it does not match.
    """
    demand_classes(plan, "labels", 2)
    doubts = _unlearned() if against is None and again is None else _alone(again)
    if against is None:
        against, again = _twin(plan.net, "permuted"), again or _twin(plan.net, "again")
    others = {PERMUTED: against, **({} if again is None else {AGAIN: again})}
    for what, net in others.items():
        _match(plan.net, net, what)
    fit, warnings = fitting(plan, methods)
    pairs = partners(plan, "labels")
    cells = [_cell(plan, number, pairs[number], fit, others) for number in plan.numbers()]
    found = measured(cells, list(fit))
    verdicts = {name: verdict(own) for name, own in found.items()}
    return Findings(
        "labels",
        f"{plan.net.name}: maps of a network taught nonsense, {plural(len(cells), 'photograph')}",
        tables(found, verdicts),
        plots(found),
        tuple(_rows(plan, cells, list(fit))),
        tabulated.facts(
            plan,
            methods=", ".join(fit),
            against=against.name,
            **({} if again is None else {"again": again.name}),
            explained="the class that the network predicts, its score averaged over places",
            similarity="rank correlation and structural similarity of magnitudes, whole image",
        ),
        (*warnings, *tabulated.doubts(plan), *doubts),
        {
            "methods": found,
            "photographs": [
                {"name": name, **cell.values} for name, cell in zip(plan.names, cells, strict=True)
            ],
            "verdicts": verdicts,
        },
    )


def _twin(net: Network, which: str) -> Network:
    if not isinstance(net.module, DemoNet):
        raise SettingError(
            "the study labels compares with a network that was trained on permuted labels, and of "
            f"{net.name} none is known: train the same architecture with the labels of its "
            "training set shuffled, until it tells them by heart, and give it (against=)"
        )
    with torch.device("meta"):
        module = DemoNet()
    load_shipped(module, f"demo_{which}.safetensors")
    return Network(module.eval(), net.preprocessing, net.labels, f"demo, {which}")


def _match(net: Network, other: Network, what: str) -> None:
    for thing, own, given in (
        ("classes", net.classes, other.classes),
        ("pixels", net.preprocessing.input_size, other.preprocessing.input_size),
    ):
        if own != given:
            raise SettingError(
                f"the network of {what} has {given} {thing} and {net.name} {own}: give one of the "
                "same architecture"
            )


def _cell(
    plan: Plan, number: int, other: int, methods: Mapping[str, Method], nets: Mapping[str, Network]
) -> Cell:
    shown = number < SHOWN

    def compute() -> Cell:
        image, _ = plan.net.prepare(plan.photos[number])
        elsewhere, _ = plan.net.prepare(plan.photos[other])
        check_sizes(plan, number, other, image, elsewhere)
        index = predicted(plan.net, image)
        unit = mean_score(plan.net, image, index)
        own = explained(plan.net, image, unit, methods, shown=shown)
        seed = mean_score(plan.net, elsewhere, predicted(plan.net, elsewhere))
        sent = {OTHER: explained(plan.net, elsewhere, seed, methods)}
        sent |= {
            what: explained(net, image.to(net.device, net.dtype), unit, methods, shown=shown)
            for what, net in nets.items()
        }
        values: dict[str, Any] = {
            "class": plan.net.label(index),
            "methods": {
                name: {what: likeness(own[name], theirs[name]) for what, theirs in sent.items()}
                for name in own
            },
        }
        images: dict[str, Image] = {"photograph": drawn(image)} if shown else {}
        for what, theirs in {plan.net.name: own, **sent}.items():
            images |= {f"{name}, {what}": e.pictures[0] for name, e in theirs.items() if e.pictures}
        return Cell(values, images)

    key = {
        "photo": plan.photo_ids[number],
        "other": plan.photo_ids[other],
        "methods": rules_key(methods),
        "nets": {what: identity(net) for what, net in nets.items()},
        "shown": shown,
    }
    return plan.cell("labels", key, compute)


def _rows(
    plan: Plan, cells: Sequence[Cell], methods: Sequence[str]
) -> list[tuple[str, tuple[Tile, ...]]]:
    rows = []
    for number, cell in enumerate(cells[:SHOWN]):
        for name in methods:
            tiles = [Tile(cell.images["photograph"], cell.values["class"].split(",")[0])]
            for title, image in cell.images.items():
                if not title.startswith(f"{name}, "):
                    continue
                what = title.removeprefix(f"{name}, ")
                rank = cell.values["methods"][name].get(what, {}).get("rank")
                tiles.append(Tile(image, what if rank is None else f"{what}: {rank:.2f}"))
            rows.append((f"{plan.names[number]}: {name}", tuple(tiles)))
    return rows


def _unlearned() -> tuple[str, ...]:
    """Say how little the demo network's twins have learned, if it is little."""
    try:
        record = json.loads(shipped("demo_permuted.json"))
        told = [record[twin]["accuracy_unseen"] for twin in ("again", "permuted")]
        scenes = record["scenes"]
    except (ValueError, KeyError, TypeError) as error:
        raise damaged("demo_permuted.json", error) from error
    if told[0] >= _LEARNED:
        return ()
    return (
        f"the demo network's twins have learned {scenes} scenes by heart, and of unseen scenes "
        f"they tell {told[0]:.0%} (true labels) and {told[1]:.0%} (permuted): the first knows "
        "little more of classes than the second, so that a difference may be too small to be seen",
    )


def _alone(again: Network | None) -> tuple[str, ...]:
    if again is not None:
        return ()
    return (
        "two networks differ by their start as well as by their labels: what is due to the labels "
        "shows only beside a third, trained in the same way on true labels (again=)",
    )
