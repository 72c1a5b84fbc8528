"""A panel as one picture, fit for a paper: white ground, rows of tiles, small clear captions."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from phosphene.panel import Panel
from phosphene.view import typeset
from phosphene.view.below import Below
from phosphene.view.grid import Grid
from phosphene.view.sheet import FAINT, INK, MARGIN, RED, TALLEST, WIDEST, Sheet

_TITLE, _WARNING, _FACTS = 23, 14, 11
_NARROWEST = 400
_MOST_WARNINGS = 8
_FACT_LINES = 8


def draw(panel: Panel) -> Image.Image:
    """Draw a panel as one picture.

    Args:
        panel: What to show.

    Returns:
        8-bit RGB on white, at most 2400 pixels wide and 65000 high: rows that would not fit are
        left out, which a line says. Tiles of 160 to 320 pixels height keep their own pixels.
    """
    grid, below = Grid.of(panel), Below.of(panel)
    sheet = Sheet(min(max(grid.width, below.width, _NARROWEST), WIDEST - 2 * MARGIN))
    sheet.text(panel.title, _TITLE, INK, 3)
    sheet.space(16 if panel.title else 0)
    footer = typeset.leading(_FACTS) * _FACT_LINES
    footer += 2 * typeset.leading(_WARNING) * (_MOST_WARNINGS + 1) + 3 * MARGIN
    # Rows give way to plots and tables, but not all the room there is.
    grid.lay(sheet, footer + min(below.height(sheet.width), TALLEST // 2))
    if not (panel.rows or panel.plots or panel.tables):
        sheet.text("no pictures", _WARNING, FAINT, 1)
    below.lay(sheet, footer)
    _lay_warnings(sheet, panel.warnings)
    if panel.facts:
        sheet.space(14)
        facts = (f"{typeset.single_line(k)} {typeset.single_line(v)}" for k, v in _facts(panel))
        sheet.text(" | ".join(facts), _FACTS, FAINT, _FACT_LINES)
    return sheet.image()


def stack(panels: Sequence[Panel]) -> Image.Image:
    """Draw panels below one another."""
    images = [draw(panel) for panel in panels]
    if len(images) == 1:
        return images[0]
    size = max((i.width for i in images), default=1), sum(i.height for i in images) or 1
    sheet, top = Image.new("RGB", size, "white"), 0
    for image in images:
        sheet.paste(image, (0, top))
        top += image.height
    return sheet


def png(panel: Panel) -> bytes:
    """Draw a panel as a PNG file, which carries title and facts as text of its own."""
    file = io.BytesIO()
    draw(panel).save(file, "PNG", pnginfo=text_of([panel]))
    return file.getvalue()


def text_of(panels: Sequence[Panel]) -> PngInfo:
    """Put titles and facts into text chunks, so that a picture alone says how it was made."""
    info = PngInfo()
    info.add_itxt("Title", "; ".join(typeset.single_line(panel.title) for panel in panels))
    info.add_itxt("Software", "phosphene")
    for panel in panels:
        info.add_itxt("phosphene", json.dumps(dict(_facts(panel))))
    return info


def _facts(panel: Panel) -> list[tuple[str, str]]:
    return [(str(name), str(value)) for name, value in panel.facts.items()]


def _lay_warnings(sheet: Sheet, warnings: Sequence[str]) -> None:
    sheet.space(16 if warnings else 0)
    for warning in warnings[:_MOST_WARNINGS]:
        sheet.text(warning, _WARNING, RED, 2, mark=True)
    if len(warnings) > _MOST_WARNINGS:
        more = f"and {len(warnings) - _MOST_WARNINGS} more warnings; a page (.html) lists them all"
        sheet.text(more, _WARNING, RED, 1, mark=True)
