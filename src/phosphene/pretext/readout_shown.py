"""What a readout came to: scores of every held-out sequence, and frames with what was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from phosphene.image import to_image
from phosphene.motion.tiles import heat_tile
from phosphene.panel import Panel, Shows, Table, Tile

_COVER = 0.55
_FOUND = (0.99, 0.66, 0.16)


@dataclass(frozen=True)
class Held:
    """Scores of one held-out sequence.

    Attributes:
        average_precision: Of ranking its pixels; NaN if nothing is in front.
        iou: At the threshold chosen on training data; NaN if nothing is in front, nor found.
        front: The share of its pixels that is in front: the average precision of ranking at random.
    """

    average_precision: float
    iou: float
    front: float


@dataclass(frozen=True, eq=False)
class Readout(Shows):
    """How well what is in front can be read out of features.

    Attributes:
        features: What was read.
        dimensions: How long it is.
        sequences: Scores by held-out sequence.
        c: C of the regression.
        threshold: From which score on pixels count as in front.
        seed: Of the pixels looked at.
        shown: Of some held-out frames: name, (3, h, w) image, (h, w) labels, (h, w) scores.
    """

    features: str
    dimensions: int
    sequences: dict[str, Held]
    c: float
    threshold: float
    seed: int
    shown: tuple[tuple[str, torch.Tensor, NDArray[Any], NDArray[np.float64]], ...] = ()

    @property
    def average_precision(self) -> float:
        """Mean over sequences."""
        return _mean([held.average_precision for held in self.sequences.values()])

    @property
    def iou(self) -> float:
        """Mean over sequences."""
        return _mean([held.iou for held in self.sequences.values()])

    @property
    def spread(self) -> tuple[float, float]:
        """Standard deviations over sequences, of average precision and IoU, over n - 1."""
        each = self.sequences.values()
        return _deviation([h.average_precision for h in each]), _deviation([h.iou for h in each])

    def table(self) -> Table:
        """Give the scores of every sequence."""
        rows = [
            (
                name,
                *(None if v != v else round(v, 3) for v in (h.average_precision, h.iou, h.front)),
            )
            for name, h in self.sequences.items()
        ]
        front = round(_mean([h.front for h in self.sequences.values()]), 3)
        mean = ("mean", round(self.average_precision, 3), round(self.iou, 3), front)
        return Table(
            "Held-out sequences",
            ("sequence", "average precision", "IoU", "in front"),
            (*rows, mean),
            "over pixels; by chance the average precision is the share in front",
        )

    def panel(self) -> Panel:
        """Show held-out frames with what was found in front, and the table."""
        frames, found, truth = [], [], []
        for name, image, labels, scores in self.shown:
            front, known = labels > 0, labels >= 0
            both = ((scores >= self.threshold) & front)[known].sum()
            either = ((scores >= self.threshold) | front)[known].sum()
            frames.append(Tile(to_image(image), name))
            told = f"found, IoU {both / either:.2f}" if either else "found: nothing"
            found.append(Tile(to_image(self._over(image, scores)), told))
            shown = np.where(known, front.astype(np.float32), np.nan)
            truth.append(heat_tile(shown, 1.0, "truth"))
        spread = self.spread
        facts = {
            "features": f"{self.features} ({self.dimensions} numbers)",
            "average precision": f"{self.average_precision:.3f} (spread {spread[0]:.3f})",
            "IoU": f"{self.iou:.3f} (spread {spread[1]:.3f})",
            "regression": f"C {self.c:g}, threshold {self.threshold:.3g}, seed {self.seed}",
        }
        rows = tuple(("", tuple(row)) for row in (frames, found, truth) if row)
        return Panel("Foreground read out", rows, facts, tables=(self.table(),))

    def as_json(self) -> dict[str, Any]:
        """Give all numbers, for scripts; what cannot be measured is `None`."""

        def told(value: float) -> float | None:
            return None if value != value else value

        return {
            "features": self.features,
            "dimensions": self.dimensions,
            "average_precision": told(self.average_precision),
            "iou": told(self.iou),
            "spread": [told(value) for value in self.spread],
            "c": self.c,
            "threshold": self.threshold,
            "seed": self.seed,
            "sequences": {
                name: {k: told(v) for k, v in vars(held).items()}
                for name, held in self.sequences.items()
            },
        }

    def _over(self, image: torch.Tensor, scores: NDArray[np.float64]) -> torch.Tensor:
        """Lay what was found over a gray frame."""
        gray = image.mean(0, keepdim=True).expand(3, -1, -1)
        found = torch.from_numpy(scores >= self.threshold)[None] * _COVER
        return gray * (1 - found) + torch.tensor(_FOUND)[:, None, None] * found


def _mean(values: list[float]) -> float:
    known = [value for value in values if value == value]
    return float(np.mean(known)) if known else float("nan")


def _deviation(values: list[float]) -> float:
    known = [value for value in values if value == value]
    return float(np.std(known, ddof=1)) if len(known) > 1 else float("nan")
