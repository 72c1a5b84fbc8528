"""Does a map show what the network learned? Its layers are randomised, from the top down.

A map that explains a network must change when the network forgets. The weights of the last layer
are randomised in a copy (`randomised`), then of the last two, and so on down to the image; each
time the class that the trained network predicts is explained again, and its map compared with the
trained network's: by the rank correlation of the pixels, and by structural similarity
(`map_likeness`). With `independent` only one layer is randomised at a time.

Two controls say what similarities mean. The maps of two *different* photographs, by the trained
network, have nothing in common but what all maps of a method have; a map that depends on what was
learned should fall to that. And how alike the map is to the photograph's *edges*, which no network
has looked at: a method may stay the same because it draws edges.

Both are taken of magnitudes (the maps as they are shown), and the rank correlation of signals with
their sign, summed over the colours, too: magnitudes may be alike where signs are not (the paper's
"ABS" and "No ABS"). Methods of attention have no sign; for them the two are the same.

*Reference.* Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018, section 4, figures 2 to
4.

*Departures.* They draw weights as before training; here each layer's own are permuted, which needs
no knowledge of how it was initialised. They give no threshold and no second photograph: verdicts
are ours (`cascade_judged`), for the deeper half of the layers, where classes are told apart, and
for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from phosphene.core.copies import copied
from phosphene.core.network import Network
from phosphene.core.unit import Unit
from phosphene.errors import ImageError, SettingError
from phosphene.panel import Tile
from phosphene.studies import tabulated
from phosphene.studies.cascade_judged import measured, plots, tables, verdicts_of
from phosphene.studies.edges import edge_strength
from phosphene.studies.explained import (
    METHODS,
    AnyMethod,
    Explained,
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
from phosphene.studies.ledger import Cell
from phosphene.studies.map_likeness import rank_correlation, structural_similarity
from phosphene.studies.plan import Plan
from phosphene.studies.randomised import How, check_how, learned_layers, randomise
from phosphene.studies.setting import partners, plural

STAGES = 6
"""Stages of the cascade at most, if no layers are named."""
SHOWN = 2
"""Photographs of which pictures are kept."""


def cascade(
    plan: Plan,
    *,
    methods: Sequence[AnyMethod] = METHODS,
    how: How = "permuted",
    independent: bool = False,
) -> Findings:
    """Randomise layers from the top down, and compare maps with the trained network's.

    Args:
        plan: Two photographs or more, and layers with weights to stop at (6 spread over all depths,
            if none is named).
        methods: Rules of `explain`, and `"occlusion"`; what does not fit the network is left out,
            by name.
        how: How weights are randomised (`randomised`).
        independent: Randomise each layer alone instead of with all above it.

    Raises:
        ImageError: There are fewer than two photographs, or of several sizes.
        NetworkError: The network tells no classes apart, or has no weights.
        SettingError: A layer has no weights.
    """
    demand_classes(plan, "cascade", 2)
    check_how(how)
    fit, warnings = fitting(plan, methods)
    order = learned_layers(plan.net)
    stages = _stages(plan, order)
    shots = _Shots(plan, fit)
    away = partners(plan, "cascade")
    total = len(plan.photos) * (len(stages) + 1)
    clean: list[Cell] = []
    for number, other in enumerate(away):
        plan.tick(len(clean), total, f"{plan.names[number]}, trained")
        clean.append(shots.controls(number, other))
    cells: dict[str, list[Cell]] = {}
    # One copy forgets more and more; independent layers have a copy each.
    forgetful, forgotten = copied(plan.net), len(order)
    for count, layer in enumerate(stages):
        place = order.index(layer)
        layers = (layer,) if independent else order[place:forgotten]
        forgetful, forgotten = copied(plan.net) if independent else forgetful, place
        randomise(forgetful, layers, how, plan.seed)
        key = {"how": how, "layers": [layer] if independent else list(order[place:])}
        cells[layer] = []
        for number in range(len(plan.photos)):
            done = (count + 1) * len(plan.photos) + number
            plan.tick(done, total, f"{plan.names[number]}, {layer} randomised")
            cells[layer].append(shots.compared(number, forgetful, key))
    plan.tick(total, total, "done")
    half = next((layer for layer in stages if order.index(layer) <= len(order) / 2), stages[-1])
    found = measured(clean, cells, list(fit))
    verdicts = verdicts_of(found, half, stages[-1], independent)
    return Findings(
        "cascade",
        f"{plan.net.name}: what maps keep of a network that forgets, "
        f"{plural(len(plan.photos), 'photograph')}",
        tables(found, stages, half, verdicts, independent),
        plots(found, stages, independent),
        tuple(_rows(plan, clean, cells, list(fit))),
        tabulated.facts(
            plan,
            methods=", ".join(fit),
            explained="the class predicted by the trained network, its score averaged over places",
            weights=f"{how} within each layer, {'one at a time' if independent else 'top down'}",
            layers=f"{len(stages)} of {len(order)} with weights: {', '.join(stages)}",
            similarity="rank correlation and structural similarity of magnitudes, whole image",
        ),
        (*warnings, *tabulated.doubts(plan), *_empty(clean, cells, list(fit))),
        {
            "methods": found,
            "stages": list(stages),
            "photographs": [
                {
                    "name": name,
                    "trained": clean[i].values,
                    **{layer: own[i].values for layer, own in cells.items()},
                }
                for i, name in enumerate(plan.names)
            ],
            "verdicts": verdicts,
        },
    )


class _Shots:
    """The trained network's maps, made when they are first needed, and comparisons with them."""

    def __init__(self, plan: Plan, methods: Mapping[str, Method]) -> None:
        self._plan, self._methods = plan, methods
        self._made: dict[int, tuple[Tensor, Unit, dict[str, Explained]]] = {}

    def _trained(self, number: int) -> tuple[Tensor, Unit, dict[str, Explained]]:
        if number not in self._made:
            net = self._plan.net
            image, _ = net.prepare(self._plan.photos[number])
            unit = mean_score(net, image, predicted(net, image))
            made = explained(net, image, unit, self._methods, shown=number < SHOWN)
            self._made[number] = image, unit, made
        return self._made[number]

    def controls(self, number: int, other: int) -> Cell:
        """Compare maps with those of another photograph, and with edges."""

        def compute() -> Cell:
            image, _, own = self._trained(number)
            elsewhere, _, away = self._trained(other)
            check_sizes(self._plan, number, other, image, elsewhere)
            edges = edge_strength(image[0])
            values = {
                name: {
                    "other": likeness(own[name], away[name]),
                    "edges": {
                        "rank": rank_correlation(own[name].map[0], edges),
                        "ssim": structural_similarity(own[name].map[0], edges),
                    },
                }
                for name in own
            }
            pictures = {name: e.pictures[0] for name, e in own.items() if e.pictures}
            return Cell(values, {"photograph": drawn(image), **pictures} if pictures else {})

        key = {**self._key(number), "other": self._plan.photo_ids[other]}
        return self._plan.cell("cascade, controls", key, compute)

    def compared(self, number: int, net: Network, how: Mapping[str, Any]) -> Cell:
        """Compare maps with those of a randomised network."""

        def compute() -> Cell:
            image, unit, own = self._trained(number)
            sent = explained(net, image, unit, self._methods, shown=number < SHOWN)
            values = {name: likeness(own[name], sent[name]) for name in own}
            return Cell(values, {name: e.pictures[0] for name, e in sent.items() if e.pictures})

        return self._plan.cell("cascade", {**self._key(number), **how}, compute)

    def _key(self, number: int) -> dict[str, Any]:
        return {
            "photo": self._plan.photo_ids[number],
            "methods": rules_key(self._methods),
            "shown": number < SHOWN,
        }


