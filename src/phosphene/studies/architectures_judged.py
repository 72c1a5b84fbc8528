"""What the eight architectures' numbers say: tables, main effects, and the paper's claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import mean
from typing import Any

from phosphene.core.rules import Reversal
from phosphene.panel import Plot, Series, Table
from phosphene.studies.factorial import Corner, difference, judged, main_effects
from phosphene.studies.reversed_layers import titled
from phosphene.studies.tabulated import averaged, said, sure

CHOICES = ("polarity", "masks", "switches")
MEASURES = {"edges": "edge correlation", "sign": "agreement of signs", "sharpness": "sharpness"}
"""What effects are given of, and what to call it."""
_COLUMNS = {**MEASURES, "chance": "edges by chance", "plain": "plain edge correlation"}
_NEEDED = 0.5
_MINOR = 0.5

Values = list[float | None]


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


@dataclass(frozen=True)
class Grid:
    """The numbers of one layer.

    Attributes:
        layer: Its name.
        rules: Those of LRN's identity first, then those of its derivative, if any.
        photos: What was measured of each photograph.
    """

    layer: str
    rules: tuple[Reversal, ...]
    photos: Sequence[Mapping[str, Any]]

    def values(self, rule: Reversal, measure: str) -> Values:
        """Return a measure by photograph."""
        return [photo["rules"][str(rule)][measure] for photo in self.photos]

    @property
    def plain(self) -> tuple[Reversal, ...]:
        """The eight of LRN's identity."""
        return tuple(rule for rule in self.rules if rule.lrn == "identity")

    @property
    def derived(self) -> tuple[Reversal, ...]:
        """The eight of LRN's derivative; none where the network has no LRN."""
        return tuple(rule for rule in self.rules if rule.lrn == "backprop")

    @cached_property
    def effects(self) -> dict[str, dict[str, Values]]:
        """Main effects by measure and choice, photograph by photograph; LRN's identity."""
        return {measure: self._effects(measure) for measure in MEASURES}

    def _effects(self, measure: str) -> dict[str, Values]:
        columns = {corner(rule): self.values(rule, measure) for rule in self.plain}
        each = [
            main_effects({at: column[i] for at, column in columns.items()}, CHOICES)
            for i in range(len(self.photos))
        ]
        return {choice: [effects[choice] for effects in each] for choice in CHOICES}

    def at(self, polarity: bool, masks: bool, switches: bool) -> Reversal:
        """Return the architecture of some choices."""
        return next(rule for rule in self.plain if corner(rule) == (polarity, masks, switches))

    def as_data(self) -> dict[str, Any]:
        """Return all numbers, averaged."""
        return {
            "layer": self.layer,
            "rules": [
                {
                    "rule": str(rule),
                    "lrn": rule.lrn,
                    **dict(zip(CHOICES, corner(rule), strict=True)),
                    **{what: averaged(self.values(rule, what)) for what in _COLUMNS},
                }
                for rule in self.rules
            ],
            "effects": {
                measure: {choice: averaged(values) for choice, values in by.items()}
                for measure, by in self.effects.items()
            },
        }


def corner(rule: Reversal) -> Corner:
    """Say which of `CHOICES` a rule makes.

    >>> corner(Reversal("rectify", "centre"))
    (True, False, False)
    """
    return "rectify" in rule.relu, "mask" in rule.relu, rule.pool == "switches"


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
    size: Values = [abs(v) if v is not None else None for v in moved]
    minor = difference(polarity, size, 1 / _MINOR)
    cosines = zip(*(grid.values(rule, "likeness") for rule in grid.derived), strict=True)
    alike = averaged(_mean(of) for of in cosines)
    return Claim(
        "how LRN is reversed matters little",
        judged(minor),
        minor,
        f"its derivative changes edge correlations by {_said(averaged(moved))}, by "
        f"{_said(averaged(size))} whatever the sign, and polarity by {_said(averaged(polarity))}; "
        f"signals of the two have a cosine of {_said(alike)}",
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
        (_called(rule), *(_said(averaged(grid.values(rule, what))) for what in _COLUMNS))
        for rule in grid.rules
    ]
    effects = [
        (choice, *(_said(averaged(grid.effects[measure][choice])) for measure in MEASURES))
        for choice in CHOICES
    ]
    return (
        Table(
            f"architectures, from {grid.layer}",
            ("ReLU / pool / LRN", *_COLUMNS.values()),
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
    return Series(
        name,
        tuple(found),
        tuple(float("nan") if v["mean"] is None else v["mean"] for v in found.values()),
        tuple(v["interval"] or 0.0 for v in found.values()),
    )


def _called(rule: Reversal) -> str:
    parts = f"{rule.relu} / {rule.pool} / {rule.lrn}"
    title = titled(rule.name.partition("+")[0])
    return f"{parts} ({title})" if title != rule.name.partition("+")[0] else parts


def _said(found: Mapping[str, Any]) -> str:
    return said(found, 2) or "unknown"
