"""What the eight architectures' numbers say: tables, main effects, and the paper's claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import Any

from phosphene.core.rules import Reversal
from phosphene.panel import Plot, Series, Table
from phosphene.studies.factorial import difference, judged
from phosphene.studies.grid import CHOICES, COLUMNS, MEASURES, Grid, Values, corner
from phosphene.studies.reversed_layers import titled
from phosphene.studies.tabulated import averaged, line, said, sure

_NEEDED = 0.5
_MINOR = 0.5
_NO_POOL = "cannot tell, as there is no max-pool"


@dataclass(frozen=True)
class Claim:
    """One sentence of the paper, and what the numbers say of it.

    Attributes:
        text: The claim, in our words.
        verdict: `confirmed`, `contradicted`, `cannot tell`, or `confirmed in part`.
        difference: What decides it: positive as far as the claim holds.
        figure: The numbers it rests on.
    """

    text: str
    verdict: str
    difference: Mapping[str, Any]
    figure: str


def claims(grid: Grid) -> list[Claim]:
    """Hold the sentences of the paper's sections 3.1 and 4 against the numbers."""
    edges, sharp = grid.effects["edges"], grid.effects["sharpness"]
    polarity = _said(averaged(edges["polarity"]))
    masks, switches = (_said(averaged(sharp[choice])) for choice in ("masks", "switches"))
    sharpened = averaged(sharp["masks"])
    before = difference(edges["polarity"], edges["switches"])
    order = difference(sharp["masks"], sharp["switches"])
    hybrid, deconvnet = grid.at(True, True, False), grid.at(True, False, True)
    crisper = difference(grid.values(hybrid, "sharpness"), grid.values(deconvnet, "sharpness"))
    found = [
        _need(grid),
        Claim(
            "for edges, polarity is more important than switches",
            judged(before),
            before,
            f"main effects {polarity} and {_said(averaged(edges['switches']))}, "
            f"apart by {_said(before)}",
        ),
        Claim(
            "masks sharpen",
            judged(sharpened),
            sharpened,
            f"main effect on sharpness {masks}",
        ),
        Claim(
            "masks come before switches for sharpness",
            judged(order),
            order,
            f"main effects {masks} and {switches}, apart by {_said(order)}",
        ),
        Claim(
            "masks and polarity without switches are crisper than DeConvNet",
            judged(crisper),
            crisper,
            f"sharpness higher by {_said(crisper)}",
        ),
    ]
    first = difference(sharp["polarity"], sharp["masks"])
    found.append(
        Claim(
            "polarity comes before masks for sharpness",
            judged(first),
            first,
            f"main effects {_said(averaged(sharp['polarity']))} and {masks}",
        )
    )
    if not grid.pools:
        found = [replace(c, verdict=_NO_POOL) if "switches" in c.text else c for c in found]
    return [*found, _normalization(grid)] if grid.derived else found


def _need(grid: Grid) -> Claim:
    """Judge the need: rectification helps, and without it less than half of the best is left."""
    effect = averaged(grid.effects["edges"]["polarity"])

    def best(polarity: bool) -> Reversal:
        of = [rule for rule in grid.plain if corner(rule)[0] is polarity]
        return max(of, key=lambda rule: averaged(grid.values(rule, "edges"))["mean"])

    without, rectified = (grid.values(best(polarity), "edges") for polarity in (False, True))
    less = difference(rectified, without, 1 / _NEEDED)
    verdict = judged(effect)
    if verdict == "confirmed" and sure(less) <= 0:
        verdict = "confirmed in part: it helps"
    return Claim(
        "edges need rectification",
        verdict,
        effect,
        f"main effect of polarity {_said(effect)}; the best without it has "
        f"{_said(averaged(without))}, the best with it {_said(averaged(rectified))}",
    )


