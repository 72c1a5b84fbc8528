"""Rows of tiles on a sheet.

Where all rows hold as many tiles as each other and fit the sheet, they form a table: tiles stand
in columns, a caption that the tiles of a column share is printed once above it (one that adds
something, as "guided: zero everywhere", stays under its tile), and headings short enough stand
beside their rows. Otherwise each row flows, wrapping where it must.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from PIL import Image, ImageDraw

from phosphene.panel import Panel, Tile
from phosphene.view import typeset
from phosphene.view.scale import common_height, resized, shown_size
from phosphene.view.sheet import FAINT, GREY, INK, MARGIN, TALLEST, WIDEST, Sheet

CAPTION, HEADING = 14, 15
_GUTTER, _BETWEEN = 12, 18
_NARROWEST, _ASIDE = 96, 150
_WIDEST = WIDEST - 2 * MARGIN
_LINES = 3


@dataclass(frozen=True)
class Row:
    """One row as it will be drawn.

    Attributes:
        heading: Its heading; empty for none.
        tiles: Its tiles.
        sizes: (width, height) in pixels at which each is shown.
    """

    heading: str
    tiles: tuple[Tile, ...]
    sizes: tuple[tuple[int, int], ...]

    @property
    def cells(self) -> list[int]:
        """How wide the cell of each tile is: a caption needs some room under a narrow tile."""
        return [max(width, _NARROWEST) for width, _ in self.sizes]


@dataclass(frozen=True)
class Grid:
    """Rows with what they have in common.

    Attributes:
        rows: The rows.
        columns: Widths of the columns, of all rows; empty where rows flow.
        captions: What is printed above each column; empty strings for none.
        aside: Width left of the columns for headings; 0 where they stand above their rows.
    """

    rows: tuple[Row, ...]
    columns: tuple[int, ...] = ()
    captions: tuple[str, ...] = ()
    aside: int = 0

    @classmethod
    def of(cls, panel: Panel) -> Grid:
        """Measure the rows of a panel."""
        rows = tuple(_row(heading, tiles) for heading, tiles in panel.rows)
        if len(rows) < 2 or len({len(row.tiles) for row in rows}) > 1 or not rows[0].tiles:
            return cls(rows)
        columns = tuple(max(widths) for widths in zip(*(row.cells for row in rows), strict=True))
        if _span(columns) > _WIDEST:
            return cls(rows)
        captions = tuple(_shared(tiles) for tiles in zip(*(r.tiles for r in rows), strict=True))
        headings = [typeset.single_line(row.heading) for row in rows]
        aside = max(round(typeset.length(heading, HEADING)) for heading in headings) + 2 * _GUTTER
        if not any(headings) or aside > _ASIDE or aside + _span(columns) > _WIDEST:
            aside = 0
        return cls(rows, columns, captions, aside)

    @property
    def width(self) -> int:
        """How wide the tiles stand, in pixels."""
        if self.columns:
            return self.aside + _span(self.columns)
        return max((_span(line) for r in self.rows for line in _lines(r.cells)), default=0)

    def lay(self, sheet: Sheet, footer: int) -> None:
        """Put the rows on a sheet, as many as it can take above a footer of that height."""
        self._lay_captions(sheet)
        for number, row in enumerate(self.rows):
            if sheet.height + self._height(row) + footer > TALLEST:
                rest = f"{number} of {len(self.rows)} rows are shown; a page (.html) holds them all"
                sheet.text(rest, CAPTION, FAINT, 2)
                return
            sheet.space(_BETWEEN if number else 0)
            if row.heading and not self.aside:
                sheet.text(row.heading, HEADING, INK, 2)
                sheet.space(4)
            done = 0
            for line in [list(self.columns)] if self.columns else _lines(row.cells):
                sheet.space(_GUTTER if done else 0)
                _lay_line(sheet, row, done, line, self)
                done += len(line)

    def _height(self, row: Row) -> int:
        """Bound the height of a row from above."""
        lines = 1 if self.columns else len(_lines(row.cells))
        tallest = max((height for _, height in row.sizes), default=0)
        caption = _LINES * typeset.leading(CAPTION) + _GUTTER
        return lines * (tallest + caption) + 2 * typeset.leading(HEADING) + _BETWEEN

    def _lay_captions(self, sheet: Sheet) -> None:
        if not any(self.captions):
            return
        step = typeset.leading(CAPTION)
        wrapped = [
            typeset.wrap(caption, CAPTION, width, _LINES)
            for caption, width in zip(self.captions, self.columns, strict=True)
        ]
        most = max(len(lines) for lines in wrapped)

        def paint(image: Image.Image, draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
            x += self.aside
            for lines, width in zip(wrapped, self.columns, strict=True):
                _center(draw, lines, x, y + (most - len(lines)) * step, width, INK)
                x += width + _GUTTER

        sheet.block(most * step, paint)
        sheet.space(8)


def _lay_line(sheet: Sheet, row: Row, first: int, cells: list[int], grid: Grid) -> None:
    """Put a line of tiles on the sheet, and the captions that are not above their column."""
    tiles, sizes = row.tiles[first : first + len(cells)], row.sizes[first : first + len(cells)]
    above = grid.captions or ("",) * len(cells)
    wrapped = [
        typeset.wrap("" if tile.caption == shared else tile.caption, CAPTION, width, _LINES)
        for tile, width, shared in zip(tiles, cells, above, strict=True)
    ]
    tallest = max(height for _, height in sizes)
    step = typeset.leading(CAPTION)

    def paint(image: Image.Image, draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
        if grid.aside:
            lines = typeset.wrap(row.heading, HEADING, grid.aside, 1)
            top = y + (tallest - typeset.leading(HEADING)) / 2
            for line in lines:
                typeset.write(draw, (x, top), line, HEADING, INK)
        x += grid.aside
        for tile, size, width, lines in zip(tiles, sizes, cells, wrapped, strict=True):
            place = (x + (width - size[0]) // 2, y + tallest - size[1])
            image.paste(resized(tile.image, size), place)
            _center(draw, lines, x, y + tallest + 4, width, GREY)
            x += width + _GUTTER

    most = max(len(lines) for lines in wrapped)
    sheet.block(tallest + (4 + most * step if most else 0), paint)


def _center(
    draw: ImageDraw.ImageDraw, lines: list[str], x: int, y: int, width: int, color: str
) -> None:
    for number, line in enumerate(lines):
        left = x + (width - typeset.length(line, CAPTION)) / 2
        top = y + number * typeset.leading(CAPTION)
        typeset.write(draw, (round(left), top), line, CAPTION, color)


def _row(heading: str, tiles: tuple[Tile, ...]) -> Row:
    height = common_height(tile.image for tile in tiles)
    sizes = tuple(shown_size(tile.image, height, _WIDEST) for tile in tiles)
    return Row(heading, tiles, sizes)


def _shared(tiles: tuple[Tile, ...]) -> str:
    """Find the caption of a column: that of most tiles, where others only say more than it."""
    captions = [tile.caption for tile in tiles]
    caption, count = Counter(captions).most_common(1)[0]
    more = [c[len(caption) : len(caption) + 1] for c in captions if c.startswith(caption)]
    same = len(more) == len(captions) and not any(mark.isalnum() for mark in more)
    return caption if same and 2 * count > len(captions) else ""


def _lines(cells: list[int]) -> list[list[int]]:
    """Break the cells of a row into lines that fit."""
    lines: list[list[int]] = []
    for cell in cells:
        if lines and _span((*lines[-1], cell)) <= _WIDEST:
            lines[-1].append(cell)
        else:
            lines.append([cell])
    return lines


def _span(cells: tuple[int, ...] | list[int]) -> int:
    return sum(cells) + _GUTTER * (len(cells) - 1)
