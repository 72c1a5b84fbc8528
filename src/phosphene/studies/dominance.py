"""What similarities of signals say: is it the seed that decides the picture, or the bottleneck?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from phosphene.studies import tabulated
from phosphene.studies.ledger import Cell
from phosphene.studies.reversed_layers import titled
from phosphene.studies.setting import plural

ALIKE = 0.5
"""From which similarity on signals are called alike."""
CLASSES = "class scores"
"""What stands for a layer where seeds are classes."""
Row = dict[str, Any]
"""Of a layer and a rule: similarities, averaged over photographs."""


def mean_of(values: Mapping[str, float | None]) -> float | None:
    """Average the pairs that could be compared."""
    known = [value for value in values.values() if value is not None]
    return sum(known) / len(known) if known else None


def measured(layer: str, rule: str, cells: Sequence[Cell]) -> Row:
    """Average over photographs; what is compared is paired, photograph by photograph."""
    seeds = [mean_of(cell.values["seeds"][rule]) for cell in cells]
    photos = [mean_of(cell.values["photos"][rule]) for cell in cells]
    gaps = [None if a is None or b is None else a - b for a, b in zip(seeds, photos, strict=True)]
    return {
        "layer": layer,
        "rule": rule,
        "seeds": tabulated.averaged(seeds),
        "photos": tabulated.averaged(photos),
        "gap": tabulated.averaged(gaps),
        "signed": tabulated.averaged(cell.values["signed"][rule] for cell in cells),
        "each": seeds,
    }


def grade(row: Mapping[str, Any]) -> str:
    """Say what the numbers of a layer and rule mean, in a word or two.

    >>> gap = {"mean": 0.6, "interval": 0.1, "count": 9}
    >>> grade({"gap": gap, "seeds": {"mean": 0.9}}), grade({"gap": gap, "seeds": {"mean": 0.4}})
    ('bottleneck', 'both')
    """
    sign = tabulated.sure(row["gap"]) if row["gap"]["count"] else 0
    if sign > 0:
        return "bottleneck" if row["seeds"]["mean"] >= ALIKE else "both"
    return "seed" if sign < 0 else "cannot tell"


def verdicts_of(rows: Sequence[Row], noise: Mapping[str, Sequence[Cell]]) -> dict[str, str]:
    """Say what was found, claim by claim."""
    units = [row for row in rows if row["layer"] != CLASSES]
    classes = [row for row in rows if row["layer"] == CLASSES]
    found = {"units": _claim("The bottleneck decides what is seen, not the unit", units)}
    layers = list(dict.fromkeys(row["layer"] for row in units))
    if len(layers) > 1:
        found["depth"] = _deeper(units, layers[0], layers[-1])
    remedies = [row for row in classes if row["rule"] not in {unit["rule"] for unit in units}]
    if classes:
        own = [row for row in classes if row not in remedies]
        found["classes"] = _claim("The map is about what is there, not about the class", own)
    for row in remedies:
        found[f"classes, {row['rule']}"] = _remedy(row)
    if noise:
        found["noise"] = _free(noise, units)
    return found


def _claim(what: str, rows: Sequence[Row]) -> str:
    grades = [grade(row) for row in rows]
    dominated, both, seed = (grades.count(g) for g in ("bottleneck", "both", "seed"))
    of = len(grades)
    word = (
        "confirmed"
        if dominated == of
        else "contradicted"
        if seed and not dominated + both
        else "confirmed in part"
        if dominated
        else "cannot tell"
        if not both
        else "contradicted in part: both count"
    )
    least = min(
        (r for r in rows if r["gap"]["count"]), key=lambda r: r["gap"]["mean"], default=None
    )
    most = max((r for r in rows if r["gap"]["count"]), key=lambda r: r["gap"]["mean"], default=None)
    if least is None or most is None:
        return f"{what}: cannot tell. No two signals could be compared."
    return (
        f"{what}: {word}. In {dominated} of {plural(of, 'case')} (a layer and a rule) other seeds "
        f"through the same bottleneck give surely more alike signals than the same seed through "
        f"another, alike by {ALIKE:g} or more; least at {_case(least)}, most at {_case(most)}."
    )


def _case(row: Row) -> str:
    seeds, photos = (tabulated.said(row[what], 2) for what in ("seeds", "photos"))
    return f"{row['layer']} by {titled(row['rule'])} ({seeds} against {photos})"


def _deeper(units: Sequence[Row], first: str, last: str) -> str:
    by = {(row["layer"], row["rule"]): row for row in units}
    words, signs = [], []
    for rule in dict.fromkeys(row["rule"] for row in units):
        early, late = by[first, rule]["each"], by[last, rule]["each"]
        rise = tabulated.averaged(
            None if a is None or b is None else b - a for a, b in zip(early, late, strict=True)
        )
        signs.append(tabulated.sure(rise) if rise["count"] else 0)
        words.append(f"{titled(rule)} {tabulated.said(rise, 2) or 'unknown'}")
    up, down = signs.count(1), signs.count(-1)
    word = (
        "confirmed"
        if up == len(signs)
        else "contradicted"
        if down == len(signs)
        else ("confirmed in part" if up else "cannot tell" if not down else "contradicted in part")
    )
    return (
        f"Particularly for the deeper layers: {word}. From {first} to {last} the similarity of "
        f"different seeds' signals rises by {', '.join(words)}."
    )


def _free(noise: Mapping[str, Sequence[Cell]], units: Sequence[Row]) -> str:
    """Say whether images from noise tell seeds apart where signals do not, layer by layer."""
    what = "Activation maximisation from noise is free of it"
    images, begun, signals = (
        [tabulated.averaged(values)["mean"] for values in columns]
        for columns in (
            [[c.values["seeds"] for c in own] for own in noise.values()],
            [[c.values["start"] for c in own] for own in noise.values()],
            [[r["seeds"]["mean"] for r in units if r["layer"] == layer] for layer in noise],
        )
    )
    alike, start, sent = map(tabulated.averaged, (images, begun, signals))
    less = tabulated.averaged(
        None if a is None or b is None else b - a for a, b in zip(images, signals, strict=True)
    )
    if not alike["count"] or not sent["count"]:
        return f"{what}: cannot tell. There are no two units that photographs excite."
    if alike["mean"] < ALIKE and sent["mean"] < ALIKE:
        word = "cannot tell, as signals differ as well"
    elif alike["mean"] < ALIKE:
        few = "" if less["count"] >= tabulated.FEWEST_SPREAD else ", of so few layers"
        word = "confirmed" if tabulated.sure(less) > 0 else f"cannot tell for sure{few}"
    elif start["mean"] >= ALIKE:
        word = "cannot tell: the images have not left the noise they began with; give more --steps"
    elif alike["mean"] < sent["mean"]:
        # They share the fall-off from the middle of the field, too.
        word = "cannot tell: the images are less alike than signals, and yet alike"
    else:
        word = "contradicted"
    return (
        f"{what}: {word}. Images of different seeds that begin with the same noise have a "
        f"similarity of {alike['mean']:.2f} ({plural(alike['count'], 'layer')}; with what they "
        f"were after one step {start['mean']:.2f}), signals {sent['mean']:.2f}."
    )


_TOLD = {
    "bottleneck": "no: it shows what is there",
    "both": "in part: what is there counts for more",
    "seed": "yes",
    "cannot tell": "as much as what is there, or it cannot be told",
}


def _remedy(row: Row) -> str:
    """Say whether a later method tells classes apart."""
    if not row["gap"]["count"]:
        return f"Does {row['rule']} tell classes apart? Cannot tell: its maps are zero everywhere."
    return (
        f"Does {row['rule']} tell classes apart? {_TOLD[grade(row)].capitalize()}. Its maps of "
        f"other classes have a similarity of {tabulated.said(row['seeds'], 2)}, those of the same "
        f"class on other photographs {tabulated.said(row['photos'], 2)}."
    )
