"""Networks as rows, what was measured of them as columns, and what others reported beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phosphene.errors import SettingError
from phosphene.panel import Panel, Plot, Series, Shows, Table
from phosphene.transfer.published import Quoted, published

Score = tuple[float, float | None]
"""A number in [0, 1], and its standard deviation over repetitions, if there were any."""


@dataclass(frozen=True, eq=False)
class Compared(Shows):
    """One protocol, several networks, the same seeds and splits for all.

    Attributes:
        title: What was measured, by which protocol.
        scores: By network, and by column: a number and its spread. Columns of the first network.
        benchmarks: What others reported numbers for, by column (`published`); none if empty.
        setting: What all runs were told.
        notes: What a person should know.

    Raises:
        SettingError: There is no network, or they have not the same columns.
    """

    title: str
    scores: Mapping[str, Mapping[str, Score]]
    benchmarks: Mapping[str, str] = field(default_factory=dict)
    setting: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.scores:
            raise SettingError("there are no networks to compare: give one or more")
        for name, row in self.scores.items():
            if list(row) != list(self.columns):
                raise SettingError(
                    f"{name} was measured by {', '.join(row)}, others by "
                    f"{', '.join(self.columns)}: measure all alike"
                )

    @property
    def columns(self) -> tuple[str, ...]:
        """What was measured."""
        return tuple(next(iter(self.scores.values())))

    def table(self) -> Table:
        """Give what was measured here, in percent."""
        spread = any(s is not None for row in self.scores.values() for _, s in row.values())
        heads = [head for name in self.columns for head in ((name, "±") if spread else (name,))]
        rows = []
        for name, row in self.scores.items():
            cells: list[str | float | None] = [name]
            for value, deviation in row.values():
                cells.append(_percent(value))
                if spread:
                    cells.append(None if deviation is None else _percent(deviation))
            rows.append(tuple(cells))
        return Table(f"{self.title}: measured here", ("network", *heads), tuple(rows), "percent")

    def quoted(self) -> Table | None:
        """Give what others reported, in percent; `None` where nothing was."""
        columns = [name for name in self.columns if name in self.benchmarks]
        rows: dict[tuple[str, ...], dict[str, float]] = {}
        for column in columns:
            for one in published(self.benchmarks[column]):
                rows.setdefault(_key(one), {})[column] = one.percent
        if not rows:
            return None
        return Table(
            f"{self.title}: reported by others",
            ("method", "learned from", "network", "source", "table", *columns),
            tuple((*key, *(held.get(column) for column in columns)) for key, held in rows.items()),
            "percent, quoted from Mahendran's thesis: nothing of it was measured here",
        )

    def panel(self) -> Panel:
        """Show what was measured, and what was reported."""
        plots = []
        if len(self.columns) > 1:
            series = [
                Series(
                    name,
                    self.columns,
                    tuple(100 * value for value, _ in row.values()),
                    tuple(100 * (deviation or 0) for _, deviation in row.values()),
                )
                for name, row in self.scores.items()
            ]
            plots.append(Plot(self.title, tuple(series), "", "percent", "bars"))
        reported = self.quoted()
        tables = (self.table(), *((reported,) if reported else ()))
        facts = {name: str(value) for name, value in self.setting.items()}
        return Panel(self.title, (), facts, self.notes, tuple(plots), tables)

    def as_json(self) -> dict[str, Any]:
        """Give all numbers, for scripts, what was measured apart from what was quoted."""
        return {
            "title": self.title,
            "setting": dict(self.setting),
            "measured": {
                name: {
                    column: {"value": value, "spread": deviation}
                    for column, (value, deviation) in row.items()
                }
                for name, row in self.scores.items()
            },
            "quoted": {
                column: [vars(one) for one in published(benchmark)]
                for column, benchmark in self.benchmarks.items()
            },
            "notes": list(self.notes),
        }


def over_seeds(values: Sequence[float]) -> Score:
    """Return mean and standard deviation (over n - 1) of repetitions; no deviation of a single one.

    >>> over_seeds([0.25, 0.75])[0]
    0.5
    """
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, None
    return mean, (sum((v - mean) ** 2 for v in values) / (len(values) - 1)) ** 0.5


def _percent(value: float) -> float | None:
    return None if value != value else round(100 * value, 1)


def _key(one: Quoted) -> tuple[str, ...]:
    return one.method, one.supervision, one.network, one.source, one.table
