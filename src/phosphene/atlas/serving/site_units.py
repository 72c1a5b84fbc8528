"""What a site says of its units, read from its files as data that may come from anybody.

The list of all units is what search loads (`atlas.search`); the pictures of a unit, and which
photographs they are of, stand on its page (`unit.html`). No file that these name is ever opened:
all that comes out of here are texts, numbers, and addresses below the site.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from phosphene.atlas.serving.answers import Refused
from phosphene.atlas.serving.unit_page import PageStrip, UnitPage

_FOLDER = re.compile(r"units/[a-z0-9._-]+/")
_INDEX = re.compile(r"globalThis\.atlasUnits = (\".*\");\s*", re.DOTALL)
_LARGEST_PAGE = 2**24


@dataclass(frozen=True)
class SiteLayer:
    """A layer of a site.

    Attributes:
        name: Of the layer.
        folder: Of its units' pages, from the site's root.
        units: Their numbers.
    """

    name: str
    folder: str
    units: frozenset[int]


@dataclass(frozen=True)
class SiteUnits:
    """The units of a site.

    Attributes:
        root: The site's folder, with all links resolved.
        layers: Its layers, by name.
        facts: What its first page says it was made of, by name.
    """

    root: Path
    layers: Mapping[str, SiteLayer]
    facts: Mapping[str, str]

    @classmethod
    def of(cls, root: Path) -> SiteUnits:
        """Read the list of a site's units; what cannot be understood of it is left out."""
        try:
            data = read_index((root / "static" / "index.js").read_bytes())
        except (OSError, Refused):
            data = {}
        listed = data.get("layers")
        entries = [_layer(entry) for entry in listed] if isinstance(listed, list) else []
        layers = {layer.name: layer for layer in entries if layer is not None}
        return cls(root, layers, _facts(root / "index.html"))

    def address(self, layer: str, unit: int) -> str:
        """Return the address of a unit's page from the server's root; empty if there is none."""
        known = self.layers.get(layer)
        return f"/{known.folder}{unit}.html" if known and unit in known.units else ""

    def strips(self, layer: str, unit: int) -> tuple[PageStrip, ...]:
        """Return the rows of pictures on a unit's page; none where there is no such page."""
        address = self.address(layer, unit)
        text = _page(self.root, address.removeprefix("/")) if address else ""
        reader = UnitPage(address)
        reader.feed(text)
        reader.close()
        return tuple(strip for strip in reader.strips if strip.pictures)


def read_index(script: bytes) -> dict[str, Any]:
    """Read the list of units, which a site holds as a script, without running it.

    Raises:
        Refused: It is not as a site writes it.
    """
    try:
        found = _INDEX.fullmatch(script.decode("utf-8"))
        data = json.loads(json.loads(found[1])) if found else None
    except (ValueError, TypeError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise Refused(404, "the site's list of units is damaged: make the atlas again")
    return data


def written_index(data: Mapping[str, Any]) -> str:
    """Write the list of units as a script that holds nothing but data."""
    return f"globalThis.atlasUnits = {json.dumps(json.dumps(data))};\n"


def _layer(entry: Any) -> SiteLayer | None:
    if not isinstance(entry, dict):
        return None
    name, folder, units = entry.get("name"), entry.get("folder"), entry.get("units")
    if not (isinstance(name, str) and isinstance(folder, str) and isinstance(units, list)):
        return None
    if not _FOLDER.fullmatch(folder) or ".." in folder:
        return None
    numbers = [unit[0] for unit in units if isinstance(unit, list) and unit]
    return SiteLayer(name, folder, frozenset(n for n in numbers if type(n) is int and n >= 0))


class _Facts(HTMLParser):
    """Reads the pairs of a page's last list of facts."""

    def __init__(self) -> None:
        super().__init__()
        self.facts: dict[str, str] = {}
        self._inside = False
        self._said: dict[str, str] = {}
        self._tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "section":
            self._inside = dict(attrs).get("class") == "facts"
        if self._inside and tag in ("dt", "dd"):
            self._tag = tag
            self._said[tag] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "dd" and {"dt", "dd"} <= set(self._said):
            self.facts[self._said.pop("dt")] = self._said.pop("dd")
        if tag in ("dt", "dd"):
            self._tag = ""
        if tag == "section":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._tag:
            self._said[self._tag] += data


def _facts(page: Path) -> dict[str, str]:
    reader = _Facts()
    reader.feed(_page(page.parent, page.name))
    reader.close()
    return reader.facts


def _page(root: Path, name: str) -> str:
    """Return the text of a page below the root; empty if it is none."""
    try:
        place = (root / name).resolve(strict=True)
        if not place.is_relative_to(root) or place.stat().st_size > _LARGEST_PAGE:
            return ""
        return place.read_text("utf-8", "replace")
    except (OSError, ValueError, RuntimeError):
        return ""
