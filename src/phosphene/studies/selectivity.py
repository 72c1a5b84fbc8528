"""Does the picture show the unit, or the photograph? One bottleneck, several seeds.

A reversed network takes two things: the seed, which names a unit, and the bottleneck, which the
forward pass of a photograph left behind. The bottleneck is kept and the seed is varied: the
strongest unit in the middle of the layer, a random other one, a random positive mixture of all.
How alike the signals are (`similarity`) is set against how alike those of the *same* seed are
through the bottleneck of another photograph. If the first is the larger, the picture is more about
the photograph than about the unit. The same is done for classes: the predicted one against others.

Beside them stand images that excite the same units most and begin with noise
(`preimage.activate`); nothing of a photograph is in them.

*Reference.* Mahendran & Vedaldi, ECCV 2016, section 3.3, "Lack of neuron selectivity", figure 4:
"Results barely differ, particularly for the deeper layers"; "methods [...] which visualize
individual neurons by activation maximization, are not affected by this problem".

*Departures.* The paper shows pictures and no numbers; similarity and its control are ours. It
holds that the picture is *dominated* by the bottleneck where signals of different seeds have a
similarity of one half at least, and surely more than those of different photographs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from phosphene.errors import ReversalError, SettingError, UnknownLayer
from phosphene.panel import Plot, Series, Table, Tile
from phosphene.saliency.explain import AnyRule, explain
from phosphene.studies import tabulated
from phosphene.studies.curves import curve
from phosphene.studies.depth import spread_layers
from phosphene.studies.dominance import CLASSES, Row, grade, mean_of, measured, verdicts_of
from phosphene.studies.findings import Findings
from phosphene.studies.ledger import Cell
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
from phosphene.studies.seeds_sent import of_classes, of_noise, of_units
from phosphene.studies.setting import demand_photos, partners, plural
from phosphene.studies.units import maxima_cell

LAYERS = 4
SHOWN = 1
"""Photographs of which pictures are kept; what is found from noise is for their units, too."""


REMEDIES = ("excitation", "contrastive", "grad-cam")
"""Methods of attention that came later, for classes; the thesis names the first in chapter 8."""


def selectivity(
    plan: Plan, *, rules: Sequence[AnyRule] = RULES, remedies: Sequence[AnyRule] = REMEDIES
) -> Findings:
    """Vary the seed, and the photograph, and compare signals.

    Args:
        plan: Two photographs or more, layers (of all depths, if none is named), and classes to set
            against the predicted one (if none is named, the runner-up, one by chance, and the least
            likely). Quality and steps are those of activation maximisation, 12 steps by default.
        rules: The reversed networks, by name; the first decides whether a random unit is alive.
        remedies: Rules of attention, which seeds of classes are sent back by as well; those that do
            not fit the network are left out, by name.

    Raises:
        ImageError: There are fewer than two photographs, or of several sizes.
        NothingToReverse: No ReLU lies below the layers.
    """
    demand_photos(plan, "selectivity")
    others = partners(plan, "selectivity")
    net = plan.net
    size = size_of(plan)
    places, warnings = reversible(net, plan.layers or spread_layers(net, LAYERS), size)
    classes = has_classes(net)
    total = (len(places) + classes) * len(others) + len(places) * min(SHOWN, len(others))
    done = 0
    cells: dict[str, list[Cell]] = {}
    noise: dict[str, list[Cell]] = {}

    def each(
        name: str, place: Reversible, run: Callable[..., Cell], rules: Sequence[AnyRule]
    ) -> None:
        nonlocal done
        cells[name] = []
        for number, other in enumerate(others):
            plan.tick(done, total, f"{name}, {plan.names[number]}")
            cells[name].append(run(plan, place, number, other, rules, number < SHOWN))
            done += 1

    for name, place in places.items():
        each(name, place, of_units, rules)
        plan.tick(done, total, f"{name}, from noise")
        noise[name] = _excited(plan, name, cells[name][:SHOWN])
        done += len(noise[name])
    if classes:
        fit, unfit = _fitting(plan, remedies)
        warnings = (*warnings, *unfit)
        each(CLASSES, score_site(net, size), of_classes, [*rules, *fit])
    plan.tick(total, total, "done")
    rows = [
        measured(name, rule, own) for name, own in cells.items() for rule in own[0].values["seeds"]
    ]
    verdicts = verdicts_of(rows, noise)
    return Findings(
        "selectivity",
        f"{net.name}: the unit or the photograph? {plural(len(others), 'photograph')}",
        tuple(_tables(rows, noise, verdicts)),
        tuple(_plots(cells, noise, [str(rule) for rule in rules])),
        tuple(_rows(plan, cells, noise)),
        tabulated.facts(
            plan,
            layers=", ".join(places),
            rules=", ".join(map(str, rules)),
            similarity="correlation of magnitudes inside the receptive field",
            seeds="in the middle of the layer",
        ),
        (*warnings, *tabulated.doubts(plan), *_dead(cells)),
        {
            "layers": [{k: v for k, v in row.items() if k != "each"} for row in rows],
            "noise": {name: [c.values for c in own] for name, own in noise.items()},
            "photographs": [
                {"name": name, **{layer: own[i].values for layer, own in cells.items()}}
                for i, name in enumerate(plan.names)
            ],
            "verdicts": verdicts,
        },
    )


def _fitting(plan: Plan, rules: Sequence[AnyRule]) -> tuple[list[AnyRule], list[str]]:
    """Return the rules that can be sent back from the class scores, and what the others lack."""
    fit: list[AnyRule] = []
    warnings = []
    for rule in rules:
        try:
            explain(plan.net, plan.photos[0], None, rule, top=0)
        except (ReversalError, SettingError, UnknownLayer) as error:
            warnings.append(f"{rule} left out: {error}")
        else:
            fit.append(rule)
    return fit, warnings


def _excited(plan: Plan, layer: str, cells: Sequence[Cell]) -> list[Cell]:
    scale = maxima_cell(plan, layer)
    return [
        of_noise(plan, layer, number, (cell.values["channel"], cell.values["random"]), scale)
        for number, cell in enumerate(cells)
    ]


def _tables(
    measured: Sequence[Row], noise: Mapping[str, Sequence[Cell]], verdicts: Mapping[str, str]
) -> list[Table]:
    rows = []
    for row in measured:
        alike = tabulated.averaged(c.values["seeds"] for c in noise.get(row["layer"], ()))
        rows.append(
            (
                f"{row['layer']}, {titled(row['rule'])}",
                *(tabulated.said(row[what], 2) for what in ("seeds", "photos", "gap", "signed")),
                grade(row),
                tabulated.said(alike, 2),
            )
        )
    heads = (
        "layer, rule",
        "same photograph, other seeds",
        "same seed, other photograph",
        "difference",
        "as signals",
        "decided by",
        "from noise, other seeds",
    )
    note = (
        "Similarity: 1 the same picture, 0 nothing in common, with 95 % intervals over "
        "photographs; the difference is paired. As signals: cosine, with polarity and colour, of "
        "the first column's. From noise: images by activation maximisation."
    )
    said = tuple((claim, text) for claim, text in verdicts.items())
    return [
        Table("how alike signals are", heads, tuple(rows), note),
        Table("verdict", ("claim of the paper", "what is found"), said),
    ]


def _plots(
    cells: Mapping[str, Sequence[Cell]], noise: Mapping[str, Sequence[Cell]], rules: Sequence[str]
) -> list[Plot]:
    plots = []
    for rule in rules:
        series: list[Series] = []
        for what, title in (("seeds", "other seeds"), ("photos", "other photograph")):
            rows = [
                {"layer": layer, what: mean_of(cell.values[what][rule])}
                for layer, own in cells.items()
                for cell in own
            ]
            series.append(curve(title, rows, "layer", what))
        drawn = [
            {"layer": layer, "seeds": cell.values["seeds"]}
            for layer, own in noise.items()
            for cell in own
        ]
        series.append(curve("other seeds, from noise", drawn, "layer", "seeds"))
        plots.append(Plot(f"{titled(rule)}: similarity", tuple(series), "layer", "similarity"))
    return plots


def _rows(
    plan: Plan,
    cells: Mapping[str, Sequence[Cell]],
    noise: Mapping[str, Sequence[Cell]],
) -> list[tuple[str, tuple[Tile, ...]]]:
    """Lay out figure 4: seeds side by side, a row for every layer and rule."""
    rows = []
    for number in range(min(SHOWN, len(plan.photos))):
        for layer, own in cells.items():
            cell = own[number]
            rules = list(cell.values["seeds"])
            for rule in rules:
                tiles = [Tile(cell.images["photograph"], "photograph")]
                alike = {**cell.values["seeds"][rule]}
                for title, image in cell.images.items():
                    if not title.startswith(f"{rule}, "):
                        continue
                    seed = title.removeprefix(f"{rule}, ")
                    tiles.append(Tile(image, _caption(cell, seed, rule, alike)))
                if rule == rules[-1] and layer in noise:
                    drawn = noise[layer][number].images.items()
                    tiles += [Tile(image, f"{seed}, from noise") for seed, image in drawn]
                rows.append((f"{plan.names[number]}: {layer}, {titled(rule)}", tuple(tiles)))
    return rows


def _caption(cell: Cell, seed: str, rule: str, alike: Mapping[str, float | None]) -> str:
    if seed.endswith(" elsewhere"):
        name = seed.removesuffix(" elsewhere")
        known = cell.values["photos"][rule][name]
        return f"{name}, other photograph" + ("" if known is None else f": {known:.2f}")
    first = "predicted" if "predicted" in cell.values else "strongest"
    if seed == first:
        said = cell.values.get("predicted", f"unit {cell.values.get('channel')}")
        return f"{seed}: {str(said).split(',')[0]}"
    known = alike.get(f"{first}, {seed}")
    named = cell.values.get("others", {}).get(seed, "")
    what = f"{seed} ({named.split(',')[0]})" if named and named.split(",")[0] != seed else seed
    return what if known is None else f"{what}: {known:.2f}"


def _dead(cells: Mapping[str, Sequence[Cell]]) -> list[str]:
    """Say where pairs could not be compared."""
    warnings = []
    for layer, own in cells.items():
        for what in ("seeds", "photos"):
            pairs = [v for c in own for rule in c.values[what].values() for v in rule.values()]
            empty = sum(value is None for value in pairs)
            if empty:
                warnings.append(
                    f"{layer}: {empty} of {plural(len(pairs), 'comparison')} "
                    f"({'other seeds' if what == 'seeds' else 'other photograph'}) left out, as a "
                    "signal is zero everywhere"
                )
    return warnings
