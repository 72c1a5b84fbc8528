"""The units of a site as data for its scripts: one file for search, and one block a layer page.

Everything goes through JSON and is parsed by `JSON.parse`, so that no name can be code, end a
`<script>`, or be taken for a prototype.
"""

from __future__ import annotations

import json
import math
from typing import Any

from phosphene.atlas.model import Atlas, LayerEntry, Picture, UnitEntry
from phosphene.atlas.places import Places, picture_address
from phosphene.atlas.ranking import statistic_names

_LARGEST = 1.7e308
"""Stands for infinity, which JSON does not know."""


def kinds_of(layer: LayerEntry) -> tuple[str, ...]:
    """List the kinds of thumbnails that any unit of a layer has, in order of appearance."""
    return tuple(dict.fromkeys(kind for unit in layer.units for kind in unit.thumbnails))


def layer_data(layer: LayerEntry, places: Places, number: int) -> dict[str, Any]:
    """Put a layer's units into lists of numbers; names that repeat stand once.

    Returns:
        `name`, `page`, `folder` and the names of `kinds`, `statistics`, `concepts` (with their
        categories) and `flags`; in `units` for every unit its index, label, flags, concepts (which,
        IoU, whether detected), values by statistic, and thumbnails by kind (address, width,
        height).
    """
    kinds, statistics = kinds_of(layer), statistic_names(layer)
    concepts: dict[tuple[str, str], int] = {}
    flags: dict[str, int] = {}

    def unit_data(unit: UnitEntry) -> list[Any]:
        return [
            unit.index,
            unit.label,
            [flags.setdefault(flag, len(flags)) for flag in unit.flags],
            [
                [
                    concepts.setdefault((concept.name, concept.category), len(concepts)),
                    _number(concept.iou),
                    int(concept.detector),
                ]
                for concept in unit.concepts
            ],
            [_number(unit.statistics.get(name)) for name in statistics],
            [_picture(unit.thumbnails.get(kind)) for kind in kinds],
        ]

    units = [unit_data(unit) for unit in layer.units]
    return {
        "name": layer.name,
        "page": places.layer(number),
        "folder": places.units(number),
        "kinds": kinds,
        "statistics": statistics,
        "concepts": list(concepts),
        "flags": list(flags),
        "units": units,
    }


def block(data: dict[str, Any]) -> str:
    """Write data as JSON that can stand inside a `<script type="application/json">`."""
    return _json(data).replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def index_script(atlas: Atlas, places: Places) -> str:
    """Write all units as a script, which unlike JSON may be loaded by a page that is a file."""
    layers = [layer_data(layer, places, n) for n, layer in enumerate(atlas.layers)]
    literal = json.dumps(block({"layers": layers}))
    return f"globalThis.atlasUnits = {literal};\n"


def _json(data: Any) -> str:
    return json.dumps(data, allow_nan=False, separators=(",", ":"))


def _number(value: float | None) -> float | int | None:
    if value is None or math.isnan(value):
        return None
    if math.isinf(value):
        return math.copysign(_LARGEST, value)
    short = float(f"{value:.6g}")
    return int(short) if short == int(short) and abs(short) < 1e15 else short


def _picture(picture: Picture | None) -> list[str | int] | None:
    address = picture_address(picture) if picture else ""
    return [address, picture.width, picture.height] if picture and address else None
