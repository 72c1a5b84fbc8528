"""What infidelity and sensitivity say of methods, against maps drawn by chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from phosphene.panel import Plot, Table
from phosphene.studies import tabulated
from phosphene.studies.ledger import Cell
from phosphene.studies.setting import plural

RANDOM, SIGNED_RANDOM = "random map", "random signal"
CHANCES = (RANDOM, SIGNED_RANDOM)
"""Drawn by chance: of maps without sign, and of signals with it."""


def measured(cells: Sequence[Cell]) -> dict[str, dict[str, Any]]:
    """Average over photographs; `over_random` is paired, with the random map's."""
    found: dict[str, dict[str, Any]] = {}
    names = dict.fromkeys(
        name
        for cell in cells
        for part in ("infidelity", "sensitivity")
        for name in cell.values[part]
    )
    for name in names:
        own: dict[str, Any] = {}
        if all(name in cell.values["infidelity"] for cell in cells):
            each = [cell.values["infidelity"] for cell in cells]
            # Under noise there are no maps without sign, and so no random one.
            chance = RANDOM if RANDOM in each[0] else SIGNED_RANDOM
            own["relative"] = tabulated.averaged(e[name]["relative"] for e in each)
            own["over_random"] = tabulated.averaged(
                None
                if e[name]["relative"] is None or e[chance]["relative"] is None
                else e[name]["relative"] - e[chance]["relative"]
                for e in each
            )
        if all(name in cell.values["sensitivity"] for cell in cells):
            own["sensitivity"] = tabulated.averaged(
                cell.values["sensitivity"][name]["max"] for cell in cells
            )
            own["times"] = tabulated.averaged(
                cell.values["sensitivity"][name]["times"] for cell in cells
            )
        found[name] = own
    return found


def verdict(own: Mapping[str, Any]) -> str:
    """Say whether an attribution foretells drops, and how steady it is."""
    said = []
    gain = own.get("over_random", {"count": 0})
    if gain["count"]:
        word = {-1: "yes", 0: "not surely", 1: "no, worse"}[tabulated.sure(gain)]
        if gain["count"] < tabulated.FEWEST_SPREAD:
            word = "cannot tell of fewer than 3 photographs"
        said.append(
            f"Foretells drops better than a random map: {word} ({tabulated.said(gain, 2)})."
        )
    if own.get("times", {}).get("count"):
        said.append(f"Changes {tabulated.said(own['times'], 1)} times as much as the image.")
    return " ".join(said) or "Cannot tell: the map is zero everywhere."


def tables(
    found: Mapping[str, Mapping[str, Any]],
    verdicts: Mapping[str, str],
    *,
    scaled: bool,
    radius: float,
) -> tuple[Table, ...]:
    """Tabulate infidelity and sensitivity, and the verdicts."""
    rows = []
    for name, own in found.items():
        told = (
            tabulated.said(own[what], digits) if what in own and own[what]["count"] else None
            for what, digits in (
                ("relative", 2), ("over_random", 2), ("sensitivity", 2), ("times", 1),
            )
        )  # fmt: skip
        rows.append((name, *told))
    heads = ("method", "infidelity", "less a random map's", "max-sensitivity", "times the image's")
    note = (
        f"Infidelity{' scaled to fit best' if scaled else ''}, relative to the mean square "
        "of the drops: 0 perfect, 1 foretells nothing. Sensitivity relative to the attribution's "
        f"length, in a ball of {radius:g}; the last column over the image's own relative "
        "change. 95 % intervals over photographs."
    )
    return (
        Table("infidelity and sensitivity", heads, tuple(rows), note),
        Table("verdict", ("method", "what is found"), tuple(verdicts.items())),
    )


def plots(found: Mapping[str, Mapping[str, Any]]) -> tuple[Plot, ...]:
    """Draw a bar for every method."""
    made = []
    for what, title in (("relative", "infidelity, relative"), ("sensitivity", "max-sensitivity")):
        known = {name: own[what] for name, own in found.items() if own.get(what, {}).get("count")}
        if known:
            series = tabulated.line("", known, known.values())
            made.append(Plot(title, (series,), "method", title, kind="bars"))
    return tuple(made)


def left_out(cells: Sequence[Cell], methods: Sequence[str]) -> list[str]:
    """Say which methods have no infidelity, and which maps are zero."""
    warnings = []
    signless = [name for name in methods if name not in cells[0].values["infidelity"]]
    if signless:
        warnings.append(
            "under noise, infidelity is not defined of maps that have neither sign nor unit: "
            f"{', '.join(signless)}; squares do for all"
        )
    for name in methods:
        empty = sum(cell.values["sensitivity"][name]["max"] is None for cell in cells)
        if empty:
            warnings.append(f"{name}: zero everywhere on {plural(empty, 'photograph')}")
    return warnings
