"""A panel on disk: one picture, one page, or a folder of everything."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from phosphene.errors import OutputError
from phosphene.image import replacing
from phosphene.panel import Panel, Tile
from phosphene.view.page import page
from phosphene.view.picture import stack, text_of

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
            of its own (exact, in its own size) and `facts.json`.

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
    record = []
    for number, panel in enumerate(panels, 1):
        rows = []
        for row, (heading, tiles) in enumerate(panel.rows, 1):
            place = f"{number}-{row:03d}" if len(panels) > 1 else f"{row:03d}"
            files = list(_save_tiles(folder, place, heading, tiles))
            rows.append({"heading": heading, "tiles": files})
        facts = {str(name): str(value) for name, value in panel.facts.items()}
        shown = {"title": panel.title, "facts": facts, "warnings": list(panel.warnings)}
        record.append({**shown, "rows": rows})
    _write(folder / "facts.json", (json.dumps({"panels": record}, indent=2) + "\n").encode())
    _save_picture(folder / "panel.png", panels)
    _write(folder / "index.html", page(panels).encode())
    return folder / "index.html"


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
