"""What a classification came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from phosphene.panel import Panel, Plot, Series, Shows, Table
from phosphene.training.run import Epoch
from phosphene.transfer.classification.settings import ClassificationSetting
from phosphene.transfer.scores.average_precision import Precisions


@dataclass(frozen=True, eq=False)
class Classification(Shows):
    """How well photographs' classes are told by what a network became.

    Attributes:
        network: What was fine-tuned.
        setting: How.
        precisions: Average precision by class; `None` if it was interrupted, and can go on.
        scores: (n, classes), mean scores of the test photographs; likewise.
        history: Epochs of training.
        facts: With what it was made, by name.
        notes: What a person should know.
        ended: Whether it was.
    """

    network: str
    setting: ClassificationSetting
    precisions: Precisions | None
    scores: NDArray[np.float64] | None
    history: tuple[Epoch, ...]
    facts: Mapping[str, str]
    notes: tuple[str, ...] = ()
    ended: Literal["done", "interrupted"] = "done"

    @property
    def score(self) -> float | None:
        """Mean average precision, in [0, 1]; `None` if it was interrupted."""
        return None if self.precisions is None else self.precisions.mean

    @property
    def interrupted(self) -> bool:
        """Whether it was stopped, and can go on."""
        return self.ended == "interrupted"

    @property
    def by_class(self) -> Mapping[str, float]:
        """Average precision of every class that the test photographs show."""
        return {} if self.precisions is None else self.precisions.by_class

    def table(self) -> Table:
        """Give the average precision of every class, and their mean."""
        rows: list[tuple[str, float | None]] = [(k, round(v, 4)) for k, v in self.by_class.items()]
        if self.score is not None:
            rows.append(("mean", round(self.score, 4)))
        what = f"definition {self.setting.definition!r}, {self.setting.tests} crops a photograph"
        return Table("Average precision", ("class", "average precision"), tuple(rows), what)

    def panel(self) -> Panel:
        """Show the table, and how the loss fell."""
        title = f"Classification from {self.setting.layer} of {self.network}"
        numbers = tuple(float(e.number) for e in self.history)
        losses = Series("", numbers, tuple(e.loss for e in self.history))
        plots = (Plot("Training", (losses,), "epoch", f"{self.setting.loss} loss"),)
        return Panel(
            title, (), self.facts, self.notes, plots if self.history else (), (self.table(),)
        )

    def as_json(self) -> dict[str, Any]:
        """Give all numbers, for scripts."""
        return {
            "protocol": "classification",
            "network": self.network,
            "ended": self.ended,
            "score": self.score,
            "by_class": dict(self.by_class),
            "left_out": list(self.precisions.left_out) if self.precisions else [],
            "setting": self.setting.facts(),
            "facts": dict(self.facts),
            "notes": list(self.notes),
            "history": [vars(epoch) for epoch in self.history],
        }
