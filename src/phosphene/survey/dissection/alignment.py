"""How well the units of a layer and the concepts of a set go together, and the table of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import UnitError
from phosphene.image import replacing
from phosphene.survey.dissection.concepts import NONE, Vocabulary

Ints = NDArray[np.int64]
MINIMUM = 0.04
"""The IoU from which on the paper calls a unit a detector."""


@dataclass(frozen=True)
class Match:
    """A unit and a concept.

    Attributes:
        unit: The unit, counted from 0.
        category: The concept's category.
        label: Its name; `"-"` where the unit meets no concept.
        iou: Intersection over union, over all images, 0 to 1.
        truth: Pixels that have the label.
        active: Pixels where the unit is active, in images that hold the category.
        intersection: Pixels that are both.
    """

    unit: int
    category: str
    label: str
    iou: float
    truth: int
    active: int
    intersection: int


@dataclass(frozen=True, eq=False)
class LayerDissection:
    """What was counted of a layer.

    Attributes:
        layer: Its name.
        thresholds: (c,) above which a unit is active.
        intersection: (c, n) pixels where unit and concept meet.
        active: (c, categories) active pixels in images that hold a category.
        truth: (n,) pixels that have each label.
        vocabulary: The concepts.
    """

    layer: str
    thresholds: NDArray[np.float64]
    intersection: Ints
    active: Ints
    truth: Ints
    vocabulary: Vocabulary

    @property
    def units(self) -> int:
        """How many units the layer has."""
        return len(self.thresholds)

    @cached_property
    def iou(self) -> NDArray[np.float64]:
        """(c, n) intersection over union; 0 where there is neither, and for number 0."""
        active = self.active[:, list(self.vocabulary.primary)]
        union = active + self.truth - self.intersection
        found: NDArray[np.float64] = self.intersection / np.maximum(union, 1)
        found[:, 0] = 0
        return found

    def match(self, unit: int, number: int) -> Match:
        """Put a unit and a concept side by side."""
        category = self.vocabulary.primary[number]
        return Match(
            unit,
            self.vocabulary.categories[category],
            self.vocabulary.names[number],
            float(self.iou[unit, number]),
            int(self.truth[number]),
            int(self.active[unit, category]),
            int(self.intersection[unit, number]),
        )

    def matches(self, unit: int, count: int = 5) -> list[Match]:
        """Return the concepts that a unit matches best, best first, those with an IoU above 0.

        Raises:
            UnitError: The layer has no such unit.
        """
        if not 0 <= unit < self.units:
            raise UnitError(f"{self.layer} has units 0 to {self.units - 1}, and so no unit {unit}")
        order = np.argsort(-self.iou[unit], kind="stable")[:count]
        return [self.match(unit, int(n)) for n in order if self.iou[unit, n] > 0]

    def best(self, unit: int) -> Match:
        """Return the concept that a unit matches best; `"-"` where there is none."""
        return next(iter(self.matches(unit, 1)), Match(unit, NONE, NONE, 0.0, 0, 0, 0))

    def best_of(self, unit: int, category: str) -> Match:
        """Return the concept of a category that a unit matches best."""
        index = self.vocabulary.categories.index(category)
        own = np.where(np.array(self.vocabulary.primary) == index, self.iou[unit], 0)
        number = int(own.argmax())
        if not own[number]:
            return Match(unit, category, "", 0.0, 0, 0, 0)
        return self.match(unit, number)

    def ranked(self) -> list[Match]:
        """Return the best match of every unit, the best first."""
        order = np.argsort(-self.iou.max(1), kind="stable")
        return [self.best(int(unit)) for unit in order]

    def detectors(self, minimum: float = MINIMUM) -> list[Match]:
        """Return the units that detect a concept, the best first."""
        return [match for match in self.ranked() if match.iou >= minimum]

    def unique(self, minimum: float = MINIMUM) -> dict[str, list[str]]:
        """Return which concepts are detected by any unit, by category: unique detectors."""
        found: dict[str, list[str]] = {name: [] for name in self.vocabulary.categories}
        for match in self.detectors(minimum):
            if match.label not in found[match.category]:
                found[match.category].append(match.label)
        return found

    def rows(self) -> list[dict[str, Any]]:
        """Return the table of the original: a row for each unit, the best first; units from 1."""
        rows = []
        for best in self.ranked():
            row: dict[str, Any] = {
                "unit": best.unit + 1,
                "category": best.category,
                "label": best.label,
                "score": best.iou,
            }
            for category in self.vocabulary.categories:
                own = self.best_of(best.unit, category)
                row |= {
                    f"{category}-label": own.label,
                    f"{category}-truth": own.truth,
                    f"{category}-activation": own.active,
                    f"{category}-intersect": own.intersection,
                    f"{category}-iou": own.iou,
                }
            rows.append(row)
        return rows

    def write_csv(self, path: str | Path) -> Path:
        """Write that table as CSV, with the columns of the original.

        Raises:
            OutputError: It cannot be written there.
        """
        text, rows = io.StringIO(newline=""), self.rows()
        table = csv.DictWriter(text, list(rows[0]), lineterminator="\r\n")
        table.writeheader()
        table.writerows(rows)
        with replacing(path) as file:
            file.write(text.getvalue().encode())
        return Path(path)

    def as_json(self, minimum: float = MINIMUM) -> dict[str, Any]:
        """Say everything of the layer that a script may want; units from 0."""
        return {
            "layer": self.layer,
            "units": self.units,
            "detectors": len(self.detectors(minimum)),
            "unique": self.unique(minimum),
            "results": [
                {
                    "unit": best.unit,
                    "threshold": float(self.thresholds[best.unit]),
                    "concepts": [_told(match) for match in self.matches(best.unit)],
                }
                for best in self.ranked()
            ],
        }


def _told(match: Match) -> dict[str, Any]:
    return {name: value for name, value in asdict(match).items() if name != "unit"}


def histogram(matches: Sequence[Match]) -> dict[tuple[str, str], int]:
    """Count how many units there are for each category and concept, the most first."""
    counts: dict[tuple[str, str], int] = {}
    for match in matches:
        pair = match.category, match.label
        counts[pair] = counts.get(pair, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
