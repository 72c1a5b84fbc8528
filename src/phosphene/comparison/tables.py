"""The numbers of a comparison as tables and diagrams, and what they come to in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from phosphene.comparison.entry import Entry
from phosphene.comparison.orientation import BINS, Orientation, mean_histogram
from phosphene.panel import Plot, Series, Table
from phosphene.studies.tabulated import FEWEST, FEWEST_SPREAD, averaged, line, said

Row = tuple[Entry | None, ...]
_MOST_CONCEPTS = 12
_TRUSTED = 0.5
"""Share of real images in which the test has to find the label for it to be trusted."""


def summary_table(titles: Sequence[str], shorts: Sequence[str], entries: Sequence[Row]) -> Table:
    """Tabulate every layer of every network."""
    rows: list[tuple[str | float | None, ...]] = []
    for title, row in zip(titles, entries, strict=True):
        for short, entry in zip(shorts, row, strict=True):
            if entry is None:
                rows.append((f"{title}, {short}", *(None,) * 10))
                continue
            share = entry.horizontal
            errors = [a.error for a in entry.inversions if a.error is not None]
            unique = sum(map(len, entry.unique.values())) if entry.detectors is not None else None
            told = len(entry.opinions)
            trust = sum(o.votes for o in entry.opinions), sum(o.images for o in entry.opinions)
            rows.append(
                (
                    f"{title}, {short}",
                    entry.channels,
                    entry.dead,
                    said(share["maximised"], 1, 100),
                    " / ".join(map(str, entry.leaning)),
                    said(share["patches"], 1, 100),
                    said(averaged(errors), 1, 100) if errors else None,
                    entry.detectors,
                    unique,
                    f"{len(entry.disagreeing)} of {told}" if told else None,
                    f"{trust[0] / trust[1]:.0%}" if trust[1] else None,
                )
            )
    columns = (
        "layer, network", "units", "dead", "horizontal, maximised %", "units h / v",
        "horizontal, patches %", "inversion error %", "detectors", "unique", "disagree",
        "test finds label",
    )  # fmt: skip
    note = (
        "Horizontal: share of the energy of gradients that is of horizontal structures, mean over "
        "units with its 95 % interval; 50 % is as much horizontal as vertical; h / v: units of "
        "60 % or more, and of 40 % or less. Disagree: of the units that are shown and have a label "
        "that can be tested, those whose maximised image the layer's other units take for another "
        "concept; the last column says in how many of these units' strongest real images they find "
        "the label."
    )
    return Table("Layers and networks", columns, tuple(rows), note)


def concept_table(titles: Sequence[str], shorts: Sequence[str], entries: Sequence[Row]) -> Table:
    """Name the concepts that units of each layer detect, by category."""
    rows = []
    for title, row in zip(titles, entries, strict=True):
        for short, entry in zip(shorts, row, strict=True):
            if entry is None or entry.detectors is None:
                continue
            told = [
                f"{category}: {', '.join(names[:_MOST_CONCEPTS])}"
                + (f" and {len(names) - _MOST_CONCEPTS} more" * (len(names) > _MOST_CONCEPTS))
                for category, names in entry.unique.items()
                if names
            ]
            rows.append((f"{title}, {short}", entry.detectors, "; ".join(told) or "none"))
    return Table("What is detected", ("layer, network", "detectors", "concepts"), tuple(rows))


def plots(
    titles: Sequence[str], shorts: Sequence[str], entries: Sequence[Row], ground: Orientation
) -> tuple[Plot, ...]:
    """Draw horizontal shares and detectors over the layers, and orientations of the last."""
    names, found = tuple(titles), []
    for kind, what in (("maximised", "maximised images"), ("patches", "strongest patches")):
        series = []
        for number, short in enumerate(shorts):
            own = [_share(row[number], kind) for row in entries]
            series.append(line(short, names, own, 100))
        if ground.horizontal is not None:
            level = (100 * ground.horizontal,) * len(names)
            series.append(Series("the image set", names, level))
        found.append(Plot(f"Horizontal energy of {what}", tuple(series), "layer", "%"))
    counts = [
        Series(s, names, tuple(_count(row[n]) for row in entries)) for n, s in enumerate(shorts)
    ]
    found.append(Plot("Units that detect a concept", tuple(counts), "layer", "units", kind="bars"))
    last = _orientations(titles[-1], shorts, entries[-1], ground)
    return (*found, *((last,) if last.series else ()))


def verdicts(
    titles: Sequence[str], shorts: Sequence[str], entries: Sequence[Row]
) -> tuple[str, ...]:
    """Say of each level which network's units are the most horizontal, where that is sure.

    Two means differ for sure where they are further apart than the root of the sum of their squared
    intervals; the most horizontal has to differ so from every other. Beside it stands the one that
    it is least surely apart from.
    """
    found = []
    for title, row in zip(titles, entries, strict=True):
        known = {
            short: share
            for short, entry in zip(shorts, row, strict=True)
            if (share := _share(entry, "maximised"))["count"] >= FEWEST_SPREAD
        }
        there = [s for s, entry in zip(shorts, row, strict=True) if entry is not None]
        few = [short for short in there if short not in known]
        if len(there) < 2:
            found.append(f"{title}: only {there[0] if there else 'none'} is there to be compared")
            continue
        if len(known) < 2:
            found.append(f"{title}: of fewer than {FEWEST_SPREAD} units nothing can be said")
            continue
        first, one = max(known.items(), key=lambda kv: kv[1]["mean"])
        # By how much each of the others is surely less.
        margins = {
            short: one["mean"] - share["mean"] - math.hypot(one["interval"], share["interval"])
            for short, share in known.items()
            if short != first
        }
        second = min(margins, key=lambda short: margins[short])
        two, sure = known[second], margins[second] > 0
        numbers = (
            f"{said(one, 1, 100)} % horizontal over {one['count']} units, {second} "
            f"{said(two, 1, 100)} %"
        )
        said_so = "is the most horizontal" if sure else "is the most horizontal, but not for sure"
        left = f"; of {', '.join(few)} too few units" if few else ""
        found.append(f"{title}: {first} {said_so} ({numbers}{left})")
    return tuple(found)


def doubts(entries: Sequence[Row]) -> tuple[str, ...]:
    """Warn of intervals that too few units stand behind, and of a test that cannot be trusted."""
    known = [entry for row in entries for entry in row if entry is not None]
    counts, found = [len(entry.imagined) for entry in known], []
    if counts and min(counts) < FEWEST:
        found.append(
            f"{min(counts)} units of a layer are few to compare networks by: intervals of fewer "
            f"than {FEWEST} are wide, so ask for more (--units 24)"
        )
    said_of = [opinion for entry in known for opinion in entry.opinions]
    votes, images = sum(o.votes for o in said_of), sum(o.images for o in said_of)
    if images and votes < _TRUSTED * images:
        found.append(
            f"in {votes / images:.0%} of units' strongest real images their label is found: where "
            "picture and label disagree, the test may be wrong as well as the label (more images "
            "make both better)"
        )
    return tuple(found)


def _orientations(
    title: str, shorts: Sequence[str], row: Row, ground: Orientation
) -> Plot:  # of the level that is shown
    angles = tuple(f"{round(180 * k / BINS)}°" for k in range(BINS))
    series = []
    for short, entry in zip(shorts, row, strict=True):
        histogram = mean_histogram(list(entry.imagined.values())) if entry else ()
        if histogram:
            series.append(Series(short, angles, tuple(100 * value for value in histogram)))
    if ground.horizontal is not None and series:
        own = tuple(100 * value for value in ground.histogram)
        series.append(Series("the image set", angles, own))
    name = f"Which way maximised images run at {title} (0° is horizontal)"
    return Plot(name, tuple(series), "orientation", "% of the energy")


def _share(entry: Entry | None, kind: str) -> dict[str, Any]:
    return entry.horizontal[kind] if entry else averaged(())


def _count(entry: Entry | None) -> float:
    return float(entry.detectors) if entry and entry.detectors is not None else math.nan
