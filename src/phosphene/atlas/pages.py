"""The pages of a site as text: what each shows, and the templates that write it.

Every text is escaped by the templates; what goes to scripts goes as data (`atlas.search`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phosphene.atlas.model import Atlas, LayerEntry, Picture, UnitEntry
from phosphene.atlas.overview import draw, size_text
from phosphene.atlas.places import INDEX, SEARCH, Places, picture_address
from phosphene.atlas.ranking import rank, statistic_names
from phosphene.atlas.search import block, kinds_of, layer_data
from phosphene.panel import Panel, Plot, Table
from phosphene.view.page import Below
from phosphene.view.templating import TEMPLATES, environment

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"
_FEW, _SOME = 4, 6
"""So many pictures of a strip are shown large, and so many rather large."""
_LEAST_SCALE = 0.05
"""Bars of IoU reach their full length at the layer's best, and not below this."""


@dataclass(frozen=True)
class Row:
    """A line of the table of layers.

    Attributes:
        address: Of its page.
        layer: The layer.
        size: Rows and columns, as text.
        detectors: How many units detect a concept; `None` where the layer was not dissected.
        concepts: How many different concepts they detect.
        dead: How many units have the flag `dead`.
    """

    address: str
    layer: LayerEntry
    size: str
    detectors: int | None
    concepts: int
    dead: int


@dataclass(frozen=True)
class Site:
    """An atlas with the addresses of its pages."""

    atlas: Atlas
    places: Places

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The table of layers."""
        return tuple(self._row(layer, k) for k, layer in enumerate(self.atlas.layers))

    def overview(self) -> str:
        """Write the first page."""
        atlas = self.atlas
        layers = {layer.name: layer for layer in reversed(atlas.layers)}
        return _render(
            "overview.html",
            **self._common("", INDEX),
            drawings=draw(atlas.nodes, layers),
            numbers=self.places.numbers,
            rows=self.rows,
            dissected=any(row.detectors is not None for row in self.rows),
            units=sum(len(layer.units) for layer in atlas.layers),
            below=_below(atlas.tables, (), "a"),
        )

    def search(self) -> str:
        """Write the page of searches."""
        flags = {f: None for layer in self.atlas.layers for u in layer.units for f in u.flags}
        return _render(
            "search.html",
            **self._common("", SEARCH),
            statistics=list(
                dict.fromkeys(n for layer in self.atlas.layers for n in statistic_names(layer))
            ),
            flags=list(flags),
            concept=self._some_concept(),
            units=sum(len(layer.units) for layer in self.atlas.layers),
        )

    def layer(self, number: int) -> str:
        """Write the page of a layer."""
        layer = self.atlas.layers[number]
        concepts = [c for unit in layer.units for c in unit.concepts]
        return _render(
            "layer.html",
            **self._common("../", self.places.layer(number)),
            number=number,
            layer=layer,
            row=self.rows[number],
            kinds=kinds_of(layer),
            statistics=statistic_names(layer),
            concepts=sorted({c.name for c in concepts}, key=str.casefold),
            categories=sorted({c.category for c in concepts if c.category}, key=str.casefold),
            flags=list(dict.fromkeys(flag for unit in layer.units for flag in unit.flags)),
            data=block(layer_data(layer, self.places, number)),
            below=_below(layer.tables, layer.plots, f"l{number}"),
        )

    def units(self, number: int) -> LayerUnits:
        """Prepare the pages of a layer's units."""
        return LayerUnits(self, number)

    def _common(self, root: str, page: str) -> dict[str, Any]:
        return {"atlas": self.atlas, "places": self.places, "root": root, "page": page}

    def _row(self, layer: LayerEntry, number: int) -> Row:
        detecting = [unit for unit in layer.units if any(c.detector for c in unit.concepts)]
        dissected = any(unit.concepts for unit in layer.units)
        found = {(c.name, c.category) for u in detecting for c in u.concepts if c.detector}
        return Row(
            self.places.layer(number),
            layer,
            size_text(layer.shape[1:]),
            len(detecting) if dissected else None,
            len(found),
            sum("dead" in unit.flags for unit in layer.units),
        )

    def _some_concept(self) -> str:
        units = (unit for layer in self.atlas.layers for unit in layer.units)
        best = max((c for unit in units for c in unit.concepts), key=lambda c: c.iou, default=None)
        return best.name if best else ""


class LayerUnits:
    """The pages of a layer's units.

    Args:
        site: The site.
        number: The layer's.
    """

    def __init__(self, site: Site, number: int) -> None:
        self.site = site
        self.number = number
        self.layer = site.atlas.layers[number]
        self.places = {unit.index: place for place, unit in enumerate(self.layer.units)}
        self.statistics = rank(self.layer)
        best = max((c.iou for u in self.layer.units for c in u.concepts), default=0.0)
        self.scale = max(best, _LEAST_SCALE)

    def page(self, place: int) -> str:
        """Write the page of the unit at a place in the layer's list."""
        units, site = self.layer.units, self.site
        unit = units[place]
        return _render(
            "unit.html",
            **site._common("../../", site.places.unit(self.number, unit.index)),
            number=self.number,
            layer=self.layer,
            unit=unit,
            before=units[place - 1] if place else None,
            behind=units[place + 1] if place + 1 < len(units) else None,
            statistics=self.statistics[place],
            scale=self.scale,
            neighbours=[(n, r, self._picture(n)) for n, r in unit.neighbours],
            known=self.places,
        )

    def _picture(self, index: int) -> Picture | None:
        place = self.places.get(index)
        thumbnails = self.layer.units[place].thumbnails if place is not None else {}
        return next(iter(thumbnails.values()), None)


def stylesheet() -> str:
    """Write the one style of all pages, the one of other results first."""
    return _render("atlas.css", shared=(TEMPLATES / "view.css").read_text("utf-8"))


def script(name: str) -> str:
    """Read one of the scripts."""
    return (_TEMPLATES / name).read_text("utf-8")


def _below(tables: tuple[Table, ...], plots: tuple[Plot, ...], prefix: str) -> Below:
    return Below.of(Panel("", (), plots=plots, tables=tables), prefix)


def _render(template: str, **context: Any) -> str:
    return _environment().get_template(template).render(**context)


def _large(count: int) -> str:
    return "few" if count <= _FEW else "some" if count <= _SOME else "many"


def _title(unit: UnitEntry, layer: LayerEntry) -> str:
    return f"{layer.name} {unit.index}" + (f" \u2013 {unit.label}" if unit.label else "")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = environment(_TEMPLATES, TEMPLATES)
    made.globals.update(address=picture_address, large=_large, unit_title=_title)
    return made
