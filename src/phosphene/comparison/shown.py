"""The pictures of a comparison: one chapter for each kind, networks below one another."""

from __future__ import annotations

from collections.abc import Sequence

from phosphene.comparison.entry import Answer, Entry, Opinion
from phosphene.comparison.units import blank_tile
from phosphene.panel import Panel, Tile

Row = tuple[Entry | None, ...]
_MOST = 16
"""Units that disagree and are shown, at most."""


def unit_panels(
    titles: Sequence[str], shorts: Sequence[str], entries: Sequence[Row]
) -> list[Panel]:
    """Show of each level what units want most, and what they see at their strongest."""
    panels = []
    for title, row in zip(titles, entries, strict=True):
        for kind in ("maximised", "patches"):
            rows: list[tuple[str, tuple[Tile, ...]]] = []
            for short, entry in zip(shorts, row, strict=True):
                if entry is None:
                    rows.append((short, (Tile(blank_tile(), "no such layer"),)))
                else:
                    rows.append((short, _units(entry, kind)))
            what = "What units want most" if kind == "maximised" else "Strongest patches"
            panels.append(Panel(f"{what}: {title}", tuple(rows)))
    return panels


def photograph_panels(
    titles: Sequence[str], shorts: Sequence[str], entries: Sequence[Row], names: Sequence[str]
) -> list[Panel]:
    """Show of each photograph its inversions and caricatures, levels side by side."""
    panels = []
    kinds = (("Inversions", "inversions"), ("Caricatures", "caricatures"))
    for place, name in enumerate(names):
        for what, kind in kinds:
            rows = []
            for number, short in enumerate(shorts):
                own = [row[number] for row in entries]
                answers = [None if e is None else getattr(e, kind)[place] for e in own]
                reference = next((a.reference for a in answers if a and a.reference), None)
                first = Tile(reference or blank_tile(), "as it is seen")
                tiles = [_answer(a, t) for a, t in zip(answers, titles, strict=True)]
                rows.append((short, (first, *tiles)))
            panels.append(Panel(f"{what} of {name}", tuple(rows)))
    return panels


def disagreement_panel(shorts: Sequence[str], entries: Sequence[Row]) -> Panel | None:
    """List units whose maximised image and label disagree, side by side."""
    found: list[tuple[float, str, Entry, Opinion]] = []
    for row in entries:
        for short, entry in zip(shorts, row, strict=True):
            if entry is not None:
                found += [(o.label.iou, short, entry, o) for o in entry.disagreeing]
    if not found:
        return None
    found.sort(key=lambda one: -one[0])
    rows = tuple(_disagreement(short, entry, o) for _, short, entry, o in found[:_MOST])
    more = f", the first {_MOST} of {len(found)}" if len(found) > _MOST else ""
    facts = {
        "disagreement": "the layer's other units take the maximised image for another concept "
        "(nearest mean code, of the label's category) than the one that dissection names",
    }
    return Panel(f"Where the picture and the label disagree{more}", rows, facts)


def _units(entry: Entry, kind: str) -> tuple[Tile, ...]:
    tiles = []
    for unit in entry.units:
        picture = (entry.maximised if kind == "maximised" else entry.patches).get(unit)
        label, note = entry.labels.get(unit), ""
        if kind == "maximised" and unit in entry.reached:
            note = f"{entry.reached[unit]:.2g} x maximum"
        elif label is not None:
            note = f"{label.name} {label.iou:.3f}"
        tiles.append(Tile(picture or blank_tile(), f"unit {unit}", note))
    return tuple(tiles) or (Tile(blank_tile(), "no unit is alive"),)


def _answer(found: Answer | None, title: str) -> Tile:
    if found is None or found.image is None:
        return Tile(blank_tile(), title, "no such layer" if found is None else found.why)
    error = "" if found.error is None else f", error {found.error:.0%}"
    return Tile(found.image, f"{title}{error}")


def _disagreement(short: str, entry: Entry, opinion: Opinion) -> tuple[str, tuple[Tile, ...]]:
    label = opinion.label
    heading = (
        f"{short}, {entry.layer}, unit {opinion.unit}: dissection says {label.name} "
        f"({label.category}, IoU {label.iou:.3f}), the maximised image {opinion.imagined}"
    )
    found = f"{label.name} is found in {opinion.votes} of {opinion.images}"
    most = f"; most are taken for {opinion.seen}" if opinion.seen not in ("", label.name) else ""
    tiles = (
        Tile(entry.maximised[opinion.unit], f"maximised: {opinion.imagined}"),
        Tile(entry.patches[opinion.unit], f"strongest patches: {found}{most}"),
    )
    return heading, tiles