def likeness(one: Explained, other: Explained) -> dict[str, float | None]:
    """Compare what a method says of two images or networks, the first image of each.

    Returns:
        `rank` and `ssim` of the maps, and `signed`, the rank correlation of attributions summed
        over the colours; `None` where a map is the same everywhere.
    """
    a, b = one.map[0], other.map[0]
    rank = rank_correlation(a, b)
    signed = rank
    if one.signed and rank is not None:
        signed = rank_correlation(one.attribution[0].sum(0), other.attribution[0].sum(0))
    return {"rank": rank, "signed": signed, "ssim": structural_similarity(a, b)}


def _stages(plan: Plan, order: Sequence[str]) -> tuple[str, ...]:
    """Return the layers that the cascade stops at, from the top down."""
    if plan.layers:
        asked = [plan.net.address(name).path for name in plan.layers]
        without = [path for path in asked if path not in order]
        if without:
            raise SettingError(
                f"layer {without[0]} has no weights to randomise: name layers with weights, as "
                f"{', '.join(order[-3:])}"
            )
        return tuple(sorted(dict.fromkeys(asked), key=order.index, reverse=True))
    last = len(order) - 1
    places = {round(last * (1 - step / (STAGES - 1))) for step in range(STAGES)}
    return tuple(order[place] for place in sorted(places, reverse=True))


def _rows(
    plan: Plan, clean: Sequence[Cell], cells: Mapping[str, Sequence[Cell]], methods: Sequence[str]
) -> list[tuple[str, tuple[Tile, ...]]]:
    """Lay out figure 2: a row for every method, from trained to all random."""
    rows = []
    for number in range(min(SHOWN, len(plan.photos))):
        for name in methods:
            tiles = [
                Tile(clean[number].images["photograph"], "photograph"),
                Tile(clean[number].images[name], "trained"),
            ]
            for layer, own in cells.items():
                rank = own[number].values[name]["rank"]
                known = "empty" if rank is None else f"{rank:.2f}"
                tiles.append(Tile(own[number].images[name], f"{layer}: {known}"))
            rows.append((f"{plan.names[number]}: {name}", tuple(tiles)))
    return rows


def _empty(
    clean: Sequence[Cell], cells: Mapping[str, Sequence[Cell]], methods: Sequence[str]
) -> list[str]:
    """Say where a map was the same everywhere, and so like no other."""
    warnings = []
    for name in methods:
        own = sum(cell.values[name]["edges"]["rank"] is None for cell in clean)
        lost = sum(c.values[name]["rank"] is None for some in cells.values() for c in some)
        if lost:
            trained = f" ({plural(own, 'photograph')}: by the trained network, too)" if own else ""
            warnings.append(
                f"{name}: {plural(lost, 'comparison')} left out, as a map is zero "
                f"everywhere{trained}"
            )
    return warnings


def check_sizes(plan: Plan, a: int, b: int, one: Tensor, two: Tensor) -> None:
    """Make sure that two photographs of a plan, a and b, are seen in one size.

    Raises:
        ImageError: They are not.
    """
    if one.shape != two.shape:
        first, second = ("x".join(map(str, image.shape[2:])) for image in (one, two))
        raise ImageError(
            f"{plan.names[a]} is {first} and {plan.names[b]} {second} as {plan.net.name} sees "
            "them, and maps of one size are compared: crop the photographs alike"
        )
