"""Where objects that were cut out go: a sheet, a page, or a folder that a later run continues."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from phosphene.cli.collected import Collected, indented, write
from phosphene.cli.cut_records import (
    as_coco,
    as_shown,
    facts_of,
    headings,
    lines_of,
    named,
    object_of,
)
from phosphene.cli.places import claim
from phosphene.cli.records import Record, names_of
from phosphene.errors import ImageError, OutputError

if TYPE_CHECKING:
    from phosphene.panel import Panel
    from phosphene.segmentation.annotation import Masks
    from phosphene.segmentation.result import Localization, Segmentation

_TILES = 4
_SUFFIXES = {"--mask": ".png", "--coco": ".json", "--voc": ".xml"}
# What is kept in records for later runs and the files of the whole run, and shown to nobody.
_INTERNAL = ("facts", "coco", "panel", "files", "key")


class Cutouts(Collected):
    """Collects what was cut out and writes it, also when the run is interrupted.

    A sheet or page is written once, at the end or at the interruption, with what is there by then;
    so are the files beside it. A folder gets masks, a sheet, an XML and a record for each
    photograph as soon as it is done, the record last; the next run with the same arguments takes
    up where this one stopped.
    """

    done, undone = "done", "cut"

    def __init__(self, place: str | None, beside: Mapping[str, Path], masks: Masks = "rle") -> None:
        """Check the names of what is to be written.

        Args:
            place: Of the sheet, page or folder; `None` for none.
            beside: Other files that are wanted, by their options.
            masks: How COCO's JSON says masks.
        """
        super().__init__(place)
        self._masks: Masks = masks
        self._beside = beside
        for option, path in beside.items():
            if path.suffix.lower() != _SUFFIXES[option]:
                raise OutputError(f"{option} {path} has to end in {_SUFFIXES[option]}")
        self._panels: list[Panel] = []
        self._made: list[Path] = []

    def __enter__(self) -> Self:
        """Make sure that there is a place to write to, before any work is done."""
        super().__enter__()
        self._made = [path.parent for path in self._beside.values() if claim(path)]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what there is, whether the run came to its end or not."""
        order = {file: number for number, file in enumerate(self.names)}
        self.records.sort(key=lambda record: order[record["photograph"]])
        if not self.records:
            for folder in self._made:
                with suppress(OSError):  # somebody else's files are in it by now
                    folder.rmdir()
            self._place.release()
            return
        if "--coco" in self._beside:
            write(self._beside["--coco"], self._coco())
        if self.path is not None and self.folder:
            from phosphene.cli.index import index_page

            write(self.path / "instances.json", self._coco())
            write(self.path / "boxes.json", indented(self.as_json()))
            said = headings(self.records, self.names)
            page = index_page(as_shown(self.records), said, self.failed)
            write(self.path / "index.html", page)
        elif self.path is not None:
            from phosphene.view import save

            save(self._panels, self.path)

    def takes(self, given: Iterable[Path], files: Sequence[Path], rows: int) -> list[Path]:
        """Return the photographs to cut: results of an earlier run are none.

        Args:
            given: The files and folders asked for.
            files: The image files behind them.
            rows: How many rows of pictures each photograph will get.

        Raises:
            ImageError: There are none.
            OutputError: They are too many for what is wanted, or would be overwritten.
        """
        self._place.spare(given, "cut")
        ours = {path.resolve() for path in self._beside.values()}
        for path in given:
            if path.resolve() in ours:
                raise OutputError(
                    f"{path} is a photograph to cut, and would be overwritten: give another name"
                )
        stems = {self._name(file) for file in files}
        found = [file for file in files if not self._wrote(file, stems)]
        found = [file for file in found if file.resolve() not in ours]
        if not found:
            raise ImageError("there are no photographs but phosphene's own results")
        for option in ("--mask", "--voc"):
            if option in self._beside and len(found) > 1:
                raise OutputError(
                    f"{option} is of one photograph, and {len(found)} are given: write a folder, "
                    "as -o out/"
                )
        self.names = names_of(found)
        self._place.allow(len(found) * rows, _TILES)
        return found

    def add(self, file: Path, found: Segmentation | Localization) -> None:
        """Take what was cut out of one photograph, and write what goes to files of its own."""
        from phosphene.segmentation.result import Segmentation

        name = self.names[str(file)]
        if isinstance(found, Segmentation):
            found = named(found, name)
            guesses: tuple[Segmentation, ...] = (found,)
        else:
            guesses = tuple(named(guess, name) for guess in found.guesses)
            found = replace(found, name=name, guesses=guesses)
        record: Record = {
            "photograph": str(file),
            "size": list(found.photograph.size),
            "objects": [object_of(guess) for guess in guesses],
            "warnings": list(found.warnings),
            "facts": dict(found.facts),
            "coco": found.as_coco(),
        }
        if "--mask" in self._beside:
            guesses[0].save_mask(self._beside["--mask"])
        if "--voc" in self._beside:
            write(self._beside["--voc"], found.as_voc())
        if self.path is not None and self.folder:
            self._write_all(file, found, guesses, record)
        elif self.path is not None:
            self._panels.append(found.panel())
        self.records.append(record)

    def as_json(self) -> dict[str, Any]:
        """Return everything that was found but the masks, for scripts."""
        records = [{k: v for k, v in r.items() if k not in _INTERNAL} for r in self.records]
        output = None if self.path is None else str(self.path)
        facts = facts_of(self.records)
        return {"output": output, "facts": facts, "results": records, "failed": self.failed}

    def summary(self) -> list[str]:
        """Return lines for a person: what was cut out, and where to look."""
        lines = super().summary()
        if self.records and self._beside:
            lines.append(f"written: {', '.join(map(str, self._beside.values()))}")
        return lines

    @property
    def _continues(self) -> bool:
        # A mask of its own is written anew.
        return self.folder and not {"--mask", "--voc"} & set(self._beside)

    def _coco(self) -> str:
        found = as_coco(self.records, self.names, self._masks)
        # A corner in a line of its own would make thousands of lines.
        return json.dumps(found) if self._masks == "polygon" else indented(found)

    def _lines(self) -> Iterable[str]:
        return lines_of(self.records, self.names)

    def _files(self, record: Record) -> Iterable[str]:
        files: list[str] = record["files"]
        return files

    def _write_all(
        self,
        file: Path,
        found: Segmentation | Localization,
        guesses: Sequence[Segmentation],
        record: Record,
    ) -> None:
        """Write the files of one photograph into the folder, the record when all are there."""
        from phosphene.view import save

        assert self.path is not None
        stem = self._name(file)
        record["panel"] = f"{stem}.png"
        save(replace(found.panel(), title=""), self.path / record["panel"])
        write(self.path / f"{stem}.xml", found.as_voc())
        for guess, one in zip(guesses, record["objects"], strict=True):
            # Localized are several classes, each with a mask of its own.
            one["mask"] = f"{stem}-mask.png" if found is guess else f"{stem}-{guess.channel}.png"
            guess.save_mask(self.path / one["mask"])
        masks = [one["mask"] for one in record["objects"]]
        record["files"] = [record["panel"], f"{stem}.xml", *masks]
        self._keep(file, record)

    def _wrote(self, file: Path, stems: set[str]) -> bool:
        if self.path is None or not self.folder:
            return self._place.is_at(file)
        if file.resolve().parent != self.path.resolve() or file.suffix != ".png":
            return False
        stem = re.sub(r"-(mask|\d+)$", "", file.stem)
        return any(s in stems or file.with_name(f"{s}.json").exists() for s in (stem, file.stem))
