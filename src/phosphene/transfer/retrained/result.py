"""What a retrained softmax came to: how much is right, by how much was learned from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from phosphene.panel import Panel, Plot, Series, Shows, Table
from phosphene.transfer.retrained.settings import RetrainedSetting


@dataclass(frozen=True, eq=False)
class Retrained(Shows):
    """How well classes are told by a frozen layer.

    Attributes:
        network: What was looked through.
        setting: How.
        classes: Their names.
        right: By count of photographs learned from: (splits, classes), the share that is right.
        dimensions: How many numbers the layer says.
        facts: With what it was made, by name.
        notes: What a person should know.
        ended: Whether it was, or was interrupted and can go on.
    """

    network: str
    setting: RetrainedSetting
    classes: tuple[str, ...]
    right: Mapping[int, NDArray[np.float64]]
    dimensions: int
    facts: Mapping[str, str]
    notes: tuple[str, ...] = ()
    ended: Literal["done", "interrupted"] = "done"

    @property
    def curve(self) -> dict[int, tuple[float, float | None]]:
        """Mean accuracy by count, and its standard deviation over splits (over n - 1).

        There is no deviation of a single split.
        """
        found = {}
        for count, shares in self.right.items():
            each = shares.mean(axis=1)
            spread = float(np.std(each, ddof=1)) if len(each) > 1 else None
            found[count] = (float(each.mean()), spread)
        return found

    @property
    def score(self) -> float | None:
        """Mean accuracy over classes and splits with the largest count, in [0, 1].

        `None` if it was interrupted.
        """
        return None if self.ended != "done" else self.curve[max(self.right)][0]

    @property
    def interrupted(self) -> bool:
        """Whether it was stopped, and can go on."""
        return self.ended == "interrupted"

    @property
    def by_class(self) -> dict[str, float]:
        """Accuracy of every class, over splits, with the largest count that is done."""
        if not self.right:
            return {}
        means = self.right[max(self.right)].mean(axis=0).tolist()
        return dict(zip(self.classes, means, strict=True))

    def table(self) -> Table:
        """Give mean accuracy and spread by count."""
        rows = tuple(
            (str(count), round(mean, 4), None if spread is None else round(spread, 4))
            for count, (mean, spread) in self.curve.items()
        )
        splits = self.setting.splits
        note = f"mean over classes; spread is the standard deviation over {splits} splits"
        return Table("Accuracy", ("photographs of each class", "accuracy", "spread"), rows, note)

    def panel(self) -> Panel:
        """Show the curve and the table."""
        curve = self.curve
        x = tuple(map(float, curve))
        spread = tuple(s or 0.0 for _, s in curve.values())
        line = Series(self.network, x, tuple(mean for mean, _ in curve.values()), spread)
        plot = Plot("Accuracy", (line,), "photographs of each class", "mean accuracy")
        title = f"{self.setting.teacher} on {self.setting.layer} of {self.network}"
        plots = (plot,) if curve else ()
        return Panel(title, (), self.facts, self.notes, plots, (self.table(),))

    def as_json(self) -> dict[str, Any]:
        """Give all numbers, for scripts."""
        return {
            "protocol": "retrained",
            "network": self.network,
            "ended": self.ended,
            "score": self.score,
            "curve": {str(n): {"mean": m, "spread": s} for n, (m, s) in self.curve.items()},
            "splits": {str(n): shares.mean(axis=1).tolist() for n, shares in self.right.items()},
            "by_class": self.by_class,
            "dimensions": self.dimensions,
            "setting": self.setting.facts(),
            "facts": dict(self.facts),
            "notes": list(self.notes),
        }
