"""Panels as HTML: a whole page to send around, or a fragment for a notebook.

Both hold everything they need: pictures as data URIs, their own style, no network. The page's
script only adds comforts; without it nothing is missing. Every text is escaped by the templates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from phosphene.panel import Panel, Plot, Table, Tile
from phosphene.view.inline import data_uri, is_exact, shown_pixels
from phosphene.view.plots import plot_svg
from phosphene.view.tables import Shown
from phosphene.view.templating import TEMPLATES, environment

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_INDEXED = 12
"""A page of more rows gets an index and a box to filter them."""
_IN_NOTEBOOK = 24
"""A notebook keeps everything in its file: the first rows must do."""
_MANY = 8


@dataclass(frozen=True)
class Figure:
    """A tile as the templates see it.

    Attributes:
        uri: The picture.
        width: Of the picture, in pixels.
        height: Of the picture, in pixels.
        caption: The tile's.
        alt: What it shows, for those who do not see it.
    """

    uri: str
    width: int
    height: int
    caption: str
    alt: str


@dataclass(frozen=True)
class Section:
    """A row as the templates see it.

    Attributes:
        anchor: Its id on the page.
        name: Its heading, or its number where it has none.
        heading: Its heading; may be empty.
        figures: Its tiles.
        many: Whether they are so many that they are shown smaller.
        notes: (what it is about, note), equal notes together.
    """

    anchor: str
    name: str
    heading: str
    figures: tuple[Figure, ...]
    many: bool
    notes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Below:
    """What stands below the rows, as the templates see it.

    Attributes:
        plots: The plots of a panel, each as an `<svg>` that is safe to stand in a page.
        tables: Its tables, and the texts of their cells.
    """

    plots: tuple[tuple[Plot, Markup], ...]
    tables: tuple[tuple[Table, Shown], ...]

    @classmethod
    def of(cls, panel: Panel, prefix: str) -> Below:
        """Draw what a panel has; ids begin with the prefix."""
        from markupsafe import Markup

        drawn = tuple(
            (plot, Markup(plot_svg(plot, False, f"{prefix}g{number}-")))
            for number, plot in enumerate(panel.plots, 1)
        )
        return cls(drawn, tuple((table, Shown.of(table)) for table in panel.tables))


def page(panels: Panel | Sequence[Panel], title: str | None = None) -> str:
    """Write panels as one self-contained HTML document.

    Args:
        panels: What to show; several come below one another.
        title: Heading of the page; that of the first panel if `None`.

    Returns:
        The document. It opens from a file, in light or dark, needs no script and no network.
    """
    panels = [panels] if isinstance(panels, Panel) else list(panels)
    others = f" and {len(panels) - 1} more" if len(panels) > 1 else ""
    heading = title or (panels[0].title + others if panels else "") or "phosphene"
    exact = is_exact(tile.image for panel in panels for tile in _tiles(panel))
    sections = [_sections(panel, f"p{i}", exact) for i, panel in enumerate(panels, 1)]
    below = [Below.of(panel, f"p{i}") for i, panel in enumerate(panels, 1)]
    return _render(
        "page.html",
        title=heading,
        panels=list(zip(panels, sections, below, strict=True)),
        alone=len(panels) == 1 and panels[0].title in ("", heading),
        indexed=sum(len(rows) for rows in sections) > _INDEXED,
    )


def fragment(panel: Panel) -> str:
    """Write a panel as HTML to stand inside another document, such as a notebook.

    Args:
        panel: What to show. Of more than 24 rows the first are shown, which a line says.

    Returns:
        One `<div>` with its own style, which reaches nothing outside it.
    """
    shown = Panel(panel.title, panel.rows[:_IN_NOTEBOOK], panel.facts, panel.warnings)
    sections = _sections(shown, "", is_exact(tile.image for tile in _tiles(shown)))
    left = len(panel.rows) - len(shown.rows)
    # A notebook holds many fragments: their ids differ where what they name differs.
    prefix = "h" + hashlib.sha256(repr(panel.plots).encode(errors="replace")).hexdigest()[:10]
    below = Below.of(panel, prefix)
    return _render("fragment.html", panel=panel, sections=sections, below=below, left=left)


def _sections(panel: Panel, prefix: str, exact: bool) -> tuple[Section, ...]:
    return tuple(
        Section(
            anchor=f"{prefix}r{number}",
            name=heading or f"row {number}",
            heading=heading,
            figures=tuple(
                _figure(tile, heading or panel.title, index, exact)
                for index, tile in enumerate(tiles, 1)
            ),
            many=len(tiles) > _MANY,
            notes=_notes(tiles),
        )
        for number, (heading, tiles) in enumerate(panel.rows, 1)
    )


def _figure(tile: Tile, context: str, number: int, exact: bool) -> Figure:
    image = shown_pixels(tile.image)
    alt = ", ".join(part for part in (tile.caption or f"picture {number}", context) if part)
    return Figure(data_uri(image, exact), image.width, image.height, tile.caption, alt)


def _notes(tiles: tuple[Tile, ...]) -> tuple[tuple[str, str], ...]:
    found: dict[str, list[str]] = {}
    for number, tile in enumerate(tiles, 1):
        if tile.note:
            found.setdefault(tile.note, []).append(tile.caption or f"picture {number}")
    return tuple((", ".join(captions), note) for note, captions in found.items())


def _tiles(panel: Panel) -> list[Tile]:
    return [tile for _, tiles in panel.rows for tile in tiles]


def _render(template: str, **context: Any) -> str:
    return _environment().get_template(template).render(**context)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return environment(TEMPLATES)
