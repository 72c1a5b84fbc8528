r"""Main effects: what each of several two-way choices does, the others averaged over.

Of 2^k numbers, one for every combination of k choices, the *main effect* of a choice is the mean of
those with it less the mean of those without it. Each photograph gives its own, so that effects are
compared photograph by photograph, and averaged with their 95 % interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from statistics import mean
from typing import Any

from phosphene.studies.tabulated import averaged, sure

Corner = tuple[bool, ...]
"""One combination: for every choice whether it is made."""


def main_effects(
    values: Mapping[Corner, float | None], choices: Sequence[str]
) -> dict[str, float | None]:
    """Return the main effect of every choice.

    Args:
        values: A number for each of the 2^k combinations.
        choices: What to call them, in the order of the corners.

    Returns:
        By choice; `None` for all where one of the numbers is not known, as the others would then
        be no fair comparison.

    Raises:
        ValueError: A combination is missing.

    >>> main_effects({(False,): 1.0, (True,): 3.0}, ["masks"])
    {'masks': 2.0}
    """
    corners = list(product((False, True), repeat=len(choices)))
    if set(corners) != set(values):
        raise ValueError(f"{len(corners)} combinations are needed, and {len(values)} were given")
    known = {corner: value for corner, value in values.items() if value is not None}
    if len(known) < len(corners):
        return dict.fromkeys(choices)
    return {
        choice: mean(known[corner] for corner in corners if corner[place])
        - mean(known[corner] for corner in corners if not corner[place])
        for place, choice in enumerate(choices)
    }


def difference(
    one: Sequence[float | None], other: Sequence[float | None], times: float = 1.0
) -> dict[str, Any]:
    """Compare two numbers photograph by photograph: the mean of `one - times * other`.

    >>> difference([3.0, None], [1.0, 5.0])
    {'mean': 2.0, 'interval': 0.0, 'count': 1}
    """
    pairs = zip(one, other, strict=True)
    return averaged(None if a is None or b is None else a - times * b for a, b in pairs)


def judged(found: Mapping[str, Any]) -> str:
    """Say whether the mean of a difference that a paper says is positive is so.

    Returns:
        `confirmed` or `contradicted` where its 95 % interval leaves out 0, else `cannot tell`.

    >>> judged({"mean": 0.2, "interval": 0.1, "count": 9})
    'confirmed'
    """
    sign = sure(found) if found["count"] else 0
    return ("cannot tell", "confirmed", "contradicted")[sign]
