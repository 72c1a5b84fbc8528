"""Writing the site of an atlas: static pages that open from a file, beside the pictures they show.

```text
index.html              the network
search.html             search over all units
layers/LAYER.html       a layer with all its units
units/LAYER/UNIT.html   a unit
static/                 style, scripts, and all units as data for search
```

Every page forbids by its Content-Security-Policy whatever is not a file of the site's own kind:
no inline script, no address elsewhere, no form, no frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from phosphene.atlas.model import Atlas
from phosphene.atlas.pages import Site, script, stylesheet
from phosphene.atlas.places import INDEX, SEARCH, Places
from phosphene.atlas.search import index_script
from phosphene.image import replacing

SCRIPTS = ("theme.js", "atlas.js", "units.js", "query.js", "layer.js", "search.js")

Tick = Callable[[int, int, str], None]


def write(atlas: Atlas, folder: str | Path, *, tick: Tick | None = None) -> Path:
    """Write all pages of an atlas.

    Args:
        atlas: What to show. Its pictures are in the folder already; a picture whose file leads out
            of the folder is not shown.
        folder: Where; made if need be. Other files there stay, so pages of units that an earlier
            atlas had and this one lacks do, too; nothing leads to them.
        tick: Called with the files written, their number, and what is being written.

    Returns:
        The page to open first. It is written last, so that it never leads nowhere.

    Raises:
        OutputError: The folder cannot be written, or the disk is full.
    """
    folder = Path(folder)
    total = len(SCRIPTS) + 4 + sum(1 + len(layer.units) for layer in atlas.layers)
    for done, (name, text, said) in enumerate(_files(atlas), 1):
        with replacing(folder / name) as file:
            file.write(text.encode("utf-8", "replace"))
        if tick is not None:
            tick(done, total, said)
    return folder / INDEX


def _files(atlas: Atlas) -> Iterator[tuple[str, str, str]]:
    """Make every file: its path, its text, and what to say about it."""
    places = Places.of(atlas)
    site = Site(atlas, places)
    yield "static/atlas.css", stylesheet(), "style"
    for name in SCRIPTS:
        yield f"static/{name}", script(name), "scripts"
    yield "static/index.js", index_script(atlas, places), "search"
    for number, layer in enumerate(atlas.layers):
        units = site.units(number)
        for place, unit in enumerate(layer.units):
            yield places.unit(number, unit.index), units.page(place), layer.name
        yield places.layer(number), site.layer(number), layer.name
    yield SEARCH, site.search(), "search"
    yield INDEX, site.overview(), "overview"
