"""What do the halves of a network see? Photographs inverted from one group of channels each.

Where convolutions are grouped, as AlexNet's were for want of memory, the groups are networks of
their own, streams, until the first convolution that joins them. The papers found one of AlexNet's
to keep colour, and the other edges and luminance.

*Reference.* Mahendran & Vedaldi, IJCV 2016, section 5.2.5, figure 10; thesis 2018, section
5.4.2.6, figure 5.13: CaffeNet up to norm2.

*Departures.* Colour and edges are measured, as ratios to the photograph's: the mean chroma, and
the root mean squared gradient of the luminance (`appearance.chroma`, `edges`). Other layers, and
networks without groups, may be split in halves too; these are no streams, and the table says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from phosphene.core.network import Network
from phosphene.errors import UnitError
from phosphene.image import to_image
from phosphene.panel import Plot, Table, Tile
from phosphene.preimage.masks import stream
from phosphene.studies import tabulated
from phosphene.studies.appearance import chroma, edges
from phosphene.studies.curves import curve
from phosphene.studies.findings import Findings
from phosphene.studies.inversion import inverted
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import Plan, called
from phosphene.studies.setting import (
    demand_photos,
    known_layers,
    percent,
    plural,
    strength_fact,
    strengths_at,
)
from phosphene.studies.tabulated import averaged

_MOST = 8
_FEW = 4
_CLEAR = 1.1
"""How many times as much as the next a group has to keep to lead."""


@dataclass(frozen=True)
class Streams:
    """The groups that a network's channels fall into.

    Attributes:
        count: How many there are; 2 where no convolution is grouped.
        layers: Layers at which they are kept apart; none where no convolution is grouped.
    """

    count: int
    layers: tuple[str, ...] = ()


def streams_of(net: Network) -> Streams:
    """Find the first grouped convolution, and how long its groups stay apart.

    They begin with the layer that the grouped convolution divides, and end before the next
    convolution of all channels. Convolutions of one channel a group do not count: these filter
    maps, and divide nothing.

    >>> from phosphene.zoo.demo import demo
    >>> found = streams_of(demo())
    >>> found.count, found.layers[0], found.layers[-1]
    (2, 'conv1', 'pool2')
    """
    begins, count = 0, 0
    listed = net.layers()
    modules = dict(net.module.named_modules())
    for place, layer in enumerate(listed):
        module = modules.get(net.address(layer.name).path)
        if isinstance(module, nn.Linear) and count:
            return Streams(count, tuple(layer.name for layer in listed[begins:place]))
        if not isinstance(module, nn.Conv2d):
            continue
        if 1 < module.groups < module.in_channels:
            count = count or module.groups
        elif module.groups == 1 and count:
            return Streams(count, tuple(layer.name for layer in listed[begins:place]))
        elif module.groups == 1:
            begins = place
    return Streams(count, tuple(layer.name for layer in listed[begins:])) if count else Streams(2)


def streams(plan: Plan) -> Findings:
    """Invert each group of channels alone.

    Args:
        plan: Photographs, layers (those at which groups are kept apart; without groups four from
            the first half of the network) and strengths (the papers' for each layer, if none is
            given).

    Raises:
        ImageError: There is no photograph.
        UnitError: The channels of no layer divide so.
    """
    demand_photos(plan, "streams")
    apart = streams_of(plan.net)
    names = plan.layers or apart.layers or plan.spread(2 * _FEW)[:_FEW]
    known = known_layers(plan, names)
    real = {name for name, layer in known.items() if layer.name in apart.layers}
    fit = {name: layer for name, layer in known.items() if layer.shape[0] % apart.count == 0}
    if not fit:
        raise UnitError(f"the channels of no layer divide into {apart.count} groups")
    places = [(name, c) for name, layer in fit.items() for c in strengths_at(plan, layer)]
    shown = min(apart.count, _MOST)
    total = len(plan.photos) * len(places) * shown
    found: list[dict[str, Any]] = []
    rows: list[tuple[str, tuple[Tile, ...]]] = []
    warnings = _warnings(apart, [name for name in known if name not in fit])
    done = 0
    for number, name in enumerate(plan.names):
        for group in range(shown):
            tiles: list[Tile] = []
            for layer, c in places:
                plan.tick(done, total, f"{layer}, {name}, group {group + 1}")
                done += 1
                cell = _cell(plan, number, layer, c, group, apart.count)
                if "skipped" in cell.values:
                    warnings.append(f"{name}: {cell.values['skipped']}; left out")
                    continue
                found.append(_measured(name, layer, c, group, cell))
                tiles += [] if tiles else [Tile(cell.images["original"], "photograph")]
                strength = f", C = {called(c)}" if len(places) > len(fit) else ""
                mixed = " (mixed)" if apart.layers and layer not in real else ""
                tiles.append(Tile(cell.images["found"], f"{layer}{strength}{mixed}"))
            whose = f"{name}, " if len(plan.photos) > 1 else ""
            rows.append((f"{whose}{'stream' if real else 'part'} {group + 1}", tuple(tiles)))
    plan.tick(total, total, "done")
    verdict = _verdict(found, [name for name in fit if name in real])
    return Findings(
        "streams",
        f"{plan.net.name}: what {plural(shown, 'group')} of channels keep",
        (_table(found, real, verdict),),
        tuple(_plots(found)),
        tuple(rows),
        tabulated.facts(plan, C=strength_fact(places), groups=apart.count),
        tuple(dict.fromkeys(warnings)),
        {
            "groups": apart.count,
            "apart": list(apart.layers),
            "inversions": found,
            "verdict": verdict,
        },
    )


def _warnings(apart: Streams, unfit: list[str]) -> list[str]:
    warnings = []
    if not apart.layers:
        warnings.append(
            "no convolution of this network is grouped: these are halves of its channels, which "
            "mix at every layer, and no streams"
        )
    if apart.count > _MOST:
        warnings.append(f"of {apart.count} groups the first {_MOST} are shown")
    if unfit:
        warnings.append(f"no {apart.count} groups of channels, left out: {', '.join(unfit)}")
    return warnings


def _cell(plan: Plan, number: int, layer: str, c: float, group: int, count: int) -> Cell:
    key = {"photo": plan.photo_ids[number], "layer": layer, "strength": called(c)}
    key |= {"group": f"{group} of {count}"}

    def compute() -> Cell:
        try:
            result = inverted(plan, plan.photos[number], layer, c, mask=stream(group, count))
        except UnitError as error:
            return Cell({"skipped": str(error)})
        assert result.error is not None
        assert result.reference is not None
        images = {"original": to_image(result.reference[0]), "found": to_image(result.image[0])}
        return Cell({"error": float(result.error[0])}, images)

    return plan.cell("stream", key, compute)


def _measured(name: str, layer: str, c: float, group: int, cell: Cell) -> dict[str, Any]:
    original, picture = cell.images["original"], cell.images["found"]
    return {
        "photograph": name,
        "layer": layer,
        "strength": called(c),
        "group": group,
        "error": cell.values["error"],
        "chroma": chroma(picture),
        "edges": edges(picture),
        "chroma_share": _ratio(chroma(picture), chroma(original)),
        "edges_share": _ratio(edges(picture), edges(original)),
    }


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _verdict(found: list[dict[str, Any]], real: list[str]) -> str:
    """Say what each group keeps, over the layers at which they are apart, if there are any."""
    rows = [row for row in found if row["layer"] in real or not real]
    kept: dict[int, tuple[float, float]] = {}
    for group in sorted({row["group"] for row in rows}):
        own = [row for row in rows if row["group"] == group]
        both = (
            averaged(row[what] for row in own)["mean"] for what in ("chroma_share", "edges_share")
        )
        colour, sharp = both
        if colour is not None and sharp is not None:
            kept[group] = colour, sharp
    if len(kept) < 2:
        return "There are no two groups to compare."
    word = "stream" if real else "part"
    each = ", ".join(
        f"{word} {group + 1} keeps {percent(both[0])} of the colour and {percent(both[1])} of the "
        "edges"
        for group, both in kept.items()
    )
    return f"{each[0].upper()}{each[1:]}: {_division(kept, word)}."


def _division(kept: dict[int, tuple[float, float]], word: str) -> str:
    """Say which group leads in colour and which in edges."""
    leads = []
    for what in (0, 1):
        first, second = sorted(kept, key=lambda group, n=what: -kept[group][n])[:2]  # type: ignore[misc]
        leads.append(first if kept[first][what] >= _CLEAR * kept[second][what] else None)
    colour, sharp = leads
    if colour is None and sharp is None:
        return "about the same"
    if colour == sharp:
        return f"{word} {(colour or 0) + 1} leads in both, so colour and edges are not divided"
    said = [] if colour is None else [f"{word} {colour + 1} leads in colour"]
    said += [] if sharp is None else [f"{word} {sharp + 1} leads in edges"]
    return " and ".join(said)


def _table(found: list[dict[str, Any]], real: set[str], verdict: str) -> Table:
    columns: tuple[str, ...] = ("photograph", "layer", "C", "group", "apart in the network")
    columns += ("chroma", "of the photograph's, %", "edges", "of the photograph's, % ", "error, %")
    rows = []
    for row in found:
        shares = [
            None if share is None else round(100 * share, 1)
            for share in (row["chroma_share"], row["edges_share"], row["error"])
        ]
        place = row["photograph"], row["layer"], row["strength"], row["group"] + 1
        yes = "yes" if row["layer"] in real else "no"
        numbers = round(row["chroma"], 2), shares[0], round(row["edges"], 2), shares[1], shares[2]
        rows.append((*place, yes, *numbers))
    return Table("colour and edges by group, gray levels", columns, tuple(rows), verdict)


def _plots(found: list[dict[str, Any]]) -> list[Plot]:
    groups = sorted({row["group"] for row in found})
    plots = []
    for what, title in (("chroma_share", "colour kept"), ("edges_share", "edges kept")):
        series = tuple(
            curve(f"group {g + 1}", [r for r in found if r["group"] == g], "layer", what, 100)
            for g in groups
        )
        if series:
            plots.append(Plot(title, series, "layer", "% of the photograph's", "bars"))
    return plots
