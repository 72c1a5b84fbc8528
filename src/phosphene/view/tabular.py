"""A table on a sheet: columns aligned, three thin rules, no lines between its cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from phosphene.panel import Table
from phosphene.view import typeset
from phosphene.view.grid import CAPTION, HEADING
from phosphene.view.sheet import FAINT, GREY, INK, MARGIN, WIDEST, Sheet
from phosphene.view.tables import Shown

_NOTE = 12
_APART, _ROW = 26, 23
_RULE, _STRONG = "#b8b8b8", "#555555"
_WIDEST = WIDEST - 2 * MARGIN
_LONGEST = 420
"""No column is wider, in pixels."""
_MOST_ROWS = 200


@dataclass(frozen=True)
class Tabular:
    """A table, measured.

    Attributes:
        title: Its title.
        note: What stands below it.
        lines: Texts of the cells, the columns' names in front.
        right: Which columns stand flush right.
        widths: Of the columns, in pixels.
        left_out: What a person must know is not shown; empty if all is.
    """

    title: str
    note: str
    lines: tuple[tuple[str, ...], ...]
    right: tuple[bool, ...]
    widths: tuple[int, ...]
    left_out: str

    @classmethod
    def of(cls, table: Table) -> Tabular:
        """Measure a table."""
        shown = Shown.of(table)
        kept = (shown.columns, *shown.typeset[:_MOST_ROWS])
        lines = [[_fitted(text) for text in line] for line in kept]
        widths = [
            round(max(typeset.length(text, CAPTION) for text in column)) + 1
            for column in zip(*lines, strict=True)
        ]
        fit = len(widths)
        while fit > 1 and _span(widths[:fit]) > _WIDEST:
            fit -= 1
        missing = [
            f"{len(kept) - 1} of {len(shown.rows)} rows" if len(kept) <= len(shown.rows) else "",
            f"{fit} of {len(widths)} columns" if fit < len(widths) else "",
        ]
        said = " and ".join(part for part in missing if part)
        return cls(
            table.title,
            table.note,
            tuple(tuple(line[:fit]) for line in lines),
            shown.right[:fit],
            tuple(widths[:fit]),
            f"{said} are shown; a page (.html) holds them all" if said else "",
        )

    @property
    def width(self) -> int:
        """How wide it stands, in pixels."""
        return _span(self.widths)

    @property
    def height(self) -> int:
        """Bound its height from above, in pixels."""
        words = 2 * typeset.leading(HEADING) + 3 * typeset.leading(_NOTE)
        return len(self.lines) * _ROW + words + typeset.leading(CAPTION) + 30

    def lay(self, sheet: Sheet) -> None:
        """Put it on a sheet, with its title above and its note below."""
        sheet.text(self.title, HEADING, INK, 2)
        sheet.space(5 if self.title else 0)
        sheet.block(len(self.lines) * _ROW + 9, self._paint)
        if self.left_out:
            sheet.text(self.left_out, CAPTION, FAINT, 1)
        sheet.space(3 if self.note else 0)
        sheet.text(self.note, _NOTE, FAINT, 3)

    def _paint(self, image: Image.Image, draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
        end = x + self.width - 1
        draw.line([(x, y), (end, y)], _STRONG)
        y += 2
        for number, line in enumerate(self.lines):
            left = x
            for text, width, right in zip(line, self.widths, self.right, strict=True):
                indent = width - typeset.length(text, CAPTION) if right else 0
                top = y + (_ROW - typeset.leading(CAPTION)) / 2
                color = INK if number else GREY
                typeset.write(draw, (round(left + indent), top), text, CAPTION, color)
                left += width + _APART
            y += _ROW
            if not number:
                draw.line([(x, y), (end, y)], _RULE)
                y += 2
        draw.line([(x, y + 2), (end, y + 2)], _STRONG)


def _fitted(text: str) -> str:
    return (typeset.wrap(text, CAPTION, _LONGEST, 1) or [""])[0]


def _span(widths: Sequence[int]) -> int:
    return sum(widths) + _APART * max(len(widths) - 1, 0)
