"""What errors of informed inverses say: which of masks and switches know more, and how sure.

Of two inverses, the relative difference is that of their errors, `1 - E / E'`, squared (the loss,
equation 7.10 of the thesis) and under the root. Whether one errs less is judged by photographs: the
mean over those held out of the difference of their relative squared errors, each averaged over the
seeds that held it out, has to leave out 0 with its 95 % interval, and every seed has to agree, of
two or more: one training each says nothing of another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import mean, stdev
from typing import Any

from phosphene.inverse.settings import TOLD
from phosphene.panel import Plot, Series, Table
from phosphene.studies import tabulated
from phosphene.studies.setting import percent

PAPER = {
    ("both", "switches"): 0.15,
    ("both", "masks"): 0.46,
    ("switches", "masks"): 0.36,
}
"""By how much the first errs less than the second, by the papers."""
Values = Mapping[tuple[str, int], Mapping[str, Any]]
"""What was found by what was told and seed."""


@dataclass(frozen=True)
class Judged:
    """What the errors come to.

    Attributes:
        errors: For each of `TOLD`: mean and standard deviation over seeds.
        differences: For each pair: relative differences, which errs less (1 the first, -1 the
            second, 0 if that is not sure), and the papers' figure.
        verdict: In words.
    """

    errors: list[dict[str, Any]]
    differences: list[dict[str, Any]]
    verdict: str


def judged(values: Values) -> Judged:
    """Compare inverses; see the module."""
    seeds = sorted({seed for _, seed in values})
    errors = []
    for told in TOLD:
        own = [values[told, seed] for seed in seeds]
        row: dict[str, Any] = {"told": told}
        for what in ("squared", "root", "untrained"):
            numbers = [value[what] for value in own]
            row[what] = mean(numbers)
            row[f"{what}_deviation"] = stdev(numbers) if len(numbers) > 1 else None
        row["learned"] = mean(value["losses"][-1] for value in own)
        errors.append(row)
    differences = [_difference(values, seeds, a, b) for a, b in combinations(_RANKED, 2)]
    return Judged(errors, differences, _verdict(differences))


# From the most informed to the least, as the papers rank them.
_RANKED = ("both", "switches", "masks", "neither")


def _difference(values: Values, seeds: Sequence[int], one: str, other: str) -> dict[str, Any]:
    squared = [1 - values[one, s]["squared"] / values[other, s]["squared"] for s in seeds]
    root = [1 - values[one, s]["root"] / values[other, s]["root"] for s in seeds]
    apart: dict[str, list[float]] = {}
    for seed in seeds:
        first, second = values[one, seed], values[other, seed]
        for name, energy, a, b in zip(
            first["photographs"],
            first["energies"],
            first["errors"],
            second["errors"],
            strict=True,
        ):
            apart.setdefault(name, []).append((b - a) / max(energy, 1e-12))
    by_photograph = tabulated.averaged(mean(found) for found in apart.values())
    sign = tabulated.sure(by_photograph)
    agreed = all(found * sign > 0 for found in squared)
    return {
        "less": one,
        "more": other,
        "squared": mean(squared),
        "squared_deviation": stdev(squared) if len(seeds) > 1 else None,
        "root": mean(root),
        "root_deviation": stdev(root) if len(seeds) > 1 else None,
        "paper": PAPER.get((one, other)),
        "sign": sign if agreed and len(seeds) > 1 else 0,
        "by_photograph": by_photograph,
    }


def _verdict(differences: Sequence[Mapping[str, Any]]) -> str:
    told = [d for d in differences if d["paper"] is not None]
    figures = "; ".join(
        f"told {d['less']}, the squared error is {_less(d['squared'])} than told {d['more']} "
        f"(paper: {percent(d['paper'])} lower)"
        for d in told
    )
    against = [d for d in told if d["sign"] < 0]
    unsure = [d for d in told if d["sign"] == 0]
    if against:
        wrong = " and ".join(f"{d['more']} tell more than {d['less']}" for d in against)
        begin = f"The papers' order (masks < switches < both) is contradicted: {wrong}"
    elif unsure:
        pairs = ", ".join(f"{d['less']} and {d['more']}" for d in unsure)
        begin = "Whether the papers' order (masks < switches < both) holds cannot be told: "
        begin += f"{pairs} are not surely apart"
    else:
        begin = "The papers' order (masks < switches < both) is confirmed"
    nothing = [d for d in differences if d["more"] == "neither"]
    helps = [d["less"] for d in nothing if d["sign"] > 0]
    besides = f"Better than told nothing: {', '.join(helps) or 'none for sure'}"
    return f"{begin}; {figures}. {besides}."


def _less(share: float) -> str:
    return f"{percent(abs(share))} {'lower' if share >= 0 else 'higher'}"


def tables(values: Values, found: Judged) -> tuple[Table, ...]:
    """Tabulate errors and relative differences."""
    errors = [
        (
            row["told"],
            _spread(row, "squared", 3),
            _spread(row, "root", 3),
            round(row["learned"], 3),
            _spread(row, "untrained", 2),
        )
        for row in found.errors
    ]
    differences = [
        (
            f"{d['less']} below {d['more']}",
            _spread(d, "squared", 1, 100),
            _spread(d, "root", 1, 100),
            None if d["paper"] is None else round(100 * d["paper"]),
            {1: "yes", 0: "not sure", -1: "no, above"}[d["sign"]],
        )
        for d in found.differences
    ]
    count = len({seed for _, seed in values})
    held = len({name for value in values.values() for name in value["photographs"]})
    return (
        Table(
            "relative differences of errors, %",
            ("told", "squared error", "error", "papers", "lower?"),
            tuple(differences),
            found.verdict,
        ),
        Table(
            "relative errors on photographs held out",
            ("told", "squared", "root", "squared, of what was learned from", "before learning"),
            tuple(errors),
            "||x^ - x||^2 / ||x||^2 of mean-subtracted RGB; 1 is the mean colour. Mean and "
            f"standard deviation of {count} seeds; {held} photographs were held out at least once.",
        ),
    )


def plots(values: Values) -> tuple[Plot, ...]:
    """Draw the errors, and how they fell."""
    seeds = sorted({seed for _, seed in values})
    errors = [[values[told, seed]["squared"] for seed in seeds] for told in TOLD]
    bars = tuple(stdev(own) if len(own) > 1 else 0.0 for own in errors)
    series = []
    for told in TOLD:
        losses = [values[told, seed]["losses"] for seed in seeds]
        heights = tuple(mean(own) for own in zip(*losses, strict=True))
        shares = tuple(100 * (n + 1) / len(heights) for n in range(len(heights)))
        series.append(Series(told, shares, heights))
    return (
        Plot(
            "error on photographs held out",
            (Series("", TOLD, tuple(map(mean, errors)), bars),),
            "told",
            "relative squared error",
            "bars",
        ),
        Plot("error while learning", tuple(series), "% of the updates", "relative squared error"),
    )


def _spread(row: Mapping[str, Any], what: str, digits: int, times: float = 1.0) -> str:
    middle, deviation = row[what], row[f"{what}_deviation"]
    text = f"{times * middle:.{digits}f}"
    return text if deviation is None else f"{text} ± {times * deviation:.{digits}f}"