def _normalization(grid: Grid) -> Claim:
    """Judge LRN: how far all eight move, as compared with what polarity does."""
    derived, plain = (
        [grid.values(rule, "edges") for rule in rules] for rules in (grid.derived, grid.plain)
    )
    moved: Values = [
        mean((a or 0.0) - (b or 0.0) for a, b in zip(ones, others, strict=True))
        for ones, others in zip(zip(*derived, strict=True), zip(*plain, strict=True), strict=True)
    ]
    polarity = [abs(v) if v is not None else None for v in grid.effects["edges"]["polarity"]]
    # Rule by rule, as changes of either sign would cancel.
    size: Values = [
        mean(abs((a or 0.0) - (b or 0.0)) for a, b in zip(ones, others, strict=True))
        for ones, others in zip(zip(*derived, strict=True), zip(*plain, strict=True), strict=True)
    ]
    minor = difference(polarity, size, 1 / _MINOR)
    cosines = zip(*(grid.values(rule, "likeness") for rule in grid.derived), strict=True)
    alike = averaged(_mean(of) for of in cosines)
    return Claim(
        "how LRN is reversed matters little",
        judged(minor),
        minor,
        f"its derivative changes edge correlations by {_said(averaged(moved))}, by "
        f"{_said(averaged(size))} a rule whatever the sign, and polarity by "
        f"{_said(averaged(polarity))}; signals of the two have a cosine of {_said(alike)}",
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if known else None


def verdict(claims: Mapping[str, Sequence[Claim]]) -> str:
    """Say all claims in sentences, layer by layer."""
    parts = []
    for layer, of in claims.items():
        said_ = "; ".join(f"{claim.text}: {claim.verdict} ({claim.figure})" for claim in of)
        parts.append(f"From {layer}: {said_}.")
    return " ".join(parts)


def tables(grid: Grid, claims: Sequence[Claim], verdict: str) -> tuple[Table, ...]:
    """Tabulate the eight, the main effects, and the claims."""
    rows = [
        (_called(rule), *(_said(averaged(grid.values(rule, what))) for what in COLUMNS))
        for rule in grid.rules
    ]
    effects = [
        (choice, *(_said(averaged(grid.effects[measure][choice])) for measure in MEASURES))
        for choice in CHOICES
    ]
    return (
        Table(
            f"architectures, from {grid.layer}",
            ("ReLU / pool / LRN", *COLUMNS.values()),
            tuple(rows),
            "Means over photographs with 95 % intervals; what each number is stands in "
            "phosphene.studies.edges.",
        ),
        Table(
            f"main effects, from {grid.layer}",
            ("choice", *MEASURES.values()),
            tuple(effects),
            "The mean of the four with it less the mean of the four without it, photograph by "
            "photograph; LRN as the identity.",
        ),
        Table(
            f"what the paper says, from {grid.layer}",
            ("claim", "difference", "verdict"),
            tuple((claim.text, _said(claim.difference), claim.verdict) for claim in claims),
            verdict,
        ),
    )


def plots(grid: Grid) -> tuple[Plot, ...]:
    """Draw the eight, and the main effects, as bars."""
    bars = []
    for switched in (True, False):
        rules = [rule for rule in grid.plain if corner(rule)[2] is switched]
        bars.append(
            _bars(
                "switches" if switched else "centre",
                {rule.relu: averaged(grid.values(rule, "edges")) for rule in rules},
            )
        )
    effects = [
        _bars(title, {choice: averaged(grid.effects[measure][choice]) for choice in CHOICES})
        for measure, title in MEASURES.items()
    ]
    return (
        Plot(f"edges shown, from {grid.layer}", tuple(bars), "", "edge correlation", "bars"),
        Plot(f"main effects, from {grid.layer}", tuple(effects), "", "difference", "bars"),
    )


def _bars(name: str, found: Mapping[str, Mapping[str, Any]]) -> Series:
    return line(name, found, found.values())


def _called(rule: Reversal) -> str:
    parts = f"{rule.relu} / {rule.pool} / {rule.lrn}"
    title = titled(rule.name.partition("+")[0])
    return f"{parts} ({title})" if title != rule.name.partition("+")[0] else parts


def _said(found: Mapping[str, Any]) -> str:
    return said(found, 2) or "unknown"
