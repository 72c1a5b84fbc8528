"""How much of its field does a signal fill? Finite support, and what makes it.

A unit can see its receptive field and no more, so that no signal reaches beyond it; and most of a
signal sits in the middle of that. Renormalised as sign(x) |x|^0.1 a picture shows the rest. To tell
what makes the fall-off, the photograph is taken away (no bottleneck: ReLU by the identity, pools
to the centre), and then the weights too (0.01 N(0, 1) without biases, the same unit). What is left
is the architecture.

Measured are the box of all that is above 0, over the field; the effective side, over the field's;
and the fall-off (`support`). Where the field leaves the image, the part in the image counts.

*Reference.* Mahendran & Vedaldi, ECCV 2016, section 3.3, figure 5: "the true receptive field of
pool5 is much larger and [...] the sides are not discarded but simply weakened", in a manner which
"is architecture-dependent rather than weight or data dependent".

*Departures.* The paper shows one unit of one layer, and no numbers. Weights are drawn once for all
photographs; of batch normalisation the running statistics stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from phosphene.core.copies import copied
from phosphene.core.network import Network
from phosphene.core.unit import Unit
from phosphene.display import show_signal
from phosphene.errors import NetworkError
from phosphene.image import to_image
from phosphene.panel import Plot, Series, Table, Tile
from phosphene.saliency.explain import AnyRule, explain
from phosphene.saliency.result import Saliency
from phosphene.studies import tabulated
from phosphene.studies.depth import spread_layers
from phosphene.studies.findings import Findings
from phosphene.studies.ledger import Cell
from phosphene.studies.montage import boxed
from phosphene.studies.plan import Plan
from phosphene.studies.reversed_layers import (
    NO_BOTTLENECK,
    RULES,
    Reversible,
    reversible,
    size_of,
    titled,
)
from phosphene.studies.setting import demand_photos, plural
from phosphene.studies.similarity import Box, clipped
from phosphene.studies.support import (
    RINGS,
    effective_side,
    extent,
    fall_off,
    gaussian,
    inside,
    renormalised,
)
from phosphene.studies.weakened import SHARES, shares_of, verdicts_of

LAYERS = 4
SHOWN = 1
"""Photographs of which pictures are kept."""
PLAIN, RANDOM = "no bottleneck", "random weights"
WEIGHTS = 0.01
"""Standard deviation of random weights."""
_Numbers = dict[str, Any]


def finite_support(plan: Plan, *, rules: Sequence[AnyRule] = RULES) -> Findings:
    """Measure how far signals from the middle of layers reach.

    Args:
        plan: Photographs and layers (of all depths, if none is named).
        rules: The reversed networks; the controls are there in any case.

    Raises:
        ImageError: There is no photograph.
        NothingToReverse: No ReLU lies below the layers.
        NetworkError: The field of none of them is known.
    """
    demand_photos(plan, "finite-support")
    net = plan.net
    places, warnings = reversible(net, plan.layers or spread_layers(net, LAYERS), size_of(plan))
    unknown = [name for name, place in places.items() if place.box is None]
    places = {name: place for name, place in places.items() if place.box is not None}
    if not places:
        raise NetworkError(f"the receptive field of {', '.join(unknown)} is not defined")
    if unknown:
        warnings = (*warnings, f"left out, as no field is defined: {', '.join(unknown)}")
    blank = randomised(net, plan.seed)
    total = len(places) * len(plan.photos)
    cells: dict[str, list[Cell]] = {name: [] for name in places}
    for name, place in places.items():
        for number, photo in enumerate(plan.names):
            done = sum(map(len, cells.values()))
            plan.tick(done, total, f"{name}, {photo}")
            cells[name].append(_cell(plan, blank, place, number, rules))
    plan.tick(total, total, "done")
    conditions = [*map(str, rules), PLAIN, RANDOM]
    sights = {layer: own[0].values["field"] for layer, own in cells.items()}
    sides = {layer: (sight["seen"][0] * sight["seen"][1]) ** 0.5 for layer, sight in sights.items()}
    shares = {
        (layer, condition): shares_of([cell.values[condition] for cell in own], sides[layer])
        for layer, own in cells.items()
        for condition in conditions
    }
    verdicts = verdicts_of(shares, list(places), [str(rule) for rule in rules], PLAIN, RANDOM)
    return Findings(
        "finite-support",
        f"{net.name}: how much of its field a signal fills, "
        f"{plural(len(plan.photos), 'photograph')}",
        tuple(_tables(shares, places, sights, conditions, verdicts)),
        tuple(_plots(cells, shares, conditions)),
        tuple(_rows(plan, cells, conditions)),
        tabulated.facts(
            plan,
            layers=", ".join(places),
            rules=", ".join(conditions),
            random=f"weights of {WEIGHTS:g} N(0, 1), no biases, seed {plan.seed}",
            power="sign(x) |x|^0.1",
            seeds="strongest unit in the middle of the layer",
        ),
        (*warnings, *tabulated.doubts(plan)),
        {
            "layers": [
                {"layer": layer, "rule": rule, **sights[layer], **found}
                for (layer, rule), found in shares.items()
            ],
            "photographs": [
                {"name": name, **{layer: own[i].values for layer, own in cells.items()}}
                for i, name in enumerate(plan.names)
            ],
            "verdicts": verdicts,
        },
    )


def randomised(net: Network, seed: int, scale: float = WEIGHTS) -> Network:
    """Copy a network with random weights: `scale` N(0, 1), biases 0; normalisations stay."""
    blank = copied(net)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, values in blank.module.named_parameters():
            if values.dim() > 1:
                values.copy_(scale * torch.randn(values.shape, generator=generator))
            elif name.endswith("bias"):
                values.zero_()
    return blank


def _cell(
    plan: Plan, blank: Network, place: Reversible, number: int, rules: Sequence[AnyRule]
) -> Cell:
    shown = number < SHOWN

    def compute() -> Cell:
        photo = plan.photos[number]
        strongest = Unit.strongest(at="centre")
        asked = [*rules, NO_BOTTLENECK]
        sent = explain(plan.net, photo, strongest, asked, layer=place.name, top=0)
        unit = Unit(int(sent[0].channel[0]), at=place.centre)
        random = explain(blank, photo, unit, NO_BOTTLENECK, layer=place.name, top=0)
        named = dict(zip([*map(str, rules), PLAIN, RANDOM], [*sent, *random], strict=True))
        box = place.box
        assert box is not None
        size = (int(sent.image.shape[2]), int(sent.image.shape[3]))
        rows, columns = clipped(box, size)
        seen = (rows.stop - rows.start, columns.stop - columns.start)
        values: dict[str, Any] = {
            "unit": unit.channel,
            "field": {"field": list(box[2:]), "seen": list(seen), "box": list(box)},
            **{name: _measured(s, box, seen) for name, s in named.items()},
        }
        images = _pictures(named, box, sent.image) if shown else {}
        return Cell(values, images)

    key = {
        "photo": plan.photo_ids[number],
        "layer": place.name,
        "rules": [repr(rule) for rule in rules],
        "shown": shown,
    }
    return plan.cell("support", key, compute)


def _measured(saliency: Saliency, box: Box, seen: tuple[int, int]) -> _Numbers:
    """Measure one map; sides are those of squares of the same area."""
    values = saliency.map[0, 0]
    top, left, height, width = box
    middle = (top + (height - 1) / 2, left + (width - 1) / 2)
    found = extent(values)
    side = effective_side(values, middle)
    reach = max(height, width) / 2
    profile = fall_off(values, middle, reach)
    fit = gaussian(profile, reach)
    within = inside(values, box)
    theory = (seen[0] * seen[1]) ** 0.5
    return {
        "extent": None if found is None else list(found),
        "filled": None if found is None else (found[2] * found[3]) ** 0.5 / theory,
        "side": side,
        "share": None if side is None else min(side, max(seen)) / theory,
        "outside": None if within is None else 1 - within,
        "sigma": None if fit is None else fit[0],
        "sigma_share": None if fit is None else fit[0] / theory,
        "explained": None if fit is None else fit[1],
        "profile": profile,
    }


def _pictures(named: Mapping[str, Saliency], box: Box, image: torch.Tensor) -> dict[str, Any]:
    shown = image[0].float().cpu()
    pictures = {"photograph": boxed(to_image(shown.expand(3, -1, -1)), box)}
    for name, saliency in named.items():
        # What stops at an inner layer is a map of the image, and no signal on it.
        signal = saliency.map[0] if saliency.to else saliency.signal[0]
        for title, values in ((name, signal), (f"{name}, |x|^0.1", renormalised(signal))):
            pictures[title] = to_image(show_signal(values).expand(3, -1, -1))
    return pictures


def _tables(
    shares: Mapping[tuple[str, str], _Numbers],
    places: Mapping[str, Reversible],
    sights: Mapping[str, _Numbers],
    conditions: Sequence[str],
    verdicts: Mapping[str, str],
) -> list[Table]:
    tables = []
    for what, (title, note) in SHARES.items():
        rows = []
        for layer, place in places.items():
            field, seen = place.field, sights[layer]["seen"]
            assert field is not None
            numbers = (tabulated.said(shares[layer, c][what], 1, 100) for c in conditions)
            height, width = (int(n) for n in field.size)
            size = f"{height}x{width}, {seen[0]}x{seen[1]} in the image"
            rows.append((layer, size, *numbers))
        heads = ("layer", "field, pixels", *map(titled, conditions))
        tables.append(Table(title, heads, tuple(rows), note))
    said = tuple((claim, text) for claim, text in verdicts.items())
    return [*tables, Table("verdict", ("claim of the paper", "what is found"), said)]


def _plots(
    cells: Mapping[str, Sequence[Cell]],
    shares: Mapping[tuple[str, str], _Numbers],
    conditions: Sequence[str],
) -> list[Plot]:
    """Draw effective sides over the layers, and of every layer the fall-off from the middle."""
    series = []
    for condition in conditions:
        found = [shares[layer, condition]["share"] for layer in cells]
        series.append(tabulated.line(titled(condition), cells, found, 100))
    plots = [Plot("effective side", tuple(series), "layer", "% of the field's side")]
    for layer, own in cells.items():
        lines = []
        for condition in conditions:
            line = _profile([cell.values[condition]["profile"] for cell in own])
            x = tuple(100 * (i + 0.5) / RINGS for i in line)
            lines.append(Series(titled(condition), x, tuple(line.values())))
        axis = "distance from the middle, % of half the field's side"
        plots.append(Plot(f"{layer}: fall-off", tuple(lines), axis, "of the middle's", log=True))
    return plots


def _profile(profiles: Sequence[Sequence[float | None]]) -> dict[int, float]:
    """Average fall-offs, each as a share of its own largest ring; rings of 0 are left out."""
    found: dict[int, float] = {}
    for ring in range(RINGS):
        values = []
        for profile in profiles:
            largest = max((m for m in profile if m is not None), default=0.0)
            value = profile[ring]
            if value is not None and largest > 0:
                values.append(value / largest)
        if values and sum(values) > 0:
            found[ring] = sum(values) / len(values)
    return found


def _rows(
    plan: Plan, cells: Mapping[str, Sequence[Cell]], conditions: Sequence[str]
) -> list[tuple[str, tuple[Tile, ...]]]:
    """Lay out figure 5: as it is and renormalised, a row for every layer."""
    rows = []
    for number in range(min(SHOWN, len(plan.photos))):
        for layer, own in cells.items():
            images = own[number].images
            first = f"{plan.names[number]}: {layer}, unit {own[number].values['unit']}"
            field = Tile(images["photograph"], "the field")
            rows.append((first, (field, *(Tile(images[c], titled(c)) for c in conditions))))
            lifted = (Tile(images[f"{c}, |x|^0.1"], titled(c)) for c in conditions)
            rows.append((f"{first}, renormalised by |x|^0.1", (field, *lifted)))
    return rows
