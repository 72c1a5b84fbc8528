"""What shares of energy say: which reversed networks are selective for the object?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from phosphene.studies import tabulated
from phosphene.studies.ledger import Cell
from phosphene.studies.reversed_layers import titled

AGAINST = {
    "the field": "over_field",
    "a blob": "over_blob",
    "other photographs' signals": "over_others",
}
"""What the energy on the object is compared with, and the name of the gain."""
DECONVNET = "deconvnet"
NEAR = 0.05
"""Shares that differ by no more are the same."""
Numbers = Mapping[str, Any]


def gains() -> tuple[str, ...]:
    """Name the columns of gains."""
    return tuple(f"gain over {what}" for what in AGAINST)


def measured(rows: Sequence[Numbers], cells: Sequence[Cell]) -> dict[str, Any]:
    """Average the shares of a start and rule over photographs, and what they gain, paired.

    Args:
        rows: Of every photograph `inside`, `field`, and `spread`, its energy on a grid.
        cells: Of every photograph `blob`, and `object`, its object on the grid.
    """
    inside = [row["inside"] for row in rows]
    blobs = [cell.values["blob"] for cell in cells]
    fields = [row["field"] for row in rows]
    over = matched([row["spread"] for row in rows], [cell.values["object"] for cell in cells])
    return {
        "inside": tabulated.averaged(inside),
        "field": tabulated.averaged(fields),
        "over_field": tabulated.averaged(_less(inside, fields)),
        "over_blob": tabulated.averaged(_less(inside, blobs)),
        "over_others": tabulated.averaged(over),
        "each": inside,
        "matched": over,
    }


def matched(
    spreads: Sequence[Sequence[float]], objects: Sequence[Sequence[float]]
) -> list[float | None]:
    """Say how much better signals fit their own object than those of other photographs.

    With `S_ij` the share of signal i on object j, `M` the mean of all with i != j, and `M_i.` and
    `M_.i` those of its row and its column,

        d_i = S_ii - M - (n - 1) / (n - 2) (M_i. + M_.i - 2 M)

    What is taken off is the share to be expected of a signal that reaches as far, on an object as
    large: the effects of rows and columns in a round-robin design (Warner, Kenny and Stoto, "A new
    round robin analysis of variance for social interaction data", 1979). The mean of d is that of
    own shares less that of others'.

    Args:
        spreads: Of every photograph the signal's energy by cells of a grid; all 0 for none.
        objects: How much of each cell is object.

    Returns:
        d of every photograph; `None` for one without a signal, and of fewer than three.
    """
    alive = [i for i, spread in enumerate(spreads) if np.sum(spread) > 0]
    found: list[float | None] = [None] * len(spreads)
    if len(alive) < 3:
        return found
    energy = np.array([spreads[i] for i in alive])
    shares = (energy / energy.sum(1, keepdims=True)) @ np.array([objects[i] for i in alive]).T
    count = len(alive)
    own = np.diag(shares)
    mean = (shares.sum() - own.sum()) / (count * (count - 1))
    rows, columns = ((shares.sum(axis) - own) / (count - 1) for axis in (1, 0))
    apart = own - mean - (count - 1) / (count - 2) * (rows + columns - 2 * mean)
    for place, value in zip(alive, apart, strict=True):
        found[place] = float(value)
    return found


def _less(ones: Sequence[float | None], others: Sequence[float | None]) -> list[float | None]:
    return [None if a is None or b is None else a - b for a, b in zip(ones, others, strict=True)]


def verdicts_of(
    found: Mapping[tuple[str, str], Numbers],
    starts: Sequence[str],
    rules: Sequence[str],
    predicted: str,
    another: str,
) -> dict[str, str]:
    """Say what was found, claim by claim."""
    verdicts = {}
    masked = [rule for rule in rules if rule != DECONVNET]
    for start in starts:
        if start == another:
            continue
        for rule in masked:
            verdicts[f"{titled(rule)}, {start}"] = _selective(found[start, rule], rule, start)
        if DECONVNET in rules:
            verdicts[f"DeConvNet, {start}"] = _lacks(found, start, masked)
    if predicted in starts and another in starts:
        for rule in masked:
            ones, others = found[predicted, rule]["each"], found[another, rule]["each"]
            verdicts[f"{titled(rule)}, whatever the class"] = _whatever(
                tabulated.averaged(_less(ones, others)), found[another, rule]
            )
    return verdicts


def _sign(row: Numbers) -> int:
    return tabulated.sure(row["over_others"]) if row["over_others"]["count"] else 0


def _gain(row: Numbers) -> str:
    return f"{tabulated.said(row['over_others'], 1, 100) or 'unknown'} % points"


def _named(start: str) -> str:
    return f"the {start}" if " " in start else start  # a class, and not a layer


def _selective(row: Numbers, rule: str, start: str) -> str:
    word = ("cannot tell", "confirmed", "contradicted")[_sign(row)]
    if row["over_others"]["count"] < tabulated.FEWEST_SPREAD:
        word = "cannot tell (3 photographs with masks are needed)"
    return (
        f"{titled(rule)} is selective for the object: {word}. From {_named(start)} "
        f"{tabulated.said(row['inside'], 1, 100) or 'none'} % of its energy lie on the object, "
        f"{_gain(row)} more than of other photographs' signals and "
        f"{tabulated.said(row['over_field'], 1, 100) or 'unknown'} more than of its field."
    )


def _lacks(found: Mapping[tuple[str, str], Numbers], start: str, masked: Sequence[str]) -> str:
    """Say whether DeConvNet has less on the object than those that know the masks."""
    row = found[start, DECONVNET]
    behind, ahead = [], []
    for rule in masked:
        less = tabulated.averaged(_less(found[start, rule]["each"], row["each"]))
        said = f"{tabulated.said(less, 1, 100) or 'unknown'} % points less than {titled(rule)}"
        behind.append(said)
        better = tabulated.averaged(_less(found[start, rule]["matched"], row["matched"]))
        if better["count"] and tabulated.sure(better) > 0 and _sign(found[start, rule]) > 0:
            ahead.append(titled(rule))
    sign = _sign(row)
    others = [titled(rule) for rule in masked if _sign(found[start, rule]) > 0]
    empty = sum(share is None for share in row["each"])
    zero = f" It is zero everywhere on {empty} of {len(row['each'])} photographs." if empty else ""
    count = row["over_others"]["count"]
    if count < 3:
        word = "cannot tell (3 photographs with masks are needed)"
    elif sign <= 0 and not others:
        word = "cannot tell, as no other rule is selective either"
    elif sign <= 0 and not ahead:
        word = f"cannot tell: {' and '.join(others)} is selective, and not surely more so"
    elif sign <= 0 and len(ahead) == len(masked):
        word = "confirmed"
    elif sign <= 0:
        word = f"confirmed in part: {' and '.join(ahead)} is selective, and surely more so"
    elif ahead and len(ahead) == len(masked):
        word = "confirmed in part: it is selective, and surely less so"
    else:
        word = "contradicted"
    return (
        f"DeConvNet lacks selectivity for the object: {word}. From {_named(start)} "
        f"{tabulated.said(row['inside'], 1, 100) or 'none'} % of its energy lie on the object, "
        f"{_gain(row)} more than of other photographs' signals, and "
        f"{', '.join(behind)}.{zero}"
    )


def _whatever(less: Numbers, other: Numbers) -> str:
    """Say whether the predicted class has more on the object than another."""
    what = "How much lies on the object does not depend on the class"
    if less["count"] < tabulated.FEWEST_SPREAD:
        return f"{what}: cannot tell (3 photographs with masks are needed)."
    low, high = less["mean"] - less["interval"], less["mean"] + less["interval"]
    if -NEAR <= low and high <= NEAR:
        word = "confirmed"
    elif low > NEAR or high < -NEAR:
        word = "contradicted"
    else:
        word = "cannot tell"
    return (
        f"{what}: {word}. The predicted class has {tabulated.said(less, 1, 100)} % points more "
        f"than another (the same: {100 * NEAR:g} or less); of that other class's signal "
        f"{tabulated.said(other['inside'], 1, 100)} % lie on the object."
    )
