"""Where the results of a run go: a picture, a page, or a folder that a later run continues."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from phosphene.cli.places import Place
from phosphene.cli.records import Record, lines_of, names_of, record_of
from phosphene.errors import ImageError

if TYPE_CHECKING:
    from phosphene.panel import Panel
    from phosphene.saliency.result import Explanation

_MOST_LINES = 20


class Output:
    """Collects explanations and writes them, also when the run is interrupted.

    A picture or page is written once, at the end or at the interruption, with what is there by
    then. A folder gets a picture and a record for each photograph as soon as it is done; the next
    run with the same arguments takes up where this one stopped.

    Attributes:
        path: Where to; `None` writes nothing.
        folder: Whether it is a folder.
        records: What was found, photograph by photograph.
        failed: What could not be explained and why, by file.
        kept: How many of the records an earlier run has made.
        names: What to call each photograph.
    """

    def __init__(self, place: str | None) -> None:
        self._place = Place(place)
        self.path, self.folder = self._place.path, self._place.folder
        self.records: list[Record] = []
        self.failed: dict[str, str] = {}
        self.kept = 0
        self.names: dict[str, str] = {}
        self._about = ""
        self._panels: list[Panel] = []

    def __enter__(self) -> Output:
        """Make sure that there is a place to write to, before any work is done."""
        self._place.claim()
        return self

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
            from phosphene.image import replacing

            records = sorted(self.records, key=lambda record: str(record["photograph"]))
            with replacing(self.path / "index.html") as out:
                out.write(index_page(records, self.names, self.failed).encode())
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

    def missing(self, files: Sequence[Path], about: Mapping[str, Any]) -> list[Path]:
        """Return the photographs that an earlier run into the same folder has not done.

        Args:
            files: The photographs.
            about: Everything that the results depend on.
        """
        self._about = json.dumps({k: str(v) for k, v in about.items()}, sort_keys=True)
        earlier = {file: self._read(file) if self.folder else None for file in files}
        self.records += [record for record in earlier.values() if record]
        self.kept = len(self.records)
        return [file for file, record in earlier.items() if record is None]

    def add(self, file: Path, explanation: Explanation) -> None:
        """Take one photograph's explanation, and write it if it goes to a folder."""
        record = record_of(file, explanation)
        if self.path is not None and self.folder:
            from phosphene.image import replacing
            from phosphene.view import save

            record["panel"] = self._name(file) + ".png"
            save(replace(explanation.panel(), title=""), self.path / record["panel"])
            with replacing(self.path / f"{self._name(file)}.json") as out:
                kept = {**record, "key": self._key(file)}
                out.write(json.dumps(kept, indent=1).encode())
        elif self.path is not None:
            self._panels.append(explanation.panel())
        self.records.append(record)

    def as_json(self) -> dict[str, Any]:
        """Return everything that was found, for scripts."""
        records = [{k: v for k, v in r.items() if k != "facts"} for r in self.records]
        facts = self.records[0]["facts"] if self.records else {}
        output = None if self.path is None else str(self.path)
        return {"output": output, "facts": facts, "results": records, "failed": self.failed}

    def summary(self) -> list[str]:
        """Return lines for a person: what was seen, and where to look."""
        lines = []
        if len(self.records) <= _MOST_LINES:
            lines += lines_of(self.records, self.names)
        warnings = [warning for record in self.records for warning in record["warnings"]]
        lines += [f"! {warning}" for warning in warnings[:_MOST_LINES]]
        if len(warnings) > _MOST_LINES:
            lines.append(f"! and {len(warnings) - _MOST_LINES} more such warnings")
        if self.kept:
            lines.append(f"{self.kept} kept from an earlier run with the same arguments")
        if self.failed:
            lines.append(f"{len(self.failed)} could not be explained (named above)")
        if self.records and self.path is not None:
            place = self.path / "index.html" if self.folder else self.path
            lines.append(f"{len(self.records)} explained: open {place}")
        return lines

    def _key(self, file: Path) -> str:
        stat = file.stat()
        about = [self._about, str(file.resolve()), stat.st_size, stat.st_mtime_ns]
        return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]

    def _name(self, file: Path) -> str:
        # Two photographs of one name from two folders must not overwrite each other.
        place = str(file.parent.resolve() / file.name).encode(errors="surrogateescape")
        place_hash = hashlib.sha256(place).hexdigest()[:6]
        return f"{file.stem[:60]}-{file.suffix[1:9]}-{place_hash}"

    def _read(self, file: Path) -> Record | None:
        assert self.path is not None
        try:
            text = (self.path / f"{self._name(file)}.json").read_text(encoding="utf-8")
            record: Record = json.loads(text)
            whole = record.pop("key") == self._key(file) and (self.path / record["panel"]).exists()
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return {**record, "photograph": str(file)} if whole else None

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
