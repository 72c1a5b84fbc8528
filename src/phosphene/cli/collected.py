"""What a verb finds photograph by photograph, kept in a folder that a later run continues."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import typer

from phosphene.cli.options import print_json, say
from phosphene.cli.places import Place
from phosphene.cli.records import Record
from phosphene.errors import PhospheneError

_MOST_LINES = 20


class Collected:
    """Collects a record for each photograph; as a context manager writes what there is.

    Into a folder each photograph's record goes as soon as it is done, with a hash of all that it
    depends on; the next run with the same arguments takes up where this one stopped.

    Attributes:
        path: Where to; `None` writes nothing.
        folder: Whether it is a folder.
        records: What was found, photograph by photograph.
        failed: What could not be done and why, by file.
        kept: How many of the records an earlier run has made.
        names: What to call each photograph.
        interrupted: Whether Ctrl-C came.
    """

    done, undone = "", ""
    """What is said of photographs that were done, and that could not be."""

    def __init__(self, place: str | None) -> None:
        self._place = Place(place)
        self.path, self.folder = self._place.path, self._place.folder
        self.records: list[Record] = []
        self.failed: dict[str, str] = {}
        self.kept, self.interrupted = 0, False
        self.names: dict[str, str] = {}
        self._about = ""

    def __enter__(self) -> Self:
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
        raise NotImplementedError

    def missing(self, files: Sequence[Path], about: Mapping[str, Any]) -> list[Path]:
        """Return the photographs that an earlier run into the same folder has not done.

        Args:
            files: The photographs.
            about: Everything that the results depend on.
        """
        self._about = json.dumps({k: str(v) for k, v in about.items()}, sort_keys=True)
        earlier = {file: self._read(file) if self._continues else None for file in files}
        self.records += [record for record in earlier.values() if record]
        self.kept = len(self.records)
        return [file for file, record in earlier.items() if record is None]

    def as_json(self) -> dict[str, Any]:
        """Return everything that was found, for scripts."""
        raise NotImplementedError

    def summary(self) -> list[str]:
        """Return lines for a person: what was found, and where to look."""
        lines: list[str] = []
        if len(self.records) <= _MOST_LINES:
            lines += self._lines()
        warnings = [warning for record in self.records for warning in record["warnings"]]
        lines += [f"! {warning}" for warning in warnings[:_MOST_LINES]]
        if len(warnings) > _MOST_LINES:
            lines.append(f"! and {len(warnings) - _MOST_LINES} more such warnings")
        if self.kept:
            lines.append(f"{self.kept} kept from an earlier run with the same arguments")
        lines += self.failures()
        if self.records and self.path is not None:
            place = self.path / "index.html" if self.folder else self.path
            parts = len(self.records) - self.finished
            more = f", {parts} in part" if parts else ""
            lines.append(f"{self.finished} {self.done}{more}: open {place}")
        return lines

    @property
    def finished(self) -> int:
        """How many photographs were done to the end."""
        return sum(not record.get("interrupted", False) for record in self.records)

    def failures(self) -> list[str]:
        """Return a line that counts what could not be done, if there is any."""
        return [f"{len(self.failed)} could not be {self.undone} (named above)"] * bool(self.failed)

    def fail(self, file: Path, reason: PhospheneError) -> None:
        """Name a photograph that cannot be done, and pass over it."""
        self.failed[str(file)] = str(reason)
        named = "" if str(file) in str(reason) else f"{file}: "
        say(f"! {named}{reason}", "yellow")

    @property
    def _continues(self) -> bool:
        """Whether what an earlier run has left is taken up."""
        return self.folder

    def _lines(self) -> Iterable[str]:
        """Say of each photograph what was found."""
        raise NotImplementedError

    def _files(self, record: Record) -> Iterable[str]:
        """Name the files in the folder that a record speaks of."""
        raise NotImplementedError

    def _key(self, file: Path) -> str:
        stat = file.stat()
        about = [self._about, str(file.resolve()), stat.st_size, stat.st_mtime_ns]
        return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]

    def _name(self, file: Path) -> str:
        # Two photographs of one name from two folders must not overwrite each other.
        place = str(file.parent.resolve() / file.name).encode(errors="surrogateescape")
        return f"{file.stem[:60]}-{file.suffix[1:9]}-{hashlib.sha256(place).hexdigest()[:6]}"

    def _keep(self, file: Path, record: Record) -> None:
        """Write a record, when all that it speaks of is there."""
        assert self.path is not None
        write(self.path / f"{self._name(file)}.json", indented({**record, "key": self._key(file)}))

    def _read(self, file: Path) -> Record | None:
        assert self.path is not None
        try:
            record = self._load(file)
            whole = record.pop("key") == self._key(file)
            whole = whole and all((self.path / name).is_file() for name in self._files(record))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return {**record, "photograph": str(file)} if whole else None

    def _load(self, file: Path) -> Record:
        """Read a record as it was written; what is none raises one of many errors."""
        assert self.path is not None
        text = (self.path / f"{self._name(file)}.json").read_text(encoding="utf-8")
        record: Record = json.loads(text)
        return record


def carry_out(
    output: Collected, files: Sequence[Path], json: bool, work: Callable[[], None]
) -> None:
    """Do a verb's work, report also when it is interrupted, and leave by the exit code.

    Args:
        output: Collects.
        files: The photographs.
        json: Whether to report for scripts.
        work: Adds to the output.
    """
    try:
        with output:
            work()
    except KeyboardInterrupt:
        output.interrupted = True
    except PhospheneError:
        _report(output, False)
        raise
    _report(output, json)
    if output.interrupted:
        done = output.finished + len(output.failed)
        again = "; the same command goes on from here" if output.folder else ""
        say(f"interrupted after {done} of {len(files)}{again}", "yellow")
        raise typer.Exit(130)
    if output.failed:
        raise typer.Exit(1)


def _report(output: Collected, json: bool) -> None:
    if json:
        print_json(output.as_json())
    for line in output.failures() if json else output.summary():
        say(line)


def indented(value: Any) -> str:
    """Return a value as JSON that a person can read."""
    return json.dumps(value, indent=1)


def write(path: Path, text: str) -> None:
    """Write a text, whole or not at all."""
    from phosphene.image import replacing

    with replacing(path) as out:
        out.write(text.encode())
