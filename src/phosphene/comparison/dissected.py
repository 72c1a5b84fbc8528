"""Dissection of all layers of a network that are compared, as a cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from phosphene.comparison.entry import Label
from phosphene.core.network import Network
from phosphene.studies.ledger import Cell
from phosphene.survey.dissection.alignment import MINIMUM
from phosphene.survey.dissection.concepts import ConceptSet
from phosphene.survey.dissection.dissect import dissect

Tick = Callable[[int, int], None]


def dissected(
    net: Network,
    layers: Sequence[str],
    concepts: ConceptSet,
    batch: int,
    folder: Path | None,
    tick: Tick | None,
) -> Cell:
    """Find which units detect which concepts.

    Args:
        net: The network.
        layers: Layers with maps; there may be none.
        concepts: Images and what is known of their pixels.
        batch: Images at a time.
        folder: Where two passes keep their state.
        tick: Told how many images are done, of how many.

    Returns:
        By layer `detectors` (how many), `unique` (concepts by category) and `labels` (of each unit
        that meets any concept: category, name, IoU).
    """
    if not layers:
        return Cell({"layers": {}})
    told = (lambda done, total, _: tick(done, total)) if tick else None
    found = dissect(
        net, layers, concepts, shown=0, pictures=0, batch=batch, folder=folder, tick=told
    )
    values: dict[str, Any] = {}
    for name in layers:
        layer = found[name]
        best = [layer.best(unit) for unit in range(layer.units)]
        values[name] = {
            "detectors": len(layer.detectors(MINIMUM)),
            "unique": layer.unique(MINIMUM),
            "labels": {
                str(match.unit): [match.category, match.label, match.iou]
                for match in best
                if match.iou > 0
            },
        }
    return Cell({"layers": values})


def labels_of(values: Mapping[str, Any]) -> dict[int, Label]:
    """Read the labels of a layer."""
    return {int(unit): Label(*label) for unit, label in values["labels"].items()}
