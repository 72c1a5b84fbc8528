"""A panel on disk: one picture, one page, or a folder of everything."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from numbers import Integral
from pathlib import Path
from typing import Any

from PIL import Image

from phosphene.errors import OutputError
from phosphene.image import replacing
from phosphene.panel import Panel, Plot, Table, Tile
from phosphene.view.page import page
from phosphene.view.picture import stack, text_of
from phosphene.view.plots import plot_image, plot_svg
from phosphene.view.tables import to_csv, to_latex, to_markdown

_PAGES = (".html", ".htm")
_PICTURES: dict[str, tuple[str, int, dict[str, Any]]] = {
    ".png": ("PNG", 2**31 - 1, {}),
    ".jpg": ("JPEG", 65_535, {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", 65_535, {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", 16_383, {"quality": 95, "method": 4}),
}
"""By suffix: Pillow's name, the longest side the format can hold, and how to write it well."""
_LONGEST_NAME = 40


def save(panels: Panel | Sequence[Panel], path: str | Path) -> Path:
    """Write panels to disk, each file whole or not at all.

    Args:
        panels: What to show; several come below one another.
        path: `.png`, `.jpg` or `.webp` for one picture; `.html` for a page with all pictures
            inside; without a suffix a folder with `index.html`, `panel.png`, every tile as a PNG
            of its own (exact, in its own size), every plot as SVG and PNG, every table as
            Markdown, CSV and LaTeX, and `facts.json`, which holds their numbers too. What an
            earlier result of ours left in the folder (by its `facts.json`) and this one has not is
            removed.

    Returns:
        The file, or the folder's page.

    Raises:
        OutputError: The suffix is unknown, the picture is larger than its format allows, or it
            cannot be written there.
    """
    panels, path = [panels] if isinstance(panels, Panel) else list(panels), Path(path)
    suffix = path.suffix.lower()
    if suffix in _PAGES:
        _write(path, page(panels).encode())
    elif suffix in _PICTURES:
        _save_picture(path, panels)
    elif not suffix or path.is_dir():
        return _save_folder(path, panels)
    else:
        known = ", ".join((*_PICTURES, *_PAGES))
        raise OutputError(
            f"{path} ends in {path.suffix}, which says of no known kind of result: end it in one "
            f"of {known}, or give a name without a suffix for a folder"
        )
    return path


def _save_picture(path: Path, panels: Sequence[Panel]) -> None:
    kind, longest, options = _PICTURES[path.suffix.lower()]
    image = stack(panels)
    if max(image.size) > longest:
        raise OutputError(
            f"the picture is {image.width} x {image.height} pixels, and {kind} ends at {longest}: "
            "save it as .png, or better so much as a page (.html)"
        )
    if kind == "PNG":
        options = {"pnginfo": text_of(panels)}
    with replacing(path) as file:
        image.save(file, kind, **options)


def _save_folder(folder: Path, panels: Sequence[Panel]) -> Path:
    before = _listed(folder)
    record = []
    for number, panel in enumerate(panels, 1):
        rows = []
        for row, (heading, tiles) in enumerate(panel.rows, 1):
            place = f"{number}-{row:03d}" if len(panels) > 1 else f"{row:03d}"
            files = list(_save_tiles(folder, place, heading, tiles))
            rows.append({"heading": heading, "tiles": files})
        facts = {str(name): str(value) for name, value in panel.facts.items()}
        shown = {"title": panel.title, "facts": facts, "warnings": list(panel.warnings)}
        prefix = f"{number}-" if len(panels) > 1 else ""
        plots = [_save_plot(folder, f"plot-{prefix}{n}", p) for n, p in enumerate(panel.plots, 1)]
        tables = [
            _save_table(folder, f"table-{prefix}{n}", t) for n, t in enumerate(panel.tables, 1)
        ]
        record.append({**shown, "rows": rows, "plots": plots, "tables": tables})
    facts_text = json.dumps({"panels": record}, indent=2, allow_nan=False) + "\n"
    _write(folder / "facts.json", facts_text.encode())
    _save_picture(folder / "panel.png", panels)
    _write(folder / "index.html", page(panels).encode())
    clear(folder, before - _listed(folder))
    return folder / "index.html"


