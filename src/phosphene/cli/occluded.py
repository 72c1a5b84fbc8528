"""What `occlude` has found: records, files of maps, pictures, and a folder that goes on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from phosphene.cli.collected import Collected, write
from phosphene.cli.records import Record, names_of
from phosphene.errors import ImageError, OutputError

if TYPE_CHECKING:
    from phosphene.saliency.occlusion import Occlusion

_END = ".occlusion"


class Results(Collected):
    """Collects maps: a picture or page of one photograph, or a folder.

    Into a folder go, for each photograph as soon as it is done, a picture and a file of all maps
    with the record. What Ctrl-C left in part is written, too, and done again by the next run.
    """

    done = undone = "occluded"

    def __init__(self, place: str | None) -> None:
        super().__init__(place)
        self._stems: dict[Path, str] = {}

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the page of a folder, also when the run was ended."""
        if not self.records or self.path is None:
            self._place.release()
        elif self.folder:
            from phosphene.cli.index import index_page

            shown = sorted(map(_of_all, self.records), key=lambda r: str(r["photograph"]))
            write(self.path / "index.html", index_page(shown, self.names, self.failed))

    def takes(self, given: Sequence[Path], files: Sequence[Path]) -> list[Path]:
        """Return the photographs to occlude: results of an earlier run are none.

        Args:
            given: The files and folders asked for.
            files: The image files behind them.

        Raises:
            ImageError: There are none.
            OutputError: They are too many for one picture or page, or would be overwritten.
        """
        self._place.spare(given, "occlude")
        found = [file for file in files if not self._wrote(file)]
        if not found:
            raise ImageError("there are no photographs but phosphene's own results")
        if self._place.suffix and len(found) > 1:
            raise OutputError(
                f"{self.path} shows one photograph, and {len(found)} are given: give a folder, as "
                "-o out/"
            )
        self.names = names_of(found)
        stems = [file.stem for file in found]
        self._stems = {
            f: f.stem if stems.count(f.stem) == 1 else self.names[str(f)].replace("/", "-")
            for f in found
        }
        if len(set(self._stems.values())) < len(found):
            raise OutputError("some of the photographs go by one name: take folder by folder")
        return found

    def add(self, file: Path, found: Occlusion) -> None:
        """Take what was found for one photograph, and write it."""
        found = replace(found, photo=self.names[str(file)])
        record = _record(file, found)
        self.interrupted = found.interrupted
        if self.path is not None:
            from phosphene.view import save

            panel = found.panel()
            if self.folder:
                stem = self._name(file)
                record |= {"panel": f"{stem}.png", "maps": f"{stem}.npz"}
                save(replace(panel, title=""), self.path / record["panel"])
                # What is there in part is no result for the next run.
                key = "" if record["interrupted"] else self._key(file)
                _save_maps(found, self.path / record["maps"], {**record, "key": key})
            else:
                save(panel, self.path)
        self.records.append(record)

    def as_json(self) -> dict[str, Any]:
        """Return everything that was found, for scripts."""
        records = [{k: v for k, v in r.items() if k != "facts"} for r in self.records]
        facts = _of_all(self.records[0])["facts"] if self.records else {}
        output = None if self.path is None else str(self.path)
        return {"output": output, "facts": facts, "results": records, "failed": self.failed}

    def _lines(self) -> Iterable[str]:
        return map(self._line, self.records)

    def _line(self, record: Record) -> str:
        low, number = record["lowest"], ".3g" if record["layer"] else ".1%"
        unit = record["unit"].split(",")[0] if not record["layer"] else record["unit"]
        return (
            f"{self.names[record['photograph']]}: {unit}, {record['clean']:{number}}; at the "
            f"lowest {low['value']:{number}} around row {low['y']:g}, column {low['x']:g}"
        )

    def _files(self, record: Record) -> Iterable[str]:
        return record["panel"], record["maps"]

    def _name(self, file: Path) -> str:
        return f"{self._stems[file]}{_END}"

    def _load(self, file: Path) -> Record:
        import numpy as np

        assert self.path is not None
        try:
            # Of what is no archive, np.load leaves the file open.
            with (
                (self.path / f"{self._name(file)}.npz").open("rb") as opened,
                np.load(opened, allow_pickle=False) as data,
            ):
                record: Record = json.loads(str(data["record"]))
        except (EOFError, BadZipFile) as error:
            raise ValueError("no file of maps") from error
        return record

    def _wrote(self, file: Path) -> bool:
        """Tell whether a file is a picture that an earlier run has left."""
        left = file.stem.endswith(_END) and file.with_suffix(".npz").exists()
        return self._place.is_at(file) or (self._place.holds(file) and left)


def _of_all(record: Record) -> Record:
    """Return a record for the page of a folder, whose facts are those of all photographs."""
    facts = {k: v for k, v in record["facts"].items() if k not in ("unit", "seconds")}
    return {**record, "facts": facts, "signals": [{"unit": record["unit"]}]}


def _record(file: Path, found: Occlusion) -> Record:
    """Put what a script may want to know into plain values; maps are for the file of maps."""
    import torch

    from phosphene.core.labels import label_of

    index = int(found.value.nan_to_num(torch.inf).argmin())
    row, column = divmod(index, found.value.shape[1])
    rows, columns = found.occluder.box(row, column)
    lowest = float(found.value[row, column])
    energy = None
    if found.energy is not None:
        least = float(found.energy.map[~found.energy.map.isnan()].min())
        about = {"clean": found.energy.clean, "lowest": least}
        energy = {"layer": found.energy.layer, "channel": found.energy.channel, **about}
    unit = str(found.unit) if found.layer else label_of(found.unit.channel, found.labels)
    return {
        "photograph": str(file),
        "layer": found.layer,
        "unit": unit,
        "index": found.unit.channel,
        "classes": [{"name": name, "probability": p} for name, p in found.top],
        "clean": found.clean,
        "lowest": {
            "value": lowest,
            "row": row,
            "column": column,
            "y": float(found.y[row]),
            "x": float(found.x[column]),
            "hides": [rows.start, columns.start, rows.stop, columns.stop],
        },
        "drop": found.clean - lowest,
        "seen": [
            {"name": label_of(k, found.labels), "index": k, "places": n} for k, n in found.classes()
        ],
        "feature": energy,
        "engine": found.facts["engine"],
        "seconds": float(found.facts["seconds"]),
        "interrupted": found.interrupted and bool(found.value.isnan().any()),
        "warnings": list(found.warnings),
        "facts": dict(found.facts),
    }


def _save_maps(found: Occlusion, path: Path, record: Record) -> None:
    """Write all maps, and the record that the next run looks for."""
    import numpy as np

    from phosphene.image import replacing

    arrays = {"y": found.y, "x": found.x, "value" if found.layer else "probability": found.value}
    if found.best is not None:
        arrays["classes"] = found.best
    if found.energy is not None:
        arrays["energy"] = found.energy.map
    plain = {name: array.numpy() for name, array in arrays.items()}
    text = np.array(json.dumps(record))
    labels = np.array(found.labels, dtype=np.str_)
    with replacing(path) as out:
        np.savez(out, allow_pickle=False, labels=labels, record=text, **plain)
