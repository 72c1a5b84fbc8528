"""What `occlude` has found: records, files of maps, pictures, and a folder that goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from phosphene.cli.options import say
from phosphene.cli.places import Place
from phosphene.cli.records import Record, names_of
from phosphene.errors import ImageError, OutputError

if TYPE_CHECKING:
    from phosphene.saliency.occlusion import Occlusion

_END, _MOST_LINES = ".occlusion", 20


class Results:
    """What was found, and where it goes: a picture or page of one photograph, or a folder.

    Attributes:
        files: The photographs.
        records: What was found, photograph by photograph, in plain values.
        failed: What could not be done and why, by file.
        interrupted: Whether Ctrl-C came.
    """

    def __init__(
        self, out: str | None, silent: bool, given: Sequence[Path], files: Sequence[Path]
    ) -> None:
        several = len(files) > 1
        place = Place(out or (None if silent else "occlusion/" if several else "occlusion.html"))
        place.spare(given, "occlude")
        self.files = [f for f in files if not place.is_at(f) and not _wrote(place, f)]
        if not self.files:
            raise ImageError("there are no photographs but phosphene's own results")
        if place.suffix and len(self.files) > 1:
            raise OutputError(
                f"{out} shows one photograph, and {len(self.files)} are given: give a folder, as "
                "-o out/"
            )
        self._place, self._keys = place, dict[Path, str]()
        self._names = names_of(self.files)
        stems = [file.stem for file in self.files]
        self._stems = {
            f: f.stem if stems.count(f.stem) == 1 else self._names[str(f)].replace("/", "-")
            for f in self.files
        }
        if len(set(self._stems.values())) < len(self.files):
            raise OutputError("some of the photographs go by one name: take folder by folder")
        self.records: list[Record] = []
        self.failed: dict[str, str] = {}
        self.interrupted, self._kept = False, 0

    @property
    def path(self) -> Path | None:
        """What a person should open; `None` if nothing is written."""
        path = self._place.path
        return path / "index.html" if path and self._place.folder else path

    def __enter__(self) -> Results:
        """Make sure that there is a place to write to, before any work is done."""
        self._place.claim()
        return self

    def __exit__(self, *_: object) -> None:
        """Write the page of a folder, also when the run was ended."""
        path = self._place.path
        if not self.records or path is None:
            self._place.release()
        elif self._place.folder:
            from phosphene.cli.index import index_page
            from phosphene.image import replacing

            shown = [_of_all(record) for record in self.records]
            page = index_page(
                sorted(shown, key=lambda r: str(r["photograph"])), self._names, self.failed
            )
            with replacing(path / "index.html") as out:
                out.write(page.encode())

    def missing(self, asked: Mapping[str, Any]) -> list[Path]:
        """Return the photographs that an earlier run into the same folder has not done.

        Args:
            asked: All that was asked for, and what the network was made from.
        """
        from phosphene.provenance import versions

        about = [*sorted(asked.items()), versions()]
        for file in self.files:
            stat = (file.resolve(), file.stat().st_size, file.stat().st_mtime_ns)
            text = repr([*map(str, about), *map(str, stat)])
            self._keys[file] = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]
        kept = {file: self._read(file) for file in self.files}
        self.records += [record for record in kept.values() if record is not None]
        self._kept = len(self.records)
        for record in self.records[:_MOST_LINES]:
            say(self._line(record))
        return [file for file, record in kept.items() if record is None]

    def add(self, file: Path, found: Occlusion) -> None:
        """Take what was found for one photograph, write it, and say it in a line."""
        record = _record(file, found)
        name = self._names[str(file)]
        found = replace(found, photo=name)
        # Ctrl-C may come behind the last place: then there is nothing left to do but for others.
        stopped = any("interrupted after" in note for note in found.notes)
        self.interrupted = stopped or record["interrupted"]
        if self._place.path is not None:
            from phosphene.view import save

            if self._place.folder:
                stem = self._place.path / f"{self._stems[file]}{_END}"
                record |= {"panel": f"{stem.name}.png", "maps": f"{stem.name}.npz"}
                save(replace(found.panel(), title=""), stem.with_name(record["panel"]))
                _save_maps(found, stem.with_name(record["maps"]), record, self._keys[file])
            else:
                save(found.panel(), self._place.path)
        self.records.append(record)
        say(self._line(record))
        for warning in record["warnings"]:
            say(f"! {warning}", "yellow")

    def as_json(self) -> dict[str, Any]:
        """Return everything that was found, for scripts."""
        path = self._place.path
        output = None if path is None else str(path)
        records = [{k: v for k, v in r.items() if k != "facts"} for r in self.records]
        facts = _of_all(self.records[0])["facts"] if self.records else {}
        return {"output": output, "facts": facts, "results": records, "failed": self.failed}

    def report(self) -> None:
        """Say how it went, and where to look."""
        if self._kept:
            say(f"{self._kept} kept from an earlier run with the same arguments")
        if self.failed:
            say(f"{len(self.failed)} could not be occluded (named above)")
        done = sum(not record["interrupted"] for record in self.records)
        if self.records and self.path is not None:
            part = ", 1 in part" if done < len(self.records) else ""
            say(f"{done} occluded{part}: open {self.path}")
        if self.interrupted:
            done += len(self.failed)
            again = "; the same command goes on from here" if self._place.folder else ""
            say(f"interrupted after {done} of {len(self.files)}{again}", "yellow")

    def _line(self, record: Record) -> str:
        low, number = record["lowest"], ".3g" if record["layer"] else ".1%"
        unit = record["unit"].split(",")[0] if not record["layer"] else record["unit"]
        return (
            f"{self._names[record['photograph']]}: {unit}, {record['clean']:{number}}; at the "
            f"lowest {low['value']:{number}} around row {low['y']:g}, column {low['x']:g}"
        )

    def _read(self, file: Path) -> Record | None:
        if self._place.path is None or not self._place.folder:
            return None
        import numpy as np

        stem = self._place.path / f"{self._stems[file]}{_END}"
        try:
            # Of what is no archive, np.load leaves the file open.
            with (
                stem.with_name(f"{stem.name}.npz").open("rb") as file_of_maps,
                np.load(file_of_maps, allow_pickle=False) as data,
            ):
                record: Record = json.loads(str(data["record"]))
            good = record.pop("key") == self._keys[file] and not record["interrupted"]
            good = good and stem.with_name(record["panel"]).exists()
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, BadZipFile):
            return None
        return {**record, "photograph": str(file)} if good else None


def _of_all(record: Record) -> Record:
    """Return a record for the page of a folder, whose facts are those of all photographs."""
    facts = {k: v for k, v in record["facts"].items() if k not in ("unit", "seconds")}
    return {**record, "facts": facts, "signals": [{"unit": record["unit"]}]}


def _wrote(place: Place, file: Path) -> bool:
    """Tell whether a file is a picture that an earlier run has left."""
    return place.holds(file) and file.stem.endswith(_END) and file.with_suffix(".npz").exists()


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
        "interrupted": bool(found.value.isnan().any()),
        "warnings": list(found.warnings),
        "facts": dict(found.facts),
    }


def _save_maps(found: Occlusion, path: Path, record: Record, key: str) -> None:
    """Write all maps, and the record that the next run looks for."""
    import numpy as np

    from phosphene.image import replacing

    arrays = {"y": found.y, "x": found.x, "value" if found.layer else "probability": found.value}
    if found.best is not None:
        arrays["classes"] = found.best
    if found.energy is not None:
        arrays["energy"] = found.energy.map
    plain = {name: array.numpy() for name, array in arrays.items()}
    text = np.array(json.dumps({**record, "key": key}))
    labels = np.array(found.labels, dtype=np.str_)
    with replacing(path) as out:
        np.savez(out, allow_pickle=False, labels=labels, record=text, **plain)