def clear(folder: Path, names: Iterable[object]) -> None:
    """Remove files that lie in a folder itself; names of anything else are passed over.

    Args:
        folder: Where.
        names: Of the files, as an earlier run has listed them: somebody may have edited that.
    """
    for name in names:
        if isinstance(name, str) and name and Path(name).name == name:
            with suppress(OSError, ValueError):
                (folder / name).unlink()


def _listed(folder: Path) -> set[str]:
    """Read which tiles, plots and tables a folder's own record lists."""
    try:
        panels = json.loads((folder / "facts.json").read_text(encoding="utf-8"))["panels"]
        tiles = {tile["file"] for panel in panels for row in panel["rows"] for tile in row["tiles"]}
        more = {
            file
            for panel in panels
            for what in ("plots", "tables")
            for one in panel[what]
            for file in one["files"]
        }
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return tiles | more


def _save_tiles(
    folder: Path, place: str, heading: str, tiles: Sequence[Tile]
) -> Iterator[dict[str, str]]:
    for column, tile in enumerate(tiles, 1):
        # The numbers make the name unique, the words only tell what it is.
        words = [f"{place}-{column}", _safe(heading), _safe(tile.caption)]
        name = "-".join(word for word in words if word) + ".png"
        with replacing(folder / name) as file:
            _storable(tile.image).save(file, "PNG")
        yield {"file": name, "caption": tile.caption, "note": tile.note}


def _save_plot(folder: Path, place: str, plot: Plot) -> dict[str, Any]:
    name = _named(place, plot.title)
    _write(folder / f"{name}.svg", plot_svg(plot).encode())
    with replacing(folder / f"{name}.png") as file:
        plot_image(plot).save(file, "PNG")
    series = [
        {"name": s.name, "x": _plain(s.x), "y": _plain(s.y), "spread": _plain(s.spread)}
        for s in plot.series
    ]
    about = {"title": plot.title, "x": plot.x, "y": plot.y, "kind": plot.kind, "log": plot.log}
    return {"files": [f"{name}.svg", f"{name}.png"], **about, "series": series}


def _save_table(folder: Path, place: str, table: Table) -> dict[str, Any]:
    name = _named(place, table.title)
    forms = {".md": to_markdown, ".csv": to_csv, ".tex": to_latex}
    for suffix, write in forms.items():
        _write(folder / f"{name}{suffix}", write(table).encode(errors="replace"))
    return {
        "files": [name + suffix for suffix in forms],
        "title": table.title,
        "note": table.note,
        "columns": list(table.columns),
        "rows": [_plain(row) for row in table.rows],
    }


def _plain(values: Iterable[str | float | None]) -> list[str | int | float | None]:
    """Bring values to what JSON knows: there NaN and infinity are `null`."""
    plain: list[str | int | float | None] = []
    for value in values:
        if value is None or isinstance(value, str):
            plain.append(value)
        elif isinstance(value, Integral):
            plain.append(int(value))
        else:
            plain.append(float(value) if math.isfinite(value) else None)
    return plain


def _named(place: str, title: str) -> str:
    words = _safe(title)
    return f"{place}-{words}" if words else place


def _storable(image: Image.Image) -> Image.Image:
    return image if image.width and image.height else Image.new("RGB", (1, 1), "white")


def _safe(text: str) -> str:
    """Keep of a text what any file system takes: lower-case ASCII letters, digits, hyphens."""
    text = re.sub(r"\.(jpe?g|png|webp|tiff?|bmp|gif)\b", "", text[:400], flags=re.IGNORECASE)
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST_NAME].strip("-")


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as file:
        file.write(content)
