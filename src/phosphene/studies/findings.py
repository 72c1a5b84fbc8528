"""What a study ends in: tables, plots, pictures, and every number behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from phosphene.image import replacing
from phosphene.panel import Panel, Plot, Shows, Table, Tile
from phosphene.studies.plain import JSON, encoded, plain


@dataclass(frozen=True, eq=False)
class Findings(Shows):
    """What was found in a study.

    Attributes:
        name: Of the study, as `phosphene study` takes it.
        title: Heading.
        tables: Numbers as the paper tabulates them.
        plots: Numbers as the paper draws them.
        rows: Pictures: a heading and its tiles, row by row.
        facts: What was done, by name; enough to do it again.
        warnings: Sentences a person should not miss.
        data: All numbers, for programs: whatever `studies.plain` can write.
        files: Texts to stand beside the page in a folder, by file name.
    """

    name: str
    title: str
    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()
    rows: tuple[tuple[str, tuple[Tile, ...]], ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def panel(self) -> Panel:
        """Lay out pictures, plots and tables on one sheet."""
        return Panel(self.title, self.rows, self.facts, self.warnings, self.plots, self.tables)

    def as_json(self) -> dict[str, JSON]:
        """Return all numbers with what they are about; NaN and infinity as null."""
        found = {
            "study": self.name,
            "title": self.title,
            "facts": {name: str(fact) for name, fact in self.facts.items()},
            "warnings": self.warnings,
            "data": self.data,
        }
        return {name: plain(value) for name, value in found.items()}

    def save(self, path: str | Path) -> Path:
        """Write what was found.

        Args:
            path: As for every result; a folder also gets `data.json`, with all numbers, and the
                study's own files.

        Returns:
            The file, or the folder's page.

        Raises:
            OutputError: It cannot be written there.
        """
        place = super().save(path)
        if place != Path(path):
            for name, text in self.files.items():
                _write(place.with_name(name), text.encode())
            _write(place.with_name("data.json"), encoded(self.as_json()))
        return place


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as file:
        file.write(content)
