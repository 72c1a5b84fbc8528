"""What a result shows: pictures in rows, with a line under each.

Every result says in `panel()` which pictures it consists of, and nothing about how they are
drawn: `phosphene.view` draws a `Panel` as PNG or as a page without knowing what it came from.
`Shows` gives a result its ways of being looked at: in a notebook, and saved to a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from PIL.Image import Image


@dataclass(frozen=True)
class Tile:
    """One picture.

    Attributes:
        image: 8-bit RGB.
        caption: One line to stand under it; empty for none.
        note: More about it, for places that can fold it away.
    """

    image: Image
    caption: str = ""
    note: str = ""


@dataclass(frozen=True)
class Table:
    """Numbers in rows and columns.

    Attributes:
        title: Heading.
        columns: Name of every column; the first is that of the rows' names.
        rows: A cell for every column: a text, a number, or `None` for what was not measured.
        note: What the numbers are, and their unit.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | float | None, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Series:
    """One line of a plot, or one colour of its bars.

    Attributes:
        name: For the legend; empty for none.
        x: Places along the horizontal axis: numbers, or names of what stands side by side.
        y: Heights.
        spread: Half-lengths of error bars; empty for none.
    """

    name: str
    x: tuple[float, ...] | tuple[str, ...]
    y: tuple[float, ...]
    spread: tuple[float, ...] = ()


@dataclass(frozen=True)
class Plot:
    """A diagram.

    Attributes:
        title: Heading.
        series: What is drawn.
        x: Name and unit of the horizontal axis.
        y: Name and unit of the vertical axis.
        kind: Lines with markers where points are few, or groups of bars.
        log: Whether the vertical axis is logarithmic.
    """

    title: str
    series: tuple[Series, ...]
    x: str = ""
    y: str = ""
    kind: Literal["lines", "bars"] = "lines"
    log: bool = False


@dataclass(frozen=True)
class Panel:
    """Pictures in rows, with a heading and what there is to say about them.

    Attributes:
        title: Heading.
        rows: Tiles by row, and in front of each row its own heading (may be empty).
        facts: What was done, by name: network, layer, rules, versions. Enough to do it again.
        warnings: Sentences a person should not miss.
        plots: Diagrams, below the pictures.
        tables: Tables, below the diagrams.
    """

    title: str
    rows: tuple[tuple[str, tuple[Tile, ...]], ...]
    facts: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    plots: tuple[Plot, ...] = ()
    tables: tuple[Table, ...] = ()


def movie(frames: Iterable[Image], path: str | Path, fps: float = 12) -> Path:
    """Write pictures one after another as `.gif`, `.mp4` or `.webm`.

    Raises:
        OutputError: It cannot be written there, or as that.
    """
    from phosphene.view import save_movie

    return save_movie(frames, Path(path), fps)


class Shows:
    """A result that can be looked at."""

    def panel(self) -> Panel:
        """Say which pictures the result consists of."""
        raise NotImplementedError

    def save(self, path: str | Path) -> Path:
        """Write what the result shows.

        Args:
            path: `.png` (or `.jpg`, `.webp`) for one picture, `.html` for a page with all
                pictures inside, anything without a suffix for a folder of both and every tile.

        Returns:
            The file, or the folder's page.

        Raises:
            OutputError: It cannot be written there.
        """
        from phosphene.view import save

        return save(self.panel(), path)

    def picture(self) -> Image:
        """Draw everything as one RGB picture."""
        from phosphene.view import draw

        return draw(self.panel())

    def _repr_png_(self) -> bytes:
        """Show in a notebook."""
        from phosphene.view import png

        return png(self.panel())

    def _repr_html_(self) -> str:
        """Show in a notebook that prefers HTML."""
        from phosphene.view import fragment

        return fragment(self.panel())
