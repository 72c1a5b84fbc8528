"""What stands below the tiles of a picture: plots, two or more side by side, then tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from phosphene.panel import Panel, Plot
from phosphene.view import typeset
from phosphene.view.grid import CAPTION, HEADING
from phosphene.view.plots import plot_image
from phosphene.view.sheet import FAINT, INK, TALLEST, Sheet
from phosphene.view.tabular import Tabular

_SCALE = 1.25
"""Pixels to a unit of a plot: its letters are then those of captions."""
_GUTTER, _BETWEEN = 28, 26
_MOST_LINES = 2


@dataclass(frozen=True)
class Drawn:
    """A plot as it will stand on the sheet.

    Attributes:
        title: Its title.
        image: The plot without it.
    """

    title: str
    image: Image.Image

    @classmethod
    def of(cls, plot: Plot) -> Drawn:
        """Draw a plot."""
        return cls(plot.title, plot_image(plot, _SCALE, titled=False))

    @property
    def lines(self) -> list[str]:
        """The title, broken to the width of the plot."""
        return typeset.wrap(self.title, HEADING, self.image.width, _MOST_LINES)


@dataclass(frozen=True)
class Below:
    """Everything below the tiles, measured.

    Attributes:
        plots: The plots of a panel.
        tables: Its tables.
        tiles: Whether tiles stand above.
    """

    plots: tuple[Drawn, ...]
    tables: tuple[Tabular, ...]
    tiles: bool

    @classmethod
    def of(cls, panel: Panel) -> Below:
        """Draw and measure what a panel has."""
        plots = tuple(Drawn.of(plot) for plot in panel.plots)
        return cls(plots, tuple(Tabular.of(t) for t in panel.tables), bool(panel.rows))

    @property
    def width(self) -> int:
        """How wide it would like to stand, in pixels; 0 if there is nothing."""
        widest = max((drawn.image.width for drawn in self.plots), default=0)
        wide = 2 * widest + _GUTTER if len(self.plots) > 1 else widest
        return max([wide, *(table.width for table in self.tables)])

    def height(self, width: int) -> int:
        """Bound its height from above, in pixels, on a sheet of that width."""
        lines = sum(_line_height(line) + _BETWEEN for line in self._lines(width))
        return lines + sum(table.height + _BETWEEN for table in self.tables)

    def lay(self, sheet: Sheet, footer: int) -> None:
        """Put it on a sheet, as much as it can take above a footer of that height."""
        done = 0
        for line in self._lines(sheet.width):
            if sheet.height + _BETWEEN + _line_height(line) + footer > TALLEST:
                _lay_rest(sheet, f"{done} of {len(self.plots)} plots")
                break
            sheet.space(_BETWEEN if self.tiles or done else 0)
            _lay_line(sheet, line)
            done += len(line)
        for number, table in enumerate(self.tables):
            if sheet.height + _BETWEEN + table.height + footer > TALLEST:
                _lay_rest(sheet, f"{number} of {len(self.tables)} tables")
                break
            sheet.space(_BETWEEN if self.tiles or done or number else 0)
            table.lay(sheet)

    def _lines(self, width: int) -> list[Sequence[Drawn]]:
        widest = max((drawn.image.width for drawn in self.plots), default=1)
        count = max(1, (width + _GUTTER) // (widest + _GUTTER))
        return [self.plots[k : k + count] for k in range(0, len(self.plots), count)]


def _lay_rest(sheet: Sheet, shown: str) -> None:
    sheet.space(_BETWEEN // 2)
    sheet.text(f"{shown} are shown; a page (.html) holds them all", CAPTION, FAINT, 2)


def _line_height(line: Sequence[Drawn]) -> int:
    titles = max(len(drawn.lines) for drawn in line) * typeset.leading(HEADING) + 4
    return titles + max(drawn.image.height for drawn in line)


def _lay_line(sheet: Sheet, line: Sequence[Drawn]) -> None:
    step = typeset.leading(HEADING)
    most = max(len(drawn.lines) for drawn in line)

    def paint(image: Image.Image, draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
        for drawn in line:
            for number, text in enumerate(drawn.lines):
                typeset.write(draw, (x, y + number * step), text, HEADING, INK)
            image.paste(drawn.image, (x, y + most * step + 4))
            x += drawn.image.width + _GUTTER

    sheet.block(_line_height(line), paint)
