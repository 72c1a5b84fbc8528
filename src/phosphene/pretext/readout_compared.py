"""Several kinds of features, read out side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from phosphene.errors import SettingError
from phosphene.panel import Panel, Plot, Series, Shows, Table
from phosphene.pretext.readout_shown import Readout


@dataclass(frozen=True, eq=False)
class Compared(Shows):
    """Readouts by what was read, each of several seeds.

    The seeds should be of the whole: of weights, training and pixels.

    Attributes:
        readouts: By name, in the order they are shown.

    Raises:
        SettingError: There are none.
    """

    readouts: Mapping[str, Sequence[Readout]]

    def __post_init__(self) -> None:
        if not self.readouts or not all(self.readouts.values()):
            raise SettingError("there are no readouts to compare: give one or more for each name")

    def scores(self, name: str) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return mean and standard deviation over seeds of average precision, and of IoU.

        The deviation is over n - 1; NaN for a single seed.
        """
        each = self.readouts[name]
        return (
            _summary([one.average_precision for one in each]),
            _summary([one.iou for one in each]),
        )

    def table(self) -> Table:
        """Give means over held-out sequences and seeds, and spreads over seeds."""
        rows = []
        for name, each in self.readouts.items():
            cells = [None if v != v else round(v, 3) for pair in self.scores(name) for v in pair]
            rows.append((name, len(each), each[0].dimensions, *cells))
        return Table(
            "Foreground read out",
            ("features", "seeds", "numbers", "average precision", "spread", "IoU", "spread"),
            tuple(rows),
            "means over held-out sequences; spread is the standard deviation over seeds",
        )

    def panel(self) -> Panel:
        """Show bars and the table."""
        names = tuple(self.readouts)
        plots = []
        for place, title in enumerate(("average precision", "IoU")):
            pairs = [self.scores(name)[place] for name in names]
            spread = tuple(0.0 if s != s else s for _, s in pairs)
            series = Series("", names, tuple(mean for mean, _ in pairs), spread)
            plots.append(Plot(f"Foreground read out: {title}", (series,), "", title, "bars"))
        return Panel("Features compared", (), {}, (), tuple(plots), (self.table(),))


def _summary(values: Sequence[float]) -> tuple[float, float]:
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return float(np.mean(values)), deviation
