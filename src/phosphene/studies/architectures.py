r"""What makes a reversed network show edges? Eight architectures, and what each choice does.

The strongest unit of a deep layer is sent back by all combinations of three choices:

| choice | with it | without it |
|---|---|---|
| polarity | ReLU rectifies the signal, `max(y^, 0)` | it does not |
| masks | ReLU passes it where it was open, `[x > 0]` | everywhere |
| switches | max-pool sends it to the arg-max | to the middle of the window |

and, where the network normalises responses (LRN), that once as the identity and once by its
derivative. Signals are compared with the photograph's edges (`studies.edges`), and every choice
gets its main effect (`studies.factorial`).

*Reference.* Mahendran & Vedaldi, ECCV 2016, section 3.1 and figure 3 (VGG-16, pool5, one
photograph); for LRN Mahendran, thesis 2018, section 7.4.5 and figure 7.10. The paper holds that
rectification is necessary for edges, and means more than the switches; that masks make pictures
much sharper, and switches a little.

*Departures.* It judges one photograph by eye. Here there are numbers, over all that are given.
Rectifiers other than ReLU are treated like it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from PIL import Image

from phosphene.core.network import Network
from phosphene.core.nodes import RECTIFIERS
from phosphene.core.rules import ARCHITECTURES, Reversal
from phosphene.core.tape import Census
from phosphene.errors import NothingToReverse
from phosphene.image import to_image
from phosphene.panel import Tile
from phosphene.saliency.explain import explain
from phosphene.studies import architectures_judged as told
from phosphene.studies import tabulated
from phosphene.studies.depth import spread_layers
from phosphene.studies.edges import (
    edge_correlation,
    plain_edge_correlation,
    sharpness,
    sign_agreement,
)
from phosphene.studies.findings import Findings
from phosphene.studies.grid import Grid
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import Plan
from phosphene.studies.setting import deep_layers, demand_photos, plural
from phosphene.studies.similarity import cosine

_SHOWN = 3
_LAYERS = 10_000  # all there are


def architectures(plan: Plan) -> Findings:
    """Compare the eight architectures; see `Plan` for photographs and layers.

    Raises:
        ImageError: There is no photograph.
        NothingToReverse: No ReLU lies in front of the layer.
        UnknownLayer: There is no such layer.
    """
    demand_photos(plan, "architectures")
    layers = plan.layers or (deep_pool(plan.net),)
    censuses = {layer: _census(plan, layer) for layer in layers}
    total, done = len(layers) * len(plan.photos), 0
    grids: list[Grid] = []
    pictures: list[tuple[str, tuple[Tile, ...]]] = []
    for layer, census in censuses.items():
        rules = rules_for(census)
        cells = []
        for number, name in enumerate(plan.names):
            plan.tick(done, total, f"{layer}, {name}")
            cells.append(_cell(plan, layer, rules, number))
            done += 1
        grids.append(Grid(layer, rules, [c.values for c in cells], census["pool"] > 0))
        for name, cell in zip(plan.names, cells[:_SHOWN], strict=False):
            heading = f"{name}, {layer}" if len(layers) > 1 else name
            pictures += _rows(heading, rules, cell)
    plan.tick(total, total, "done")
    claims = {grid.layer: told.claims(grid) for grid in grids}
    verdict = told.verdict(claims)
    return Findings(
        "architectures",
        f"{plan.net.name}: eight reversed networks, {plural(len(plan.photos), 'photograph')}",
        tuple(t for grid in grids for t in told.tables(grid, claims[grid.layer], verdict)),
        tuple(p for grid in grids for p in told.plots(grid)),
        tuple(pictures),
        tabulated.facts(
            plan,
            layers=", ".join(layers),
            unit="the strongest of the layer",
            census="; ".join(str(census) for census in censuses.values()),
            chance="the edges of the next photograph",
        ),
        (*tabulated.doubts(plan), *_warnings(censuses, grids)),
        {
            "layers": [
                {**grid.as_data(), "claims": [vars(c) for c in claims[grid.layer]]}
                for grid in grids
            ],
            "photographs": list(plan.names),
            "verdict": verdict,
        },
    )


def deep_pool(net: Network) -> str:
    """Choose the layer that stands where VGG-16 has pool5: the last max-pool, if it is deep.

    >>> from phosphene.zoo.demo import demo
    >>> deep_pool(demo())
    'pool5'
    """
    names = spread_layers(net, _LAYERS)
    kinds = {layer.name: layer.kind for layer in net.layers() if len(layer.shape) == 3}
    pools = [name for name in names[len(names) // 2 :] if "MaxPool" in kinds.get(name, "")]
    deep = deep_layers(net)
    return pools[-1] if pools else deep[min(1, len(deep) - 1)]


def rules_for(census: Census) -> tuple[Reversal, ...]:
    """Return the eight architectures for a tape; where it has LRN, eight more that derive it.

    Rectifiers other than ReLU are included.
    """
    others = [kind for kind in RECTIFIERS if census[kind]]
    eight = [rule.including(*others) if others else rule for rule in ARCHITECTURES]
    if census["lrn"]:
        eight += [replace(rule, lrn="backprop", name="") for rule in eight]
    return tuple(eight)


def _census(plan: Plan, layer: str) -> Census:
    image, _ = plan.net.prepare(plan.photos[0])
    with plan.net.running(gradients=False):
        census = plan.net[layer].tape(image).census
    if not any(census[kind] for kind in ("relu", *RECTIFIERS)):
        raise NothingToReverse(
            f"no ReLU lies in front of {layer} of {plan.net.name} ({census}), and it is these that "
            "the eight architectures reverse differently: choose a deeper layer"
        )
    return census


def _warnings(censuses: dict[str, Census], grids: Sequence[Grid]) -> list[str]:
    found = []
    for layer, census in censuses.items():
        if not census["lrn"]:
            found.append(f"no LRN lies in front of {layer}, and so there is one grid only")
        if not census["pool"]:
            found.append(f"no max-pool lies in front of {layer}: switches change nothing there")
    for grid in grids:
        empty = sum(photo["empty"] for photo in grid.photos)
        if empty:
            count = len(grid.rules) * len(grid.photos)
            found.append(
                f"{plural(empty, 'signal')} of {count} from {grid.layer} came back empty: they "
                "show no edges (0), and have no sharpness"
            )
    return found


def _cell(plan: Plan, layer: str, rules: Sequence[Reversal], number: int) -> Cell:
    other = (number + 1) % len(plan.photos)
    shown = number < _SHOWN
    key = {
        "photo": plan.photo_ids[number],
        "other": plan.photo_ids[other],
        "layer": layer,
        "rules": [repr(rule) for rule in rules],
        "shown": shown,
    }
    return plan.cell(
        "architectures", key, lambda: _measured(plan, layer, rules, number, other, shown)
    )


def _measured(
    plan: Plan, layer: str, rules: Sequence[Reversal], number: int, other: int, shown: bool
) -> Cell:
    """Measure every rule's signal; by chance means against the other photograph's edges."""
    found = explain(plan.net, plan.photos[number], None, rules, layer=layer, top=0)
    photo = found.image[0]
    stranger = plan.net.prepare(plan.photos[other])[0][0]
    comparable = plan.photo_ids[other] != plan.photo_ids[number] and stranger.shape == photo.shape
    values: dict[str, Any] = {"empty": 0, "rules": {}}
    images: dict[str, Image.Image] = {"image": to_image(photo)} if shown else {}
    for rule, saliency in zip(rules, found, strict=True):
        signal = saliency.signal[0]
        values["empty"] += int(not bool(signal.any()))
        values["rules"][str(rule)] = {
            "edges": edge_correlation(signal, photo),
            "chance": edge_correlation(signal, stranger) if comparable else None,
            "plain": plain_edge_correlation(signal, photo),
            "sign": sign_agreement(signal, photo),
            "sharpness": sharpness(signal),
        }
        if rule.lrn == "backprop":
            twin = next(s for s in found if s.rule == replace(rule, lrn="identity"))
            values["rules"][str(rule)]["likeness"] = cosine(signal, twin.signal[0])
        if shown:
            images[str(rule)] = to_image(saliency.shown()[0])
    return Cell(values, images)


def _rows(name: str, rules: Sequence[Reversal], cell: Cell) -> list[tuple[str, tuple[Tile, ...]]]:
    """Lay out figure 3: switches above, centre below; a second grid for LRN's derivative."""
    rows = []
    image = Tile(cell.images["image"], "image")
    for start in range(0, len(rules), 4):
        four = rules[start : start + 4]
        derived = ", LRN by its derivative" if four[0].lrn == "backprop" else ""
        tiles = [
            Tile(
                cell.images[str(rule)],
                f"{rule.relu}: edges {cell.values['rules'][str(rule)]['edges']:.2f}",
            )
            for rule in four
        ]
        rows.append((f"{name}: {four[0].pool}{derived}", (image, *tiles)))
    return rows
