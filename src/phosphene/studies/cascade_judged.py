"""What similarities of a network that forgets say: do maps depend on what was learned?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from phosphene.panel import Plot, Series, Table
from phosphene.studies import tabulated
from phosphene.studies.ledger import Cell

KEPT = 0.5
"""From which share of the way between two photographs' maps and the same map a map is kept."""
MEASURES = ("rank", "signed", "ssim")
Found = dict[str, dict[str, Any]]
"""By method: `stages` (by layer and measure, with the `gap` to `other`), `other` and `edges`."""


def measured(
    clean: Sequence[Cell], cells: Mapping[str, Sequence[Cell]], methods: Sequence[str]
) -> Found:
    """Average over photographs; gaps are paired, photograph by photograph.

    Args:
        clean: Controls of the trained network, a cell for every photograph.
        cells: Comparisons with randomised networks, by stage.
        methods: Names.
    """
    found: Found = {}
    for name in methods:
        other = [cell.values[name]["other"] for cell in clean]
        edges = [cell.values[name]["edges"] for cell in clean]
        stages = {}
        for layer, own in cells.items():
            here = [cell.values[name] for cell in own]
            stages[layer] = {
                m: {
                    **tabulated.averaged(h[m] for h in here),
                    "gap": tabulated.averaged(
                        None if h[m] is None or o[m] is None else h[m] - o[m]
                        for h, o in zip(here, other, strict=True)
                    ),
                }
                for m in MEASURES
            }
        found[name] = {
            "stages": stages,
            "other": {m: tabulated.averaged(o[m] for o in other) for m in MEASURES},
            "edges": {m: tabulated.averaged(e[m] for e in edges) for m in ("rank", "ssim")},
        }
    return found


def grade(gap: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Say whether a map depends on layers that were randomised.

    Args:
        gap: How much more it is alike to the trained network's map than maps of two photographs.
        other: How alike maps of two photographs are.

    Returns:
        `hardly` where more than half of the way from `other` to 1 is kept, `in part` where surely
        some of it is, `yes` where surely less than half is and perhaps nothing, and `cannot tell`
        where it may be nothing or more than half, or of fewer than three photographs.

    >>> gap, other = {"mean": 0.4, "interval": 0.1, "count": 9}, {"mean": 0.5}
    >>> grade(gap, other), grade(gap, {"mean": 0.1}), grade({**gap, "mean": -0.1}, other)
    ('hardly', 'in part', 'yes')
    >>> grade({**gap, "interval": 0.5}, other)
    'cannot tell'
    """
    if gap["count"] < tabulated.FEWEST_SPREAD:
        return "cannot tell"
    half = KEPT * (1 - other["mean"])
    if tabulated.sure(gap) <= 0:
        return "yes" if gap["mean"] + gap["interval"] < half else "cannot tell"
    return "hardly" if gap["mean"] >= half else "in part"


def verdicts_of(found: Found, half: str, last: str, independent: bool) -> dict[str, str]:
    """Say for every method whether its map depends on what was learned."""
    return {
        name: _one_by_one(own) if independent else _from_the_top(own, half, last)
        for name, own in found.items()
    }


def _from_the_top(own: Mapping[str, Any], half: str, last: str) -> str:
    parts = []
    for layer, what in ((half, f"layers from {half} up"), (last, f"all from {last} up")):
        rank = own["stages"][layer]["rank"]
        if not rank["gap"]["count"]:
            return "Cannot tell: the map is zero everywhere, before or after."
        word = grade(rank["gap"], own["other"]["rank"])
        parts.append(f"on {what} {word} ({tabulated.said(rank, 2)})")
    if half == last:
        del parts[0]
    return (
        f"Depends {'; '.join(parts)}; maps of different photographs are alike by "
        f"{tabulated.said(own['other']['rank'], 2)}, map and edges by "
        f"{tabulated.said(own['edges']['rank'], 2)}."
    )


def _one_by_one(own: Mapping[str, Any]) -> str:
    known = {layer: s["rank"] for layer, s in own["stages"].items() if s["rank"]["count"]}
    if not known:
        return "Cannot tell: the map is zero everywhere."
    least = min(known, key=lambda layer: known[layer]["mean"])
    free = [
        layer
        for layer, rank in known.items()
        if grade(rank["gap"], own["other"]["rank"]) == "hardly"
    ]
    hardly = f" Depends hardly on {', '.join(free)}." if free else ""
    return f"Changes most with {least} ({tabulated.said(known[least], 2)}).{hardly}"


def tables(
    found: Found, stages: Sequence[str], half: str, verdicts: Mapping[str, str], independent: bool
) -> tuple[Table, ...]:
    """Tabulate similarities by stage, and the verdicts."""
    names = stages if independent else [f"to {layer}" for layer in stages]
    note = ("One layer randomised at a time." if independent else "Randomised from the top.") + (
        " 1 is the same map; means with 95 % intervals over photographs. Other photograph: maps of "
        "two photographs, trained network. Edges: the map and the photograph's."
    )
    made = []
    for measure, title in (("rank", "magnitude"), ("signed", "with its sign"), ("ssim", "SSIM")):
        rows = [
            (
                name,
                *(tabulated.said(own["stages"][layer][measure], 2) for layer in stages),
                tabulated.said(own["other"][measure], 2),
                tabulated.said(own["edges"][measure], 2) if measure in own["edges"] else None,
            )
            for name, own in found.items()
        ]
        what = "structural similarity" if measure == "ssim" else f"rank correlation, {title}"
        heads = ("method", *names, "other photograph", "edges")
        made.append(Table(f"{what}, with the trained network's map", heads, tuple(rows), note))
    if not independent:
        deep = f"layers from {half} up"
        graded = [
            (
                name,
                *(
                    grade(own["stages"][layer]["rank"]["gap"], own["other"]["rank"])
                    for layer in (half, stages[-1])
                ),
            )
            for name, own in found.items()
        ]
        note = (
            "Hardly: the map keeps more than half of the way from another photograph's map to the "
            "same map. In part: surely some of it. Yes: none."
        )
        heads = ("method", deep, f"all from {stages[-1]} up")
        made.append(Table("does the map depend on what was learned by", heads, tuple(graded), note))
    return (*made, Table("verdict", ("method", "what is found"), tuple(verdicts.items())))


def plots(found: Found, stages: Sequence[str], independent: bool) -> tuple[Plot, ...]:
    """Draw all methods together, then each with its controls."""
    x = ("trained", *stages)
    made = []
    for measure, title in (("rank", "rank correlation"), ("ssim", "SSIM")):
        lines = tuple(_line(name, own["stages"], x, measure) for name, own in found.items())
        made.append(Plot(f"{title} with the trained network's map", lines, "randomised", title))
    for name, own in found.items():
        lines = tuple(
            _line(title, own["stages"], x, measure)
            for measure, title in (("rank", "magnitude"), ("signed", "with its sign"))
        )
        flat = tuple(
            Series(title, x, (own[what]["rank"]["mean"],) * len(x))
            for what, title in (("other", "other photograph"), ("edges", "edges"))
            if own[what]["rank"]["mean"] is not None
        )
        up = "one at a time" if independent else "down to"
        made.append(Plot(f"{name}", (*lines, *flat), f"randomised {up}", "rank correlation"))
    return tuple(made)


def _line(
    title: str, stages: Mapping[str, Mapping[str, Any]], x: tuple[str, ...], measure: str
) -> Series:
    trained = {"mean": 1.0, "interval": 0.0, "count": 1}
    return tabulated.line(title, x, (trained, *(stages[layer][measure] for layer in x[1:])))
