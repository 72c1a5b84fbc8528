"""Diagrams and tables of layers, and of the whole network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from phosphene.atlas.gather_concepts import Found
from phosphene.atlas.model import LayerEntry, UnitEntry
from phosphene.panel import Plot, Series, Table

_MOST_BARS = 24


def layer_plots(units: Sequence[UnitEntry]) -> tuple[Plot, ...]:
    """Draw the maxima of a layer's units, their best IoU, and how many detect which concept."""
    if len(units) < 2:
        return ()
    plots = [
        _sorted(units, "Largest activations", "maximum", lambda u: u.statistics.get("maximum", 0.0))
    ]
    if any(unit.concepts for unit in units):
        best = {unit.index: max((c.iou for c in unit.concepts), default=0.0) for unit in units}
        plots.append(_sorted(units, "Best concept of each unit", "IoU", lambda u: best[u.index]))
    detected = Counter(
        unit.concepts[0].name for unit in units if unit.concepts and unit.concepts[0].detector
    )
    if detected:
        names, counts = zip(*detected.most_common(_MOST_BARS), strict=True)
        bars = Series("", names, tuple(float(count) for count in counts))
        plots.append(Plot("Detectors by concept", (bars,), "", "units", kind="bars"))
    return tuple(plots)


def layer_tables(units: Sequence[UnitEntry]) -> tuple[Table, ...]:
    """Count the flags of a layer's units, if there are any."""
    counts = Counter(flag for unit in units for flag in unit.flags)
    if not counts:
        return ()
    return (Table("Flags", ("flag", "units"), tuple(sorted(counts.items()))),)


def network_tables(layers: Sequence[LayerEntry], found: Found | None) -> tuple[Table, ...]:
    """Count unique detectors by layer and category, where the network was dissected."""
    if found is None:
        return ()
    rows = []
    for layer in layers:
        if layer.name not in found.layers:
            continue
        best = [unit.concepts[0] for unit in layer.units if unit.concepts]
        detected = [concept for concept in best if concept.detector]
        unique = {(concept.category, concept.name) for concept in detected}
        top = max(detected, key=lambda concept: concept.iou, default=None)
        rows.append(
            (
                layer.name or "output",
                len(layer.units),
                len(detected),
                *(sum(own == category for own, _ in unique) for category in found.categories),
                f"{top.name} {top.iou:.3f}" if top else None,
            )
        )
    columns = ("layer", "units", "detectors", *found.categories, "best")
    note = f"A detector has an IoU of {found.minimum:g} or more; by category, how many concepts."
    return (Table("Concepts with detectors", columns, tuple(rows), note),)


def failed_table(failed: dict[str, str]) -> tuple[Table, ...]:
    """Name the images that could not be read."""
    if not failed:
        return ()
    rows = tuple(sorted(failed.items()))
    return (Table("Images that could not be read", ("image", "why"), rows),)


def _sorted(
    units: Sequence[UnitEntry], title: str, name: str, value: Callable[[UnitEntry], float]
) -> Plot:
    heights = tuple(sorted(map(value, units), reverse=True))
    places = tuple(float(place) for place in range(1, len(units) + 1))
    return Plot(title, (Series("", places, heights),), "units, the largest first", name)
