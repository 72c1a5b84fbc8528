"""What areas under curves of deletion and insertion say of methods, against random order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from phosphene.panel import Plot, Series, Table
from phosphene.studies import tabulated
from phosphene.studies.explained import EDGES, MIDDLE
from phosphene.studies.ledger import Cell
from phosphene.studies.removal import area

RANDOM = "random order"
GAMES = ("deletion", "insertion")


def measured(cells: Sequence[Cell], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Average areas over photographs, and their differences to random order, pair by pair.

    Returns:
        By method and for random order, by game: `area`; of methods also `over_random`,
        `over_edges` and `over_middle`.
    """
    by_chance = {
        game: [mean(area(c[game]) for c in cell.values[RANDOM]) for cell in cells] for game in GAMES
    }
    areas = {
        name: {game: [_area(cell, name, game) for cell in cells] for game in GAMES}
        for name in names
    }
    found: dict[str, dict[str, Any]] = {
        name: {
            game: {
                "area": tabulated.averaged(own[game]),
                "over_random": _difference(own[game], by_chance[game]),
                "over_edges": _difference(own[game], areas[EDGES][game]),
                "over_middle": _difference(own[game], areas[MIDDLE][game]),
            }
            for game in GAMES
        }
        for name, own in areas.items()
    }
    found[RANDOM] = {game: {"area": tabulated.averaged(by_chance[game])} for game in GAMES}
    return found


def _area(cell: Cell, name: str, game: str) -> float | None:
    """Return a method's area; `None` where its map is zero everywhere."""
    curves = cell.values["curves"].get(name)
    return None if curves is None else area(curves[game])


def _difference(one: Sequence[float | None], other: Sequence[float | None]) -> dict[str, Any]:
    return tabulated.averaged(
        None if a is None or b is None else a - b for a, b in zip(one, other, strict=True)
    )


def better(own: Mapping[str, Any], than: str = "over_random") -> tuple[int, int]:
    """Say whether a map is surely better (1) or worse (-1) in deletion and in insertion."""
    signs = [tabulated.sure(own[g][than]) if own[g][than]["count"] else 0 for g in GAMES]
    return -signs[0], signs[1]


def verdict(own: Mapping[str, Any]) -> str:
    """Say whether a map finds what counts, by its areas."""
    if "over_random" not in own["deletion"]:
        return "The control."
    signs = better(own)
    if own["deletion"]["area"]["count"] < tabulated.FEWEST_SPREAD:
        word = "cannot tell of fewer than 3 photographs"
    elif signs == (1, 1):
        word = "yes"
    elif 1 in signs and -1 not in signs:
        word = f"by {GAMES[signs.index(1)]} only"
    elif signs == (0, 0):
        word = "no better than random order, as far as these photographs tell"
    elif 1 in signs:
        word = f"by {GAMES[signs.index(1)]}, and worse than random order by the other"
    else:
        word = "no: worse than random order"
    gains = ", ".join(f"{g} {tabulated.said(own[g]['over_random'], 3)}" for g in GAMES)
    against = []
    for than, what in (("over_edges", "edges"), ("over_middle", "a blob in the middle")):
        won = [game for game, sign in zip(GAMES, better(own, than), strict=True) if sign > 0]
        against.append(f"{what}: {' and '.join(won) or 'neither'}")
    return (
        f"Better than random order: {word} ({gains}). Surely better than {'; than '.join(against)}."
    )


def tables(
    found: Mapping[str, Mapping[str, Any]], verdicts: Mapping[str, str]
) -> tuple[Table, ...]:
    """Tabulate areas, and the verdicts."""
    rows = []
    for name, own in found.items():
        row: list[str | None] = [name]
        for game in GAMES:
            row += [
                tabulated.said(own[game]["area"], 3),
                tabulated.said(own[game]["over_random"], 3) if "over_random" in own[game] else None,
            ]
        rows.append(tuple(row))
    heads = ("method", "deletion AUC", "less random order's", "insertion AUC", "less random's")
    note = (
        "Area under the class's probability over the share of pixels, with 95 % intervals over "
        "photographs; differences are paired. Deletion: small is good. Insertion: large is good."
    )
    told = tuple((name, text) for name, text in verdicts.items() if name != RANDOM)
    return (
        Table("areas", heads, tuple(rows), note),
        Table("verdict", ("method", "what is found"), told),
    )


def plots(cells: Sequence[Cell], names: Sequence[str]) -> tuple[Plot, ...]:
    """Draw the mean curve of every method, deletion and insertion."""
    made = []
    for game in GAMES:
        series = []
        for name in (*names, RANDOM):
            curves = [
                c
                for cell in cells
                for c in (
                    [random[game] for random in cell.values[RANDOM]]
                    if name == RANDOM
                    else [own[name][game] for own in [cell.values["curves"]] if name in own]
                )
            ]
            if not curves:
                continue
            heights = tuple(mean(values) for values in zip(*curves, strict=True))
            shares = tuple(100 * k / (len(heights) - 1) for k in range(len(heights)))
            series.append(Series(name, shares, heights))
        made.append(Plot(game, tuple(series), f"pixels, % {game[:-3]}ed", "probability"))
    return tuple(made)
