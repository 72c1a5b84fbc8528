"""What maps of networks that learned other labels say: do maps depend on the labels?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from phosphene.panel import Plot, Table
from phosphene.studies import tabulated
from phosphene.studies.cascade_judged import grade
from phosphene.studies.ledger import Cell

PERMUTED, AGAIN, OTHER = "permuted labels", "true labels again", "other photograph"
_TITLES = {"rank": "magnitude", "signed": "with its sign", "ssim": "SSIM"}


def measured(cells: Sequence[Cell], methods: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Average over photographs.

    Returns:
        By method: of what it is compared with the measures; and by measure, paired, `over_other`,
        of permuted labels over the other photograph, and `labels`, of true labels over permuted
        ones (where there is such a network).
    """
    found: dict[str, dict[str, Any]] = {}
    for name in methods:
        own = [cell.values["methods"][name] for cell in cells]
        found[name] = {
            what: {m: tabulated.averaged(o[what][m] for o in own) for m in _TITLES}
            for what in own[0]
        }
        pairs = {"over_other": (PERMUTED, OTHER)}
        if AGAIN in own[0]:
            pairs["labels"] = (AGAIN, PERMUTED)
        for title, (one, less) in pairs.items():
            found[name][title] = {
                m: tabulated.averaged(
                    None if o[one][m] is None or o[less][m] is None else o[one][m] - o[less][m]
                    for o in own
                )
                for m in _TITLES
            }
    return found


def verdict(own: Mapping[str, Any]) -> str:
    """Say whether a map depends on the labels, by the rank correlation of magnitudes."""
    permuted, other = own[PERMUTED]["rank"], own[OTHER]["rank"]
    over = own["over_other"]["rank"]
    if not over["count"]:
        return "Cannot tell: the map is zero everywhere."
    kept = {
        "yes": "as little as maps of different photographs",
        "in part": "surely more than maps of different photographs",
        "hardly": "nearly as if nothing had been permuted",
        "cannot tell": "which these photographs cannot place between their own and others'",
    }[grade(over, other)]
    said = (
        f"Alike to that of permuted labels by {tabulated.said(permuted, 2)}, {kept} "
        f"({tabulated.said(other, 2)})."
    )
    if "labels" not in own:
        return said
    gain = own["labels"]["rank"]
    if gain["count"] < tabulated.FEWEST_SPREAD:
        return f"Depends on the labels: cannot tell. {said}"
    word = {1: "yes", 0: "not surely", -1: "no"}[tabulated.sure(gain)]
    return (
        f"Depends on the labels: {word}: to that of true labels, learned again, it is more alike "
        f"by {tabulated.said(gain, 2)}. {said}"
    )


def tables(
    found: Mapping[str, Mapping[str, Any]], verdicts: Mapping[str, str]
) -> tuple[Table, ...]:
    """Tabulate similarities by what the network is compared with, and the verdicts."""
    first = next(iter(found.values()))
    whats = [what for what in (AGAIN, PERMUTED, OTHER) if what in first]
    made = []
    for measure, title in _TITLES.items():
        rows = []
        for name, own in found.items():
            gain = (tabulated.said(own["labels"][measure], 2),) if "labels" in own else ()
            rows.append((name, *(tabulated.said(own[w][measure], 2) for w in whats), *gain))
        what = "structural similarity" if measure == "ssim" else f"rank correlation, {title}"
        heads = ("method", *whats, *(("due to labels",) if "labels" in first else ()))
        note = (
            "Similarity of the network's own map to that of a network trained on these labels, and "
            "to its own of another photograph; means with 95 % intervals over photographs. Due to "
            "labels: the first column less the second, paired."
        )
        made.append(Table(f"{what}, with the network's map", heads, tuple(rows), note))
    return (*made, Table("verdict", ("method", "what is found"), tuple(verdicts.items())))


def plots(found: Mapping[str, Mapping[str, Any]]) -> tuple[Plot, ...]:
    """Draw bars for every method."""
    series = []
    for what in (AGAIN, PERMUTED, OTHER):
        known = [own[what]["rank"] for own in found.values() if what in own]
        if known:
            series.append(tabulated.line(what, found, known))
    title = "rank correlation with the network's map"
    return (Plot(title, tuple(series), "method", "rank correlation", kind="bars"),)
