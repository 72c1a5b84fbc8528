"""What the reach of signals says: do they fill their field, and is it the architecture?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from phosphene.studies import tabulated
from phosphene.studies.reversed_layers import titled
from phosphene.studies.setting import percent, plural
from phosphene.studies.tabulated import FEWEST_SPREAD

SHARES = {
    "filled": (
        "support: side of the box of all that is above 0, % of the field's",
        "Of squares of the same area. The field is that of theory, as far as it is in the image.",
    ),
    "share": (
        "effective side: square with 95 % of the energy, % of the field's",
        "Around the middle of the field; the energy is the sum of squares.",
    ),
    "sigma_share": (
        "fall-off: sigma of the Gaussian that fits best, % of the field's side",
        "Fitted to the logarithm of the mean magnitude over square rings.",
    ),
    "explained": (
        "how well that Gaussian fits: explained variance, %",
        "Of the logarithm.",
    ),
}
"""Numbers by name: title and note of their tables."""
FILLED, NEAR = 0.9, 0.2
"""From which share of its side on a field is filled, and how near to 1 a ratio means the same."""
Numbers = Mapping[str, Any]


def shares_of(rows: Sequence[Numbers], theory: float) -> dict[str, Any]:
    """Average what was measured over photographs, and put their supports together.

    Args:
        rows: What was measured, a mapping for each photograph.
        theory: Side of the field, pixels.
    """
    found: dict[str, Any] = {what: tabulated.averaged(row[what] for row in rows) for what in SHARES}
    sides = [row["side"] for row in rows]
    found["side"] = tabulated.averaged(sides)
    found["sides"] = sides
    outside = [row["outside"] for row in rows if row["outside"] is not None]
    found["outside"] = max(outside, default=None)
    known = [row["extent"] for row in rows if row["extent"] is not None]
    found["together"] = _together(known) / theory if known else None
    found["empty"] = len(rows) - len(known)
    return found


def _together(extents: Sequence[Sequence[int]]) -> float:
    """Return the side of the square as large as the box that holds all boxes."""
    tops, lefts, heights, widths = zip(*extents, strict=True)
    height = max(t + h for t, h in zip(tops, heights, strict=True)) - min(tops)
    width = max(a + b for a, b in zip(lefts, widths, strict=True)) - min(lefts)
    return math.sqrt(height * width)


def ratios(
    shares: Mapping[tuple[str, str], Numbers], layers: Sequence[str], one: str, other: str
) -> dict[str, Any]:
    """Average the ratio of two conditions' effective sides: over layers, then over photographs."""
    found = []
    for number in range(len(shares[layers[0], one]["sides"])):
        pairs = [[shares[n, c]["sides"][number] for c in (one, other)] for n in layers]
        own = [a / b for a, b in pairs if a and b]
        if own:
            found.append(sum(own) / len(own))
    return tabulated.averaged(found)


def verdicts_of(
    shares: Mapping[tuple[str, str], Numbers],
    layers: Sequence[str],
    rules: Sequence[str],
    plain: str,
    random: str,
) -> dict[str, str]:
    """Say what was found, claim by claim."""
    verdicts = {"finite": _finite(shares)}
    for rule in rules:
        verdicts[f"weakened, {titled(rule)}"] = _weakened(shares, layers, rule)
    verdicts["weights"] = _same(
        "The fall-off does not depend on the weights",
        ratios(shares, layers, random, plain),
        "random weights",
        "those of the trained ones",
    )
    for rule in rules:
        verdicts[f"data, {titled(rule)}"] = _same(
            "The fall-off does not depend on the photograph",
            ratios(shares, layers, rule, plain),
            titled(rule),
            "those without a bottleneck",
        )
    return verdicts


def _finite(shares: Mapping[tuple[str, str], Numbers]) -> str:
    outside = [found["outside"] for found in shares.values() if found["outside"] is not None]
    if not outside:
        return "No signal leaves the field of its unit: cannot tell. All are zero everywhere."
    word = "confirmed" if max(outside) <= 1e-9 else "contradicted"
    return (
        f"No signal leaves the field of its unit: {word}. At most {100 * max(outside):.2g} % of "
        "a signal's energy lies outside."
    )


def _weakened(shares: Mapping[tuple[str, str], Numbers], layers: Sequence[str], rule: str) -> str:
    """Compare support and effective side with the field, layer by layer."""
    known = [n for n in layers if shares[n, rule]["share"]["count"]]
    what = "The field is larger than it looks, its sides weakened and not discarded"
    if not known:
        return f"{what}: cannot tell. The signals are zero everywhere."
    full = [n for n in known if shares[n, rule]["together"] >= FILLED]
    signs = {name: _less(shares[name, rule]["share"]) for name in known}
    small = [name for name, sign in signs.items() if sign > 0]
    yes = [name for name in small if name in full]
    # Of one or two photographs a pool's switches need not reach the sides.
    many = {name for name in known if shares[name, rule]["share"]["count"] >= FEWEST_SPREAD}
    no = [name for name in known if signs[name] < 0 or (name not in full and name in many)]
    word = (
        "confirmed"
        if len(yes) == len(known)
        else "confirmed in part"
        if yes
        else "contradicted"
        if len(no) == len(known)
        else "cannot tell"
    )
    last = shares[known[-1], rule]["share"]
    return (
        f"{what}: {word}. All photographs' signals together fill {percent(FILLED)} of the field's "
        f"side or more at {len(full)} of {plural(len(known), 'layer')}; 95 % of a signal's energy "
        f"lies in surely less than {percent(FILLED)} of it at {len(small)} (at {known[-1]} in "
        f"{tabulated.said(last, 0, 100)} %)."
    )


def _less(share: Numbers) -> int:
    """Say whether a share is surely less than that of a field that is filled (1), or more (-1)."""
    if share["count"] < FEWEST_SPREAD:
        return 0
    if share["mean"] + share["interval"] < FILLED:
        return 1
    return -1 if share["mean"] - share["interval"] > FILLED else 0


def _same(what: str, ratio: Numbers, one: str, other: str) -> str:
    if not ratio["count"]:
        return f"{what}: cannot tell. There is nothing to compare."
    low, high = ratio["mean"] - ratio["interval"], ratio["mean"] + ratio["interval"]
    if ratio["count"] < FEWEST_SPREAD:
        word = "cannot tell"
    elif low >= 1 - NEAR and high <= 1 + NEAR:
        word = "confirmed"
    elif high < 1 - NEAR or low > 1 + NEAR:
        word = "contradicted"
    else:
        word = "cannot tell"
    return (
        f"{what}: {word}. Effective sides of {one} are {tabulated.said(ratio, 2)} times {other} "
        f"(the same: {1 - NEAR:g} to {1 + NEAR:g})."
    )
