"""Which strength is more interpretable, by the votes of people.

The rate of a condition is how often it won of how often it was shown, whatever stood beside it.
The first five answers of every subject are dropped, as the thesis did, for people to become
familiar with the task; answers that could not be given count as not shown.

*Reference.* Mahendran, thesis 2018, section 5.4.2.2 and figure 5.7. Error bars are those of the
authors: 1.96 sqrt(p (1 - p) / n). They vanish where all votes agree, so the data also hold
Wilson's interval, which does not (E. B. Wilson, JASA 22, 1927).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from phosphene.panel import Plot, Series, Table
from phosphene.studies.ballots import Vote, read_votes
from phosphene.studies.findings import Findings

DROPPED = 5
"""Answers of each subject that do not count."""
_Z = 1.96


def votes(
    paths: Sequence[str | Path], layers: Sequence[str] = (), *, drop: int = DROPPED
) -> Findings:
    """Analyse the votes that the page of `phosphene study pairs` exports.

    Args:
        paths: CSV or JSON files, of one subject or several.
        layers: Which layers, in this order; all, by depth, where empty.
        drop: How many first answers of each subject do not count. A subject is told by name, page
            and seed, so that two sittings are two subjects.

    Returns:
        For every layer and condition how often it was shown, won, and the rate; by layer and pair
        of conditions, who won, in the data.

    Raises:
        FormatError: A file is no vote file, or there is no vote in any.
    """
    read, wrong = read_votes(paths)
    counted = [vote for vote in _after_practice(read, drop) if not layers or vote.layer in layers]
    decided = [vote for vote in counted if vote.winner != "skip"]
    order = list(layers) or _by_depth(counted)
    conditions = _by_strength(side for vote in counted for side in (vote.left, vote.right))
    rows = [_rate(decided, layer, condition) for layer in order for condition in conditions]
    rows = [row for row in rows if row["shown"]]
    subjects = {vote.sitting for vote in read}
    skipped = len(counted) - len(decided)
    unseen = sorted(set(layers) - {vote.layer for vote in read})
    warnings = [*wrong, *(f"there is no vote on layer {name!r}" for name in unseen)]
    warnings += _doubts(read, decided, drop)
    facts = {
        "votes counted": str(len(decided)),
        "subjects": str(len(subjects)),
        "dropped": f"the first {drop} answers of each subject",
        "could not tell": str(skipped),
        "left chosen": _percent(sum(vote.winner == "left" for vote in decided), len(decided)),
        "files": ", ".join(Path(path).name for path in paths),
    }
    data = {
        "rates": rows,
        "duels": _duels(decided, order),
        "counted": len(decided),
        "skipped": dict(Counter(v.layer for v in counted if v.winner == "skip")),
        "read": len(read),
        "subjects": len(subjects),
        "median_seconds": _median([v.seconds for v in decided if v.seconds is not None]),
    }
    return Findings(
        "votes",
        "Which strength is more interpretable?",
        (_table(rows),),
        (_plot(rows, conditions),) if rows else (),
        facts=facts,
        warnings=tuple(warnings),
        data=data,
    )


def wilson(won: int, shown: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a rate.

    >>> [round(end, 3) for end in wilson(10, 10)]
    [0.722, 1.0]
    """
    rate, z2 = won / shown, _Z**2
    middle = (rate + z2 / (2 * shown)) / (1 + z2 / shown)
    half = _Z / (1 + z2 / shown) * math.sqrt(rate * (1 - rate) / shown + z2 / (4 * shown**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def _after_practice(read: Iterable[Vote], drop: int) -> list[Vote]:
    by_sitting: dict[tuple[str, ...], list[Vote]] = {}
    for vote in read:
        by_sitting.setdefault(vote.sitting, []).append(vote)
    sittings = (sorted(votes, key=lambda v: v.order)[drop:] for votes in by_sitting.values())
    return [vote for sitting in sittings for vote in sitting]


def _rate(decided: Iterable[Vote], layer: str, condition: str) -> dict[str, Any]:
    shown = [v for v in decided if v.layer == layer and condition in (v.left, v.right)]
    won = sum(_winner(vote) == condition for vote in shown)
    row: dict[str, Any] = {"layer": layer, "condition": condition, "shown": len(shown), "won": won}
    if shown:
        rate = won / len(shown)
        half = _Z * math.sqrt(rate * (1 - rate) / len(shown))
        low, high = wilson(won, len(shown))
        row |= {"rate": rate, "half_width": half, "wilson": [low, high]}
    return row


def _winner(vote: Vote) -> str:
    return vote.left if vote.winner == "left" else vote.right


def _duels(decided: Sequence[Vote], layers: Iterable[str]) -> list[dict[str, Any]]:
    """Count who won against whom."""
    wins = Counter((v.layer, _winner(v), ({v.left, v.right} - {_winner(v)}).pop()) for v in decided)
    place = {layer: number for number, layer in enumerate(layers)}
    ordered = sorted(wins, key=lambda duel: (place[duel[0]], duel[1:]))
    return [{"layer": d[0], "winner": d[1], "loser": d[2], "count": wins[d]} for d in ordered]


def _by_depth(counted: Sequence[Vote]) -> list[str]:
    """Order layers by the depth that the page exports, else by their names (conv2 < conv10)."""
    depth = {vote.layer: vote.depth for vote in counted}

    def place(layer: str) -> tuple[Any, ...]:
        parts = [(int(p), "") if p.isdigit() else (-1, p) for p in re.split(r"(\d+)", layer)]
        known = depth[layer]
        return (math.inf if known is None else known, parts)

    return sorted(depth, key=place)


def _by_strength(conditions: Iterable[str]) -> list[str]:
    """Order conditions from no regulariser to the strongest, which is the smallest C."""

    def strength(condition: str) -> tuple[float, str]:
        try:
            return -float("inf" if condition == "none" else condition), condition
        except ValueError:
            return math.inf, condition

    return sorted(set(conditions), key=strength)


def _doubts(read: Sequence[Vote], decided: Sequence[Vote], drop: int) -> list[str]:
    doubts = []
    pages = {vote.page for vote in read}
    if len(pages) > 1:
        doubts.append(
            f"the votes come from {len(pages)} different pages, with different pictures: analyse "
            "them apart, unless that is meant"
        )
    if not decided:
        doubts.append(
            f"no vote is left to count: of each subject the first {drop} answers are dropped"
        )
    return doubts


def _table(rows: Iterable[Mapping[str, Any]]) -> Table:
    return Table(
        "How often each strength won",
        ("layer", "C", "shown", "won", "rate", "95 % interval"),
        tuple(
            (
                r["layer"],
                r["condition"],
                r["shown"],
                r["won"],
                r["rate"],
                f"± {r['half_width']:.3f}",
            )
            for r in rows
        ),
        "Share of the pairs in which the picture was chosen; C none is no regulariser.",
    )


def _plot(rows: Sequence[Mapping[str, Any]], conditions: Iterable[str]) -> Plot:
    series = []
    for condition in conditions:
        own = [row for row in rows if row["condition"] == condition]
        name = "no regulariser" if condition == "none" else f"C = {condition}"
        bars = [(row["layer"], row["rate"], row["half_width"]) for row in own]
        x, y, spread = zip(*bars, strict=True) if bars else ((), (), ())
        series.append(Series(name, x, y, spread))
    title = "Share of pairs in which it was more interpretable"
    return Plot(title, tuple(s for s in series if s.x), "layer", "won / shown", "bars")


def _median(seconds: list[float]) -> float | None:
    return sorted(seconds)[len(seconds) // 2] if seconds else None


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.0%} of {whole}" if whole else "none"
