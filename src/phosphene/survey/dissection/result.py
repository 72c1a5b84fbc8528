"""What a dissection has found: of every layer the units that detect concepts, and how it looks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from phosphene.errors import UnknownLayer, nearest
from phosphene.image import replacing
from phosphene.panel import Panel, Plot, Series, Shows, Table, Tile
from phosphene.survey.dissection.alignment import MINIMUM, LayerDissection, Match, histogram

# Names side by side under a diagram that can still be read.
_MOST_BARS = 40
_MOST_ROWS = 20


@dataclass(frozen=True, eq=False)
class Dissection(Shows):
    """Which units of a network detect which concepts.

    Attributes:
        layers: What was counted, by layer.
        minimum: The IoU from which on a unit counts as a detector.
        images: How many images were counted.
        failed: What could not be read and why, by name.
        facts: What was done, by name.
        pictures: The strongest images of some units, dark where the unit is not active, by layer
            and unit.
    """

    layers: Mapping[str, LayerDissection]
    minimum: float = MINIMUM
    images: int = 0
    failed: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[tuple[str, int], tuple[Tile, ...]] = field(default_factory=dict)

    def __getitem__(self, layer: str) -> LayerDissection:
        """Return what was found of a layer.

        Raises:
            UnknownLayer: It was not dissected.
        """
        if layer not in self.layers:
            raise UnknownLayer(f"{layer!r} was not dissected{nearest(layer, self.layers)}")
        return self.layers[layer]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should not miss."""
        if not self.failed:
            return ()
        name, why = next(iter(self.failed.items()))
        more = f", and {len(self.failed) - 1} more" if len(self.failed) > 1 else ""
        return (f"left out, as it could not be read: {name} ({why}){more}",)

    def panel(self) -> Panel:
        """Show everything at once: the best detectors with their images, diagrams, tables."""
        first, *others = self.panels()
        return Panel(
            first.title,
            tuple(row for panel in others for row in panel.rows),
            first.facts,
            first.warnings,
            (*first.plots, *(plot for panel in others for plot in panel.plots)),
            (*first.tables, *(table for panel in others for table in panel.tables)),
        )

    def panels(self) -> list[Panel]:
        """Show it in chapters: how many detectors there are, then layer by layer the best."""
        summary = Panel(
            "Network dissection", (), self.facts, self.warnings, (self._bars(),), (self._table(),)
        )
        return [summary, *(self._chapter(name, found) for name, found in self.layers.items())]

    def save(self, path: str | Path) -> Path:
        """Write the chapters as one page, one picture, or a folder: see `Shows.save`."""
        from phosphene.view import save

        return save(self.panels(), path)

    def as_json(self) -> dict[str, Any]:
        """Say everything, for scripts."""
        return {
            "facts": dict(self.facts),
            "images": self.images,
            "minimum": self.minimum,
            "failed": dict(self.failed),
            "layers": [found.as_json(self.minimum) for found in self.layers.values()],
        }

    def write(self, folder: str | Path) -> Path:
        """Write everything into a folder: page, pictures, a CSV for each layer, dissection.json.

        Returns:
            The page.

        Raises:
            OutputError: It cannot be written there.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, found in self.layers.items():
            found.write_csv(folder / f"{name.replace('/', '-') or 'output'}-result.csv")
        with replacing(folder / "dissection.json") as file:
            file.write(json.dumps(self.as_json(), indent=1, allow_nan=False).encode())
        return self.save(folder)

    def _bars(self) -> Plot:
        """Count the concepts that are detected, by layer and category, as the paper's figures."""
        names = tuple(self.layers)
        categories = next(iter(self.layers.values())).vocabulary.categories
        unique = {name: found.unique(self.minimum) for name, found in self.layers.items()}
        series = tuple(
            Series(category, names, tuple(float(len(unique[name][category])) for name in names))
            for category in categories
        )
        return Plot("Unique detectors", series, "layer", "concepts with a detector", kind="bars")

    def _chapter(self, layer: str, found: LayerDissection) -> Panel:
        ranked = found.ranked()
        rows = tuple(
            (_heading(match), self.pictures[layer, match.unit])
            for match in ranked
            if self.pictures.get((layer, match.unit))
        )
        table = Table(
            f"{layer}: the {_MOST_ROWS} best units",
            ("unit", "category", "concept", "IoU", "second", "third"),
            tuple(
                (f"{m.unit}", m.category, m.label, round(m.iou, 4), *_others(found, m))
                for m in ranked[:_MOST_ROWS]
            ),
            "Units count from 0.",
        )
        plot = self._concepts(found)
        return Panel(layer or "output", rows, plots=(plot,) if plot else (), tables=(table,))

    def _concepts(self, found: LayerDissection) -> Plot | None:
        """Count the units of a layer by the concept they detect."""
        counts = dict(list(histogram(found.detectors(self.minimum)).items())[:_MOST_BARS])
        if not counts:
            return None
        order = [pair for c in found.vocabulary.categories for pair in counts if pair[0] == c]
        several = len({category for category, _ in order}) > 1
        told = tuple(f"{label} ({c})" if several else label for c, label in order)
        heights = tuple(float(counts[pair]) for pair in order)
        series = (Series("", told, heights),)
        return Plot(f"{found.layer}: units by concept", series, "", "units", kind="bars")

    def _table(self) -> Table:
        layers = []
        for name, found in self.layers.items():
            unique, detectors = found.unique(self.minimum), found.detectors(self.minimum)
            own = tuple(len(labels) for labels in unique.values())
            best = _name(detectors[0]) if detectors else None
            layers.append((name, found.units, len(detectors), sum(own), *own, best))
        categories = next(iter(self.layers.values())).vocabulary.categories
        columns = ("layer", "units", "detectors", "unique", *categories, "best")
        note = f"A detector has an IoU of {self.minimum:g} or more with its concept."
        return Table("Layers", columns, tuple(layers), note)


def _others(found: LayerDissection, match: Match) -> tuple[str | None, str | None]:
    more = [f"{_name(m)}" for m in found.matches(match.unit, 3)[1:]]
    return more[0] if more else None, more[1] if len(more) > 1 else None


def _name(match: Match) -> str:
    return f"{match.label} {match.iou:.3f}"


def _heading(match: Match) -> str:
    return f"unit {match.unit}: {match.label} ({match.category}), IoU {match.iou:.3f}"
