"""What a labelling came to: how well classes of pixels were found, and pictures of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from phosphene.panel import Panel, Plot, Series, Shows, Table, Tile
from phosphene.training.run import Epoch
from phosphene.transfer.labelling.pictures import drawn, own_iou
from phosphene.transfer.labelling.settings import LabellingSetting
from phosphene.transfer.scores.mean_iou import Confusion


@dataclass(frozen=True, eq=False)
class Shown:
    """A test photograph with what was found.

    Attributes:
        name: What to call it.
        image: It, RGB.
        truth: (h, w) its classes.
        found: (h, w) those that were found.
    """

    name: str
    image: Image.Image
    truth: NDArray[np.uint8]
    found: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Labelling(Shows):
    """How well a network told the classes of pixels.

    Attributes:
        network: What to call it.
        setting: The protocol.
        classes: Names of all classes, the ground included.
        confusion: Pixels of the test photographs, counted.
        falls: Updates behind which the rate fell; behind the last training ended.
        history: Of every stage that was run, its epochs.
        facts: What was done, by name.
        notes: What a person should know.
        shown: Some test photographs.
        interrupted: Whether it was stopped by hand while it learned, and can go on; nothing was
            tested then, and `confusion` is empty.
    """

    network: str
    setting: LabellingSetting
    classes: tuple[str, ...]
    confusion: Confusion
    falls: tuple[int, ...]
    history: Mapping[str, tuple[Epoch, ...]]
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    shown: tuple[Shown, ...] = ()
    interrupted: bool = False

    @property
    def score(self) -> float:
        """Mean IoU, in [0, 1]; NaN if it was interrupted."""
        return self.confusion.mean

    @property
    def by_class(self) -> dict[str, float]:
        """IoU by class; NaN for those that are not there and were not found."""
        return dict(zip(self.classes, self.confusion.by_class.tolist(), strict=True))

    def table(self) -> Table:
        """Give IoU by class, and the shares of pixels."""
        total = max(int(self.confusion.counts.sum()), 1)
        truth, found = (self.confusion.counts.sum(axis) / total for axis in (1, 0))
        rows = [
            (name, None if iou != iou else round(iou, 3), round(float(t), 3), round(float(f), 3))
            for (name, iou), t, f in zip(self.by_class.items(), truth, found, strict=True)
        ]
        return Table(
            "Classes of pixels",
            ("class", "IoU", "share", "share found"),
            (*rows, ("mean", round(self.score, 3), None, None)),
            "over the pixels of all test photographs together",
        )

    def panel(self) -> Panel:
        """Show photographs, the truth, what was found, how it was learned, and the table."""
        rows = tuple((one.name, _tiles(one)) for one in self.shown)
        title = f"Classes of pixels by {self.network}"
        plots = tuple(self._plots())
        if self.interrupted:
            facts = {"network": self.network, "ended": "interrupted, and can go on"}
            return Panel(title, (), facts, self.notes, plots)
        score = {
            "network": self.network,
            "mean IoU": f"{self.score:.3f}",
            "pixel accuracy": f"{self.confusion.accuracy:.3f}",
        }
        return Panel(title, rows, {**score, **self.facts}, self.notes, plots, (self.table(),))

    def _plots(self) -> list[Plot]:
        plots = []
        for name, epochs in self.history.items():
            x = tuple(float(epoch.number * self.setting.check) for epoch in epochs)
            if len(x) < 2:
                continue
            losses = (Series("", x, tuple(epoch.loss for epoch in epochs)),)
            plots.append(Plot(f"{name}: loss", losses, "updates", "cross entropy"))
            measured = tuple(e.measured for e in epochs if e.measured is not None)
            if len(measured) == len(x):
                title = f"{name}: held-out pixels"
                plots.append(Plot(title, (Series("", x, measured),), "updates", "accuracy"))
        return plots

    def as_json(self) -> dict[str, Any]:
        """Give all numbers, for scripts; what cannot be measured is `None`."""

        def told(value: float) -> float | None:
            return None if value != value else value

        return {
            "network": self.network,
            "score": told(self.score),
            "pixel_accuracy": told(self.confusion.accuracy),
            "by_class": {name: told(value) for name, value in self.by_class.items()},
            "confusion": self.confusion.counts.tolist(),
            "falls": list(self.falls),
            "history": {name: [vars(e) for e in epochs] for name, epochs in self.history.items()},
            "facts": dict(self.facts),
            "notes": list(self.notes),
            "setting": self.setting.facts(),
            "interrupted": self.interrupted,
        }


def _tiles(one: Shown) -> tuple[Tile, ...]:
    return (
        Tile(one.image),
        Tile(drawn(one.image, one.truth), "truth"),
        Tile(
            drawn(one.image, one.found),
            f"found, mean IoU {own_iou(one.truth, one.found):.2f}",
        ),
    )
