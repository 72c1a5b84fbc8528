"""The drawing of a network: its boxes, laid out, as an SVG element for each column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from phosphene.atlas.boxes import Box, boxes
from phosphene.atlas.layout import Column, Placed, Point, layout
from phosphene.atlas.model import LayerEntry, Node, Picture
from phosphene.atlas.operations import nodes_of as nodes_of
from phosphene.atlas.search import kinds_of
from phosphene.view import typeset

__all__ = ["Drawing", "draw", "nodes_of", "representatives"]

PLAIN, SHOWN = (182.0, 42.0), (182.0, 92.0)
"""Sizes of boxes without and with pictures."""
_THUMB, _BETWEEN, _INSET = 38.0, 5.0, 7.5
_NAME, _KIND = 13, 11
_WIDER = 1.12
"""The letters of pages may be so much wider than those `typeset` measures."""
_EDGE, _HEAD = 12.0, 5.0
"""Room above and below a column, and half the width of an arrow's head."""


@dataclass(frozen=True)
class Drawn:
    """A box as the template sees it.

    Attributes:
        place: Where it stands.
        name: Its name, as much as fits.
        kind: What is done in it, as much as fits.
        size: What it puts out, as in `64\u00d755\u00d755`.
        told: All of it, for a tooltip and for those who do not see it.
        layer: The layer it leads to; empty for none.
        pictures: (x, y, side, picture) of thumbnails.
    """

    place: Placed
    name: str
    kind: str
    size: str
    told: str
    layer: str
    pictures: tuple[tuple[float, float, float, Picture], ...]


@dataclass(frozen=True)
class Drawing:
    """A column as the template sees it.

    Attributes:
        width: Of its SVG, in pixels.
        height: Of its SVG, in pixels.
        paths: `d` of every connection.
        heads: `points` of every arrow's head.
        boxes: The boxes, from top to bottom.
        before: The box that repeats the last of the column before; `None` in the first.
    """

    width: float
    height: float
    paths: tuple[str, ...]
    heads: tuple[str, ...]
    boxes: tuple[Drawn, ...]
    before: Drawn | None


def draw(nodes: Sequence[Node], layers: Mapping[str, LayerEntry]) -> tuple[Drawing, ...]:
    """Draw a network.

    Args:
        nodes: Its operations.
        layers: The layers of the atlas by name.

    Returns:
        A drawing for every column.
    """
    found = boxes(nodes)
    pictures = [representatives(layers[box.layer]) if box.layer in layers else () for box in found]
    sizes = [SHOWN if shown else PLAIN for shown in pictures]
    columns = layout([box.inputs for box in found], sizes)
    drawings: list[Drawing] = []
    for column in columns:
        drawn = [_drawn(place, found, pictures, layers) for place in column.boxes]
        again = column.before
        before = _drawn(again, found, pictures, layers) if again else None
        drawings.append(_drawing(column, drawn, before))
    return tuple(drawings)


def representatives(layer: LayerEntry, most: int = 4) -> tuple[Picture, ...]:
    """Choose thumbnails that stand for a layer: of the units that match a concept best, or first.

    Units with a flag, such as dead ones, come last.
    """
    kinds = kinds_of(layer)
    with_pictures = [unit for unit in layer.units if unit.thumbnails]
    best = sorted(
        with_pictures,
        key=lambda u: (bool(u.flags), -max((c.iou for c in u.concepts), default=0.0)),
    )[:most]
    return tuple(
        next(unit.thumbnails[kind] for kind in kinds if kind in unit.thumbnails) for unit in best
    )


def size_text(shape: Sequence[int]) -> str:
    """Write a shape as in `64 \u00d7 55 \u00d7 55`."""
    return " \u00d7 ".join(str(n) for n in shape)


def _drawn(
    at: Placed,
    found: Sequence[Box],
    pictures: Sequence[tuple[Picture, ...]],
    layers: Mapping[str, LayerEntry],
) -> Drawn:
    box = found[at.number]
    place = replace(at, x=at.x + 1, y=at.y + _EDGE)
    kinds = [typeset.single_line(kind) for kind in box.kinds]
    size = "\u00d7".join(str(n) for n in box.shape)
    told = ", ".join(part for part in (", ".join(box.names), " + ".join(kinds), size) if part)
    room = place.width - 2 * _INSET
    left = room - typeset.length(size, _KIND) * _WIDER - 8
    return Drawn(
        place,
        _fitted(box.name, _NAME, room),
        _kinds(kinds, left),
        size,
        typeset.single_line(told),
        box.layer if box.layer in layers else "",
        _thumbnails(place, pictures[at.number]),
    )


def _drawing(column: Column, drawn: Sequence[Drawn], before: Drawn | None) -> Drawing:
    edges = [[(x + 1, y + _EDGE) for x, y in edge] for edge in column.edges]
    return Drawing(
        round(column.width + 2, 1),
        round(column.height + 2 * _EDGE, 1),
        tuple(_path(points) for points in edges),
        tuple(_head(points[-1]) for points in edges),
        tuple(drawn),
        before,
    )


def _thumbnails(
    place: Placed, pictures: Sequence[Picture]
) -> tuple[tuple[float, float, float, Picture], ...]:
    y = place.y + place.height - _THUMB - _INSET
    return tuple(
        (place.x + _INSET + k * (_THUMB + _BETWEEN), y, _THUMB, picture)
        for k, picture in enumerate(pictures)
    )


def _path(points: Sequence[Point]) -> str:
    """Lead a line through points: curved from a box to a lane, straight along it."""
    x, y = points[0]
    words = [f"M{x:.1f} {y:.1f}"]
    last = len(points) - 1
    for k in range(1, len(points), 2):
        x, y = points[k - 1]
        to_x, to_y = points[k]
        to_y -= _HEAD if k == last else 0
        middle = (y + to_y) / 2
        words.append(f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}")
        if k < last:
            words.append(f"L{points[k + 1][0]:.1f} {points[k + 1][1]:.1f}")
    return "".join(words)


def _head(at: Point) -> str:
    x, y = at
    side = _HEAD * 0.7
    return f"{x - side:.1f},{y - _HEAD:.1f} {x + side:.1f},{y - _HEAD:.1f} {x:.1f},{y:.1f}"


def _kinds(kinds: Sequence[str], width: float) -> str:
    """Name as many kinds as fit, the first at least in part."""
    for kept in range(len(kinds), 0, -1):
        text = " + ".join([*kinds[:kept], *(["\u2026"] if kept < len(kinds) else [])])
        if typeset.length(text, _KIND) * _WIDER <= width:
            return text
    return _fitted(kinds[0], _KIND, width)


def _fitted(text: str, size: int, width: float) -> str:
    """Shorten a text in the middle, since names differ at both ends."""
    text = typeset.single_line(text)[:200]
    if typeset.length(text, size) * _WIDER <= width:
        return text
    for kept in range(min(len(text) - 1, int(3 * width / size)), 1, -1):
        short = f"{text[: (kept + 1) // 2]}\u2026{text[len(text) - kept // 2 :]}"
        if typeset.length(short, size) * _WIDER <= width:
            return short
    return "\u2026" if text else ""
