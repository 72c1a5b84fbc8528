"""Where the results of a run go: a picture, a page, or a folder that a later run continues."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from phosphene.errors import OutputError, PhospheneError
from phosphene.image import replacing

if TYPE_CHECKING:
    from phosphene.panel import Panel
    from phosphene.saliency.result import Explanation


class Output:
    """Collects explanations and writes them, also when the run is interrupted.

    A picture or page is written once, at the end or at the interruption, with what is there by
    then. A folder gets a panel and a record for each photograph as soon as it is done; the next
    run with the same arguments takes up where this one stopped.

    Attributes:
        path: `.png`, `.html` or a folder.
        failed: What could not be read, by file.
    """

    def __init__(self, path: Path, arguments: Mapping[str, Any]):
        suffix = path.suffix.lower()
        self.path = path
        self.folder = suffix == "" or path.is_dir()
        if not self.folder and suffix not in (".png", ".html", ".htm", ".jpg", ".webp"):
            raise OutputError(
                f"{path} is nothing phosphene writes: end it in .png or .html, or give a folder"
            )
        self.failed: dict[str, str] = {}
        self._arguments = {k: str(v) for k, v in arguments.items()}
        self._panels: list[Panel] = []
        self._records: list[dict[str, Any]] = []
        self._files: list[Path] = []
        self._kept = 0

    def __enter__(self) -> Output:
        """Make sure that there is a place to write to, before any work is done."""
        folder = self.path if self.folder else self.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder} cannot be made: {error.strerror}") from error
        with replacing(folder / ".phosphene"):
            pass
        (folder / ".phosphene").unlink()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what there is, whether the run came to its end or not."""
        if not self._records:
            return
        from phosphene.view import save

        if self.folder:
            self._write_index()
        else:
            save(self._panels, self.path)
        if error is not None:
            self._files.append(self.path)

    def missing(self, files: Sequence[Path]) -> list[Path]:
        """Return the photographs that an earlier run into the same folder has not done."""
        if not self.folder:
            self._files = list(files)
            return self._files
        left = []
        for file in files:
            record = self._read(file)
            if record is None:
                left.append(file)
            else:
                self._records.append(record)
                self._kept += 1
        self._files = left
        return left

    def add(self, explanation: Explanation) -> None:
        """Take one photograph's explanation, and write it if it goes to a folder."""
        file = self._file_of(explanation)
        record = {"photograph": str(file), "key": self._key(file), **_summary(explanation)}
        panel = explanation.panel()
        if self.folder:
            from phosphene.view import save

            picture = save(panel, self._place(file, ".png"))
            record["panel"] = picture.name
            with replacing(self._place(file, ".json")) as out:
                out.write(json.dumps(record, indent=1, ensure_ascii=False).encode())
        else:
            self._panels.append(panel)
        self._records.append(record)

    def fail(self, file: Path, error: PhospheneError) -> None:
        """Note a photograph that could not be explained."""
        self.failed[str(file)] = str(error)
        self._files = [f for f in self._files if f != file]

    def as_json(self) -> dict[str, Any]:
        """Return everything that was found, for scripts."""
        records = [{k: v for k, v in r.items() if k != "key"} for r in self._records]
        return {"output": str(self.path), "results": records, "failed": self.failed}

    def summary(self) -> list[str]:
        """Return lines for a person: what was seen, what could not be, where to look."""
        lines = []
        if len(self._records) <= 12:
            for record in self._records:
                for signal in record["signals"][:1]:
                    name = Path(record["photograph"]).name
                    lines.append(f"{name}: {signal['unit']}, {signal['score']:.3g}")
        for record in self._records:
            lines.extend(f"! {warning}" for warning in record["warnings"])
        if self._kept:
            lines.append(f"{self._kept} kept from an earlier run with the same arguments")
        lines.extend(f"! {error}" for error in self.failed.values())
        if self._records:
            place = self.path / "index.html" if self.folder else self.path
            lines.append(f"{len(self._records)} explained: open {place}")
        return lines

    def _file_of(self, explanation: Explanation) -> Path:
        """Match an explanation, which knows its file's name, with the file it came from."""
        for i, file in enumerate(self._files):
            if file.name == explanation.names[0]:
                return self._files.pop(i)
        return Path(explanation.names[0])

    def _key(self, file: Path) -> str:
        stat = file.stat() if file.exists() else None
        about = [self._arguments, str(file.resolve()), stat and (stat.st_size, stat.st_mtime_ns)]
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]

    def _place(self, file: Path, suffix: str) -> Path:
        # Two photographs of one name from two folders must not overwrite each other.
        where = hashlib.sha256(str(file.resolve().parent).encode()).hexdigest()[:6]
        return self.path / f"{file.stem}-{file.suffix[1:]}-{where}{suffix}"

    def _read(self, file: Path) -> dict[str, Any] | None:
        try:
            record = json.loads(self._place(file, ".json").read_text(encoding="utf-8"))
            whole = record["key"] == self._key(file) and (self.path / record["panel"]).exists()
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return record if whole else None

    def _write_index(self) -> None:
        from PIL import Image

        from phosphene.panel import Panel, Tile
        from phosphene.view import page

        rows = []
        for record in sorted(self._records, key=lambda r: str(r["photograph"])):
            with Image.open(self.path / record["panel"]) as picture:
                tile = Tile(picture.convert("RGB"))
            rows.append((Path(record["photograph"]).name, (tile,)))
        panel = Panel(f"{len(rows)} photographs", tuple(rows), self._arguments)
        with replacing(self.path / "index.html") as out:
            out.write(page(panel).encode())


def _summary(explanation: Explanation) -> dict[str, Any]:
    """Put what a script may want to know of one photograph's explanation into plain values."""
    signals = []
    for saliency in explanation:
        peak = saliency.map[0, 0].nan_to_num().flatten().argmax().item()
        width = saliency.map.shape[-1]
        signals.append(
            {
                "rule": saliency.rule.name,
                "unit": saliency.unit_name(0, explanation.labels),
                "channel": int(saliency.channel[0]),
                "at": saliency.at[0].tolist(),
                "score": float(saliency.score[0]),
                "peak": [int(peak // width), int(peak % width)],
                "empty": bool(saliency.empty[0]),
                "census": str(saliency.census),
            }
        )
    top = explanation.top[0] if explanation.top else ()
    return {
        "layer": explanation.layer,
        "classes": [{"name": name, "probability": p} for name, p in top],
        "signals": signals,
        "warnings": list(explanation.warnings),
        "facts": dict(explanation.facts),
    }
