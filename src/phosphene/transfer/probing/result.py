"""What probing comes to: how well classes can be told apart, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import nan
from typing import Any

from phosphene.panel import Panel, Plot, Series, Shows, Table
from phosphene.transfer.probing.grids import Grid


@dataclass(frozen=True)
class Probed:
    """What a layer's probe came to.

    Attributes:
        layer: Name of the layer.
        maps: (c, h, w) that it puts out.
        grid: Rows and columns these were brought to.
        way: How.
        rectified: Whether negative numbers were set to 0 first.
        top1: Share of the test images whose class has the highest score.
        top5: Share of those whose class is among the highest five; `None` with five classes or
            fewer.
        by_class: Top-1 of each class's images; `None` where there were none.
    """

    layer: str
    maps: tuple[int, int, int]
    grid: tuple[int, int]
    way: str
    rectified: bool
    top1: float
    top5: float | None
    by_class: Mapping[str, float | None] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        layer: str,
        grid: Grid,
        rectified: bool,
        top1: float,
        top5: float | None,
        by_class: Mapping[str, float | None],
    ) -> Probed:
        """Note the scores of a layer beside how it was read."""
        maps = (grid.channels, *grid.size)
        return cls(layer, maps, grid.side, grid.way, rectified, top1, top5, by_class)

    @property
    def numbers(self) -> int:
        """How many numbers the classifier looks at."""
        return self.maps[0] * self.grid[0] * self.grid[1]


@dataclass(frozen=True)
class ProbingResult(Shows):
    """Accuracies of the linear probes of layers.

    Attributes:
        network: What was probed.
        protocol: How, in words: cached features are another protocol than random crops.
        layers: What each came to, in the order of their names in the setting; none where the run
            was stopped, and can go on.
        facts: All constants, the sets, and versions.
        notes: What a person should know.
        interrupted: Whether it was stopped by hand.
        seconds: How long this part of the run took.
    """

    network: str
    protocol: str
    layers: tuple[Probed, ...]
    facts: Mapping[str, str]
    notes: tuple[str, ...] = ()
    interrupted: bool = False
    seconds: float = 0.0

    @property
    def best(self) -> Probed | None:
        """The layer with the highest top-1 accuracy; the first of equals."""
        return max(self.layers, key=lambda probed: probed.top1, default=None)

    @property
    def score(self) -> float:
        """Top-1 accuracy of the best layer; NaN where the run was stopped."""
        return self.best.top1 if self.best else nan

    @property
    def by_class(self) -> Mapping[str, float | None]:
        """Top-1 accuracy of the best layer, by class."""
        return self.best.by_class if self.best else {}

    def table(self) -> Table:
        """Give accuracies by layer, in per cent."""

        def percent(share: float | None) -> float | None:
            return None if share is None else round(100 * share, 2)

        rows = tuple(
            (
                probed.layer,
                percent(probed.top1),
                percent(probed.top5),
                f"{probed.maps[0]} x {probed.grid[0]}x{probed.grid[1]}",
                f"{probed.way}{', rectified' if probed.rectified else ''}",
            )
            for probed in self.layers
        )
        columns = ("layer", "top-1", "top-5", "features", "resized")
        return Table("Linear probes", columns, rows, f"per cent of test images; {self.protocol}")

    def curve(self) -> Plot:
        """Draw accuracies over depth."""
        names = tuple(probed.layer for probed in self.layers)
        lines = [Series("top-1", names, tuple(100 * probed.top1 for probed in self.layers))]
        known = [100 * probed.top5 for probed in self.layers if probed.top5 is not None]
        if len(known) == len(names):
            lines.append(Series("top-5", names, tuple(known)))
        return Plot("Accuracy over depth", tuple(lines), "layer", "test images in %")

    def panel(self) -> Panel:
        """Show the curve over depth, and the table."""
        facts = {"protocol": self.protocol, **self.facts}
        title = f"Linear probes of {self.network}"
        if not self.layers:
            more = "the run was stopped: call it again with its folder to go on"
            return Panel(title, (), facts, (*self.notes, more))
        return Panel(title, (), facts, self.notes, (self.curve(),), (self.table(),))

    def as_json(self) -> dict[str, Any]:
        """Give all numbers, for scripts; what was not measured is `None`."""
        layers = [{**asdict(probed), "numbers": probed.numbers} for probed in self.layers]
        return {
            "network": self.network,
            "protocol": self.protocol,
            "score": self.best.top1 if self.best else None,
            "best": self.best.layer if self.best else None,
            "layers": layers,
            "facts": dict(self.facts),
            "notes": list(self.notes),
            "interrupted": self.interrupted,
            "seconds": self.seconds,
        }
