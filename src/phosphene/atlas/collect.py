"""From all that was gathered to what an atlas shows: units with their pictures and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from phosphene.atlas.album import Album
from phosphene.atlas.collect_layers import layer_plots, layer_tables
from phosphene.atlas.gather_concepts import Found
from phosphene.atlas.gather_patches import grid_file, patch_file, slug_of
from phosphene.atlas.maximise import is_scores, maximised_file
from phosphene.atlas.model import Concept, LayerEntry, Picture, Strip, UnitEntry
from phosphene.atlas.plan import Plan
from phosphene.core.network import Network
from phosphene.core.rules import Reversal
from phosphene.survey.correlation import Correlation
from phosphene.survey.facts import LayerFacts
from phosphene.survey.images import ImageSet
from phosphene.survey.quantiles import Quantiles
from phosphene.survey.statistics import LayerStatistics, Statistics
from phosphene.survey.top_patches import TopPatches

_NEIGHBOURS = 8
_TWIN = 0.98
_ALWAYS = 0.999
_SATURATED = 0.5
_FEWEST = 9
"""Of fewer images a correlation says little."""


@dataclass(frozen=True)
class Gathered:
    """Everything that was found out.

    Attributes:
        net: The network.
        images: The image set.
        plan: What was wanted.
        facts: The layers.
        units: Their units that are shown, by layer.
        statistics: Of all units.
        top: Their strongest images.
        quantiles: Their thresholds.
        correlation: How alike they are.
        rules: Which rules' signals there are of each layer, and why not of all.
        concepts: What was dissected.
        reached: By layer and unit, what its maximised images reach.
    """

    net: Network
    images: ImageSet
    plan: Plan
    facts: Mapping[str, LayerFacts]
    units: Mapping[str, Sequence[int]]
    statistics: Statistics
    top: TopPatches
    quantiles: Quantiles
    correlation: Correlation
    rules: Mapping[str, tuple[tuple[Reversal, ...], str]]
    concepts: Found | None = None
    reached: Mapping[str, Mapping[int, Sequence[float]]] = field(default_factory=dict)


def layers_of(found: Gathered, album: Album) -> tuple[LayerEntry, ...]:
    """Put together the layers of an atlas, in the order they run."""
    kinds = {str(found.net.address(layer.name)): layer.kind for layer in found.net.layers()}
    order = {address: number for number, address in enumerate(kinds)}
    addresses = {name: str(found.net.address(name)) if name else "" for name in found.plan.layers}
    names = sorted(found.plan.layers, key=lambda name: order.get(addresses[name], len(order)))
    return tuple(
        _Layer(found, album, name, kinds.get(addresses[name], "")).entry() for name in names
    )


class _Layer:
    """A layer while its entry is made."""

    def __init__(self, found: Gathered, album: Album, name: str, kind: str) -> None:
        self.found, self.album, self.name, self.kind = found, album, name, kind
        self.rules, self.why = found.rules[name]
        self.numbers: LayerStatistics = found.statistics.of(name)
        self.quantiles = found.quantiles.of(name).tolist()
        alike = found.correlation.matrix(name)
        self.varies = (alike.diagonal() > 0).tolist()
        # Of units that are not shown there would be nothing to see.
        self.others = torch.tensor(found.units[name])
        alike = alike.clone().fill_diagonal_(-torch.inf)[:, self.others]
        self.alike = alike.topk(min(_NEIGHBOURS, len(self.others)), dim=1)
        self.matches = found.concepts.layers.get(name) if found.concepts else None
        self.scores = is_scores(found.net, name) if name else False

    def entry(self) -> LayerEntry:
        """Make it."""
        found, fact = self.found, self.found.facts[self.name]
        units = tuple(self._unit(unit) for unit in found.units[self.name])
        return LayerEntry(
            self.name,
            self.kind,
            (fact.channels, fact.height, fact.width),
            str(fact.field or ""),
            units,
            layer_plots(units),
            layer_tables(units),
            self._note(units),
        )

    def _note(self, units: Sequence[UnitEntry]) -> str:
        fact, said = self.found.facts[self.name], []
        if len(units) < fact.channels:
            said.append(f"{len(units)} of {fact.channels} units are shown, evenly over them.")
        if self.found.concepts is not None and self.matches is None:
            said.append("Its codes are no maps, so that it was not dissected.")
        if self.why:
            said.append(f"Patches are {self.why.rstrip('.')}.")
        return " ".join(said)

    def _unit(self, unit: int) -> UnitEntry:
        maximised, patches = self._maximised(unit), self._patches(unit)
        thumbnails: dict[str, Picture] = {}
        if maximised:
            thumbnails["maximised"] = maximised[0]
        if patches:
            plan = self.found.plan
            thumbnails["patches"] = self.album.picture(grid_file(plan, self.name, unit))
            for rule in self.rules:
                file = grid_file(plan, self.name, unit, slug_of(rule))
                thumbnails[str(rule)] = self.album.picture(file)
        strips = []
        if maximised:
            strips.append(Strip("What excites it most", maximised, self._reached(unit)))
        if patches:
            strips.append(Strip("Strongest patches", patches, self._seen(patches)))
        strips += [
            Strip(f"What made it fire there ({rule})", some)
            for rule, some in zip(self.rules, self._signals(unit), strict=True)
            if some
        ]
        return UnitEntry(
            unit,
            thumbnails,
            tuple(strips),
            self._concepts(unit),
            self._statistics(unit),
            self._neighbours(unit),
            self.found.net.label(unit) if self.scores and self.found.net.labels else "",
            self._flags(unit),
        )

    def _maximised(self, unit: int) -> tuple[Picture, ...]:
        values = self.found.reached.get(self.name, {}).get(unit, ())
        return tuple(
            self.album.picture(
                maximised_file(self.found.plan, self.name, unit, seed), f"{value:.2g} x maximum"
            )
            for seed, value in enumerate(values)
        )

    def _patches(self, unit: int) -> tuple[Picture, ...]:
        found = self.found
        return tuple(
            self.album.picture(
                patch_file(found.plan, self.name, unit, rank),
                f"{peak.value:.4g}",
                found.images.name_of(peak.key),
            )
            for rank, peak in enumerate(found.top.of(self.name, unit)[: found.plan.count])
        )

    def _signals(self, unit: int) -> list[tuple[Picture, ...]]:
        found = self.found
        count = len(found.top.of(self.name, unit)[: found.plan.count])
        return [
            tuple(
                self.album.picture(patch_file(found.plan, self.name, unit, rank, slug_of(rule)))
                for rank in range(count)
            )
            for rule in self.rules
        ]

    def _seen(self, patches: Sequence[Picture]) -> str:
        wanted = self.found.plan.count
        if len(patches) < wanted:
            return f"Only {len(patches)} images were there to choose from, fewer than {wanted}."
        return "One patch of an image: what the unit sees where it is most active there."

    def _reached(self, unit: int) -> str:
        if len(self.found.reached.get(self.name, {}).get(unit, ())) > 1:
            return "Descended from different noise; its activation over its largest on the images."
        return "Its activation over its largest on the images."

    def _concepts(self, unit: int) -> tuple[Concept, ...]:
        if self.matches is None or self.found.concepts is None:
            return ()
        least = self.found.concepts.minimum
        return tuple(
            Concept(label, category, iou, iou >= least)
            for label, category, iou in self.matches[unit]
        )

    def _statistics(self, unit: int) -> dict[str, float]:
        s = self.numbers
        found: dict[str, Any] = {
            "maximum": s.maximum[unit],
            "mean": s.mean[unit],
            "deviation": np.sqrt(max(float(s.variance[unit]), 0.0)),
            f"quantile {self.found.quantiles.level:g}": self.quantiles[unit],
            "share positive": s.positive[unit],
            "share of images active": s.active[unit],
        }
        if s.saturated is not None:
            found["share saturated"] = s.saturated[unit]
        if float(s.minimum[unit]) < 0:
            found["minimum"] = s.minimum[unit]
        reached = self.found.reached.get(self.name, {}).get(unit)
        if reached:
            found["maximised over maximum"] = max(reached)
        return {name: float(value) for name, value in found.items()}

    def _neighbours(self, unit: int) -> tuple[tuple[int, float], ...]:
        if not self.varies[unit]:
            return ()
        others = self.others[self.alike.indices[unit]].tolist()
        pairs = zip(others, self.alike.values[unit].tolist(), strict=True)
        return tuple((other, round(value, 4)) for other, value in pairs if value > 0)

    def _flags(self, unit: int) -> tuple[str, ...]:
        s, found = self.numbers, []
        if s.dead[unit]:
            found.append("dead")
        elif s.silent[unit]:
            found.append("never positive")
        elif s.positive[unit] >= _ALWAYS:
            found.append("always on")
        if s.saturated is not None and s.saturated[unit] >= _SATURATED:
            found.append("saturated")
        near = self._neighbours(unit)
        if near and near[0][1] >= _TWIN and s.images >= _FEWEST:
            found.append("duplicated")
        return tuple(found)
