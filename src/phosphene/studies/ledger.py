"""What a long study has computed, cell by cell, so that it goes on where it was interrupted.

A cell is the result for one setting: one photograph, layer and strength, say. Its name is the hash
of everything it depends on, so what was computed for another network, another setting or by
another version is never taken for it. A cell counts as finished when its record is there and all
that the record says is whole: pictures are written first, the record last.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from PIL import Image

from phosphene.errors import OutputError
from phosphene.image import replacing
from phosphene.studies.plain import digest, encoded, plain

CELLS = "cells"


@dataclass(frozen=True, eq=False)
class Cell:
    """The result for one setting.

    Attributes:
        values: Plain values by name; numbers that are not finite are `None`.
        images: Pictures by name, 8-bit RGB.
    """

    values: dict[str, Any] = field(default_factory=dict)
    images: dict[str, Image.Image] = field(default_factory=dict)


class Ledger:
    """Computes cells that are not there yet, and keeps them.

    Attributes:
        folder: Where they are kept, under `cells/`; `None` keeps them in memory.
        about: What all cells depend on: the network, the version of phosphene.
        kept: How many cells were found finished.
        made: How many were computed.
    """

    def __init__(
        self, folder: str | Path | None = None, about: Mapping[str, Any] | None = None
    ) -> None:
        """Open a ledger, and make sure that it can be written.

        Raises:
            OutputError: The folder cannot be made or written.
        """
        self.folder = Path(folder) if folder is not None else None
        self.about = dict(about or {})
        self.kept = self.made = 0
        self._place = Path() if self.folder is None else self.folder / CELLS
        self._about = digest(self.about)
        self._memory: dict[str, Cell] = {}
        if self.folder is not None:
            try:
                self._place.mkdir(parents=True, exist_ok=True)
                with TemporaryFile(dir=self._place):
                    pass
            except OSError as error:
                taken = error.errno in (errno.EEXIST, errno.ENOTDIR)
                reason = "a file is in its place" if taken else error.strerror
                raise OutputError(f"{self._place} cannot be written: {reason}") from error

    def cell(self, key: Mapping[str, Any], compute: Callable[[], Cell]) -> Cell:
        """Return a cell, and compute it only if it is not there.

        Args:
            key: What tells this cell from the others: what it is ("inversion"), and its settings.
                Photographs go by their contents, not by their names.
            compute: Makes the cell. An exception leaves nothing behind.

        Returns:
            The cell as a later run will read it: plain values, RGB pictures.

        Raises:
            OutputError: It cannot be kept: the disk is full, or the folder may not be written.
            TypeError: The key or the values have no plain form.
        """
        name = digest([self._about, key])
        found = self._memory.get(name) if self.folder is None else self._read(name)
        if found is not None:
            self.kept += 1
            return found
        made = compute()
        values = plain(made.values)
        assert isinstance(values, dict)
        images = {k: image.convert("RGB") for k, image in made.images.items()}
        cell = Cell({**values}, images)
        if self.folder is None:
            self._memory[name] = cell
        else:
            self._write(name, key, cell)
        self.made += 1
        return cell

    def _write(self, name: str, key: Mapping[str, Any], cell: Cell) -> None:
        images = []
        for number, (title, image) in enumerate(cell.images.items()):
            file = io.BytesIO()
            Image.frombytes("RGB", image.size, image.tobytes()).save(file, "PNG")
            images.append({"name": title, "file": f"{name}-{number}.png", "sha256": ""})
            images[-1]["sha256"] = hashlib.sha256(file.getvalue()).hexdigest()
            with replacing(self._place / images[-1]["file"]) as out:
                out.write(file.getvalue())
        record = {"key": dict(key), "about": self.about, "values": cell.values, "images": images}
        with replacing(self._place / f"{name}.json") as out:
            out.write(encoded({**record, "sha256": _seal(cell.values, images)}))

    def _read(self, name: str) -> Cell | None:
        try:
            record = json.loads((self._place / f"{name}.json").read_bytes())
            values, images = record["values"], record["images"]
            if record["sha256"] != _seal(values, images) or not isinstance(values, dict):
                return None
            return Cell(values, {entry["name"]: self._picture(entry) for entry in images})
        except (OSError, ValueError, KeyError, TypeError):
            return None  # damaged, or half written: as if it were not there

    def _picture(self, entry: Mapping[str, str]) -> Image.Image:
        content = (self._place / Path(entry["file"]).name).read_bytes()
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:
            raise ValueError("another picture than the one that was written")
        return Image.open(io.BytesIO(content)).convert("RGB")


def _seal(values: Any, images: Any) -> str:
    return digest([values, images])
