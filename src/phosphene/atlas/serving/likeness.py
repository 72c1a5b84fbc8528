"""Photographs of a site that excite the same units as one that was dropped.

A site keeps, of every unit, patches of the photographs that excite it most. Of all units that
answer most strongly to the dropped photograph, each counts for the photographs on its page: the
r-th unit of a layer for the p-th photograph by `1 / (r p)`. So only what the site's pages say is
used, and no photograph is opened.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from phosphene.atlas.serving.site_units import SiteUnits
from phosphene.atlas.serving.sketches import Json
from phosphene.view.typeset import legible

ALIKE = 6
_PATCHES = 3


def alike(site: SiteUnits, strongest: Mapping[str, Sequence[int]]) -> list[Json]:
    """Find the photographs of a site that share most of the units that a photograph excites.

    Args:
        site: The site.
        strongest: The strongest units of the photograph, by layer, best first.

    Returns:
        The photographs, most alike first: `source`, its name; `units`, how many of the strongest
        units have it among their strongest; `patches`, of some of these units: `layer`, `unit`,
        `page`, `src`, `width`, `height`.
    """
    scores: dict[str, float] = defaultdict(float)
    shown: dict[str, list[tuple[float, Json]]] = defaultdict(list)
    for layer, units in strongest.items():
        for rank, unit in enumerate(units, 1):
            seen = set()
            for place, picture in enumerate(_patches(site, layer, unit), 1):
                if picture.source in seen:
                    continue
                seen.add(picture.source)
                score = 1 / (rank * place)
                scores[picture.source] += score
                patch = {
                    "layer": legible(layer),
                    "unit": unit,
                    "page": site.address(layer, unit),
                    "src": picture.address,
                    "width": picture.width,
                    "height": picture.height,
                }
                shown[picture.source].append((score, patch))
    best = sorted(scores, key=lambda source: (-scores[source], source))[:ALIKE]
    return [
        {
            "source": legible(source),
            "units": len(shown[source]),
            "patches": [patch for _, patch in _best(shown[source])],
        }
        for source in best
    ]


def _patches(site: SiteUnits, layer: str, unit: int) -> list[Any]:
    """Return the first row of pictures that are parts of photographs."""
    strips = site.strips(layer, unit)
    rows = ([p for p in strip.pictures if p.source] for strip in strips)
    return next((row for row in rows if row), [])


def _best(patches: list[tuple[float, Json]]) -> list[tuple[float, Json]]:
    return sorted(patches, key=lambda pair: -pair[0])[:_PATCHES]
