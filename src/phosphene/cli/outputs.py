"""Where the results of a run go: a picture, a page, or a folder that a later run continues."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from phosphene.cli.collected import Collected, write
from phosphene.cli.records import Record, lines_of, names_of, record_of
from phosphene.errors import ImageError

if TYPE_CHECKING:
    from phosphene.panel import Panel
    from phosphene.saliency.result import Explanation


class Output(Collected):
    """Collects explanations and writes them, also when the run is interrupted.

    A picture or page is written once, at the end or at the interruption, with what is there by
    then. A folder gets a picture and a record for each photograph as soon as it is done; the next
    run with the same arguments takes up where this one stopped.
    """

    done, undone = "explained", "explained"

    def __init__(self, place: str | None) -> None:
        super().__init__(place)
        self._panels: list[Panel] = []

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what there is, whether the run came to its end or not."""
        if self.path is None:
            return
        if self.folder and self.records:
            from phosphene.cli.index import index_page

            records = sorted(self.records, key=lambda record: str(record["photograph"]))
            write(self.path / "index.html", index_page(records, self.names, self.failed))
        elif self._panels:
            from phosphene.view import save

            save(_as_one(self._panels), self.path)
        else:
            self._place.release()

    def takes(
        self, given: Iterable[Path], files: Iterable[Path], rows: int, tiles: int
    ) -> list[Path]:
        """Return the photographs to explain: results of an earlier run are none.

        Args:
            given: The files and folders asked for.
            files: The image files behind them.
            rows: How many rows of pictures each photograph will get.
            tiles: How many pictures are in a row.

        Raises:
            ImageError: There are none.
            OutputError: They are too many for one picture or page, or would be overwritten.
        """
        self._place.spare(given, "explain")
        found = [file for file in files if not self._wrote(file)]
        if not found:
            raise ImageError("there are no photographs but phosphene's own results")
        self.names = names_of(found)
        self._place.allow(len(found) * rows, tiles)
        return found

    def add(self, file: Path, explanation: Explanation) -> None:
        """Take one photograph's explanation, and write it if it goes to a folder."""
        record = record_of(file, explanation)
        if self.path is not None and self.folder:
            from phosphene.view import save

            record["panel"] = self._name(file) + ".png"
            save(replace(explanation.panel(), title=""), self.path / record["panel"])
            self._keep(file, record)
        elif self.path is not None:
            self._panels.append(explanation.panel())
        self.records.append(record)

    def as_json(self) -> dict[str, Any]:
        """Return everything that was found, for scripts."""
        records = [{k: v for k, v in r.items() if k != "facts"} for r in self.records]
        facts = self.records[0]["facts"] if self.records else {}
        output = None if self.path is None else str(self.path)
        return {"output": output, "facts": facts, "results": records, "failed": self.failed}

    def _lines(self) -> Iterable[str]:
        return lines_of(self.records, self.names)

    def _files(self, record: Record) -> Iterable[str]:
        return (record["panel"],)

    def _wrote(self, file: Path) -> bool:
        if self.path is None or not self.folder:
            return self._place.is_at(file)
        here = file.resolve().parent == self.path.resolve()
        return here and file.suffix == ".png" and file.with_suffix(".json").exists()


def _as_one(panels: Sequence[Panel]) -> list[Panel]:
    """Join panels that differ in their photographs only."""
    joined: dict[tuple[str, ...], Panel] = {}
    for panel in panels:
        key = (panel.title, *map(str, panel.facts.items()))
        first = joined.get(key)
        if first is None:
            joined[key] = panel
        else:
            rows, warnings = first.rows + panel.rows, first.warnings + panel.warnings
            joined[key] = replace(panel, rows=rows, warnings=warnings)
    return list(joined.values())
