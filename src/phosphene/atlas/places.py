"""Where everything of a site is: addresses that hold whatever names the layers and files have."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from phosphene.atlas.model import Atlas, LayerEntry, Picture

INDEX, SEARCH = "index.html", "search.html"
_LONGEST = 60


@dataclass(frozen=True)
class Places:
    """The addresses of a site's pages, from its root.

    Attributes:
        slugs: What every layer is called in addresses, in order, all different.
        numbers: Which layer goes by a name; of equal names the first.
    """

    slugs: tuple[str, ...]
    numbers: dict[str, int]

    @classmethod
    def of(cls, atlas: Atlas) -> Places:
        """Find the addresses; equal for equal names of layers."""
        names = [layer.name for layer in atlas.layers]
        numbers = {name: number for number, name in reversed(list(enumerate(names)))}
        return cls(_slugs(atlas.layers), numbers)

    def layer(self, number: int) -> str:
        """Return the address of a layer's page."""
        return f"layers/{self.slugs[number]}.html"

    def units(self, number: int) -> str:
        """Return the address of the folder of a layer's units."""
        return f"units/{self.slugs[number]}/"

    def unit(self, number: int, index: int) -> str:
        """Return the address of a unit's page."""
        return f"{self.units(number)}{index}.html"


def picture_address(picture: Picture) -> str:
    """Return the address of a picture from the site's root, safe to stand in any attribute.

    Returns:
        Its path, all but letters, digits and `-._~` quoted; empty if it leads out of the site.
    """
    parts = re.split(r"[/\\]", picture.file)
    if not picture.file or ".." in parts or parts[0] == "":
        return ""
    try:
        written = picture.file.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        written = picture.file.encode("utf-8", "replace")
    return quote(written, safe="/")


def _slugs(layers: Sequence[LayerEntry]) -> tuple[str, ...]:
    # File systems may hold `Conv` and `conv` for the same.
    given: dict[str, None] = {}
    for layer in layers:
        plain = unicodedata.normalize("NFKD", layer.name[:400]).encode("ascii", "ignore").decode()
        plain = re.sub(r"[^a-z0-9._]+", "-", plain.lower()).strip("-.")
        slug = base = plain[:_LONGEST].strip("-.") or "layer"
        count = 1
        while slug in given:
            count += 1
            slug = f"{base}-{count}"
        given[slug] = None
    return tuple(given)
