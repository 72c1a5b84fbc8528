"""Pictures of six classes that the demo network has never seen, and the truth about them.

They come from the same painter as the demo world, so that colors, textures, light and clutter are
alike; only the objects are others.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import Image

from phosphene.transfer.benchmarks.records import Boxes, InMemory
from phosphene.worlds.clutter import backdrop, blob
from phosphene.worlds.paint import Surface, majority, paint
from phosphene.worlds.patterns import COLORS, TEXTURES
from phosphene.worlds.polygons import Polygon, block, bounds, ellipse, polygon, ribbon, ring

Form = list[list[Polygon]]
"""Parts in the order of painting, each of one color, within [-1, 1] x [-1, 1]."""

Draw = Callable[[float, float], float]


def _arrow(draw: Draw) -> Form:
    neck, half, head = draw(-0.05, 0.2), draw(0.16, 0.24), draw(0.55, 0.75)
    return [
        [block(-0.98, -half, neck + 0.05, half)],
        [polygon((neck, -head), (0.98, 0.0), (neck, head))],
    ]


def _ladder(draw: Draw) -> Form:
    half, thick, rungs = draw(0.36, 0.46), draw(0.12, 0.16), round(draw(3.6, 5.4))
    levels = np.linspace(-0.7, 0.7, rungs).tolist()
    return [
        [block(-half, y - thick / 2, half, y + thick / 2) for y in levels],
        [block(s * half - thick / 2, -0.98, s * half + thick / 2, 0.98) for s in (-1, 1)],
    ]


def _key(draw: Draw) -> Form:
    bow, thick, half = draw(0.36, 0.42), draw(0.15, 0.2), draw(0.07, 0.1)
    teeth = draw(0.26, 0.36)
    return [
        [
            block(-0.3, -half, 0.96, half),
            block(0.5, 0.0, 0.63, teeth),
            block(0.8, 0.0, 0.96, teeth * 1.2),
        ],
        [ring(-0.56, 0.0, (bow, bow), thick)],
    ]


def _umbrella(draw: Draw) -> Form:
    half, rim, top = draw(0.82, 0.96), draw(-0.15, 0.0), draw(-0.9, -0.75)
    thin, side = draw(0.05, 0.07), -1 if draw(0, 1) < 0.5 else 1
    theta = np.radians(np.linspace(0, 180, 12))
    hook = np.stack([side * 0.17 * (1 - np.cos(theta)), 0.75 + 0.18 * np.sin(theta)], axis=1)
    handle = np.concatenate([[[0.0, top - 0.1], [0.0, 0.4]], hook])
    canopy = ellipse(0.0, rim, half, rim - top, arc=(180.0, 360.0))
    wide = half / 3
    lobes = [ellipse(x * wide * 2, rim, wide, 0.16, arc=(180.0, 360.0)) for x in (-1, 0, 1)]
    bite = np.concatenate([lobe[::-1] for lobe in reversed(lobes)])
    return [[ribbon(handle, 2 * thin)], [np.concatenate([canopy, bite])]]


def _cactus(draw: Draw) -> Form:
    wide, arm = draw(0.17, 0.23), draw(0.09, 0.13)
    low, high, reach = draw(0.2, 0.4), draw(-0.15, 0.1), draw(0.5, 0.65)

    def limb(side: int, level: float, up: float) -> list[Polygon]:
        x = side * reach
        return [
            block(min(0.0, x), level - arm, max(0.0, x), level + arm),
            block(x - arm, level - up, x + arm, level + arm),
            ellipse(x, level - up, arm, arm),
        ]

    stem = [block(-wide, -0.8, wide, 0.7), ellipse(0.0, -0.8, wide, wide)]
    foot = draw(0.34, 0.42)
    pot = polygon((-foot, 0.55), (foot, 0.55), (foot * 0.7, 0.98), (-foot * 0.7, 0.98))
    return [stem + limb(-1, low, draw(0.4, 0.6)) + limb(1, high, draw(0.4, 0.6)), [pot]]


def _gear(draw: Draw) -> Form:
    teeth, inner, hole = round(draw(6.6, 9.4)), draw(0.68, 0.76), draw(0.2, 0.32)
    theta = np.linspace(0.0, 2 * math.pi, 8 * teeth, endpoint=False)
    radius = np.where(np.arange(8 * teeth) // 4 % 2, 0.98, inner)
    rim = np.stack([radius * np.cos(theta), radius * np.sin(theta)], axis=1)
    rim = np.concatenate([rim, rim[:1]])
    bore = ellipse(0.0, 0.0, hole, hole)
    return [[np.concatenate([rim, bore[::-1]])]]


# In the order of the alphabet, which readers of folders take classes in.
_FORMS = {
    "arrow": _arrow,
    "cactus": _cactus,
    "gear": _gear,
    "key": _key,
    "ladder": _ladder,
    "umbrella": _umbrella,
}
CLASSES = tuple(_FORMS)


def drawn_set(
    count: int, seed: int, size: tuple[int, int] = (96, 96), objects: tuple[int, int] = (1, 3)
) -> InMemory:
    """Draw pictures of several objects, with what is present, boxes and the class of every pixel.

    Args:
        count: How many.
        seed: Of the series; series of different seeds have no picture in common.
        size: Height and width, pixels.
        objects: Least and largest number of objects.
    """
    several = [_Picture(seed, index, size, objects) for index in range(count)]
    present = np.zeros((count, len(CLASSES)), np.int8)
    for row, picture in zip(present, several, strict=True):
        row[picture.boxes.classes] = 1
    return _set_of(several, present, seed)


def drawn_sorted(count_per_class: int, seed: int, size: tuple[int, int] = (96, 96)) -> InMemory:
    """Draw pictures of one object each, class by class, with all that is known of them."""
    pairs = [(c, i) for c in range(len(CLASSES)) for i in range(count_per_class)]
    several = [
        _Picture(seed, 10**6 + i * len(CLASSES) + c, size, (1, 1), class_=c) for c, i in pairs
    ]
    present = np.eye(len(CLASSES), dtype=np.int8)[[c for c, _ in pairs]]
    return _set_of(several, present, seed)


def _set_of(several: list[_Picture], present: np.ndarray, seed: int) -> InMemory:
    return InMemory(
        [Image.fromarray(picture.image) for picture in several],
        CLASSES,
        class_of=[int(picture.boxes.classes[0]) for picture in several],
        present=present,
        boxes=[picture.boxes for picture in several],
        labels=[picture.labels for picture in several],
        names=[f"{seed:04d}_{index:06d}" for index in range(len(several))],
    )


class _Picture:
    """One picture: `image`, `boxes`, `labels`."""

    def __init__(
        self,
        seed: int,
        index: int,
        size: tuple[int, int],
        objects: tuple[int, int],
        class_: int | None = None,
    ) -> None:
        rng = np.random.default_rng([seed, index])
        while True:  # nothing that clutter hides may be known of
            classes = rng.integers(len(CLASSES), size=rng.integers(objects[0], objects[1] + 1))
            if class_ is not None:
                classes[:] = class_
            surfaces = _composed(classes.tolist(), size, rng)
            self.image, drawn = paint(surfaces, *size, rng)
            seen = majority(drawn, len(surfaces))
            number = np.array([int(surface.part or -1) for surface in surfaces])[seen]
            masks = [number == each for each in range(len(classes))]
            if all(mask.sum() >= 12 for mask in masks):
                break
        corners = []
        self.labels = np.zeros(size, np.uint8)
        for mask, label in zip(masks, classes.tolist(), strict=True):
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            corners.append((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
            self.labels[mask] = label + 1
        self.boxes = Boxes(
            np.array(corners, np.float64), classes.astype(np.int64), np.zeros(len(classes), bool)
        )


def _composed(classes: list[int], size: tuple[int, int], rng: np.random.Generator) -> list[Surface]:
    height, width = size
    side = min(size)
    names = [COLORS[i] for i in rng.permutation(len(COLORS))]
    surfaces = [Surface([zone], names.pop(), _texture(rng)) for zone in backdrop(*size, rng)]
    for _ in range(rng.integers(2, 6)):
        shape = blob(rng, rng.random() * width, rng.random() * height, side * 0.6)
        surfaces.append(Surface(shape, names[rng.integers(4, len(names))], _texture(rng, 0.2)))
    for number, form in enumerate(_placed(classes, size, rng)):
        for part in form:
            left, top, right, bottom = bounds(part)
            broad = min(right - left, bottom - top) > 0.2 * side
            # Four colors, which neither ground nor clutter has, are the objects'.
            color = names[rng.integers(4)]
            surfaces.append(Surface(part, color, _texture(rng, 0.4 * broad), str(number)))
    return surfaces


def _placed(classes: list[int], size: tuple[int, int], rng: np.random.Generator) -> list[Form]:
    """Turn and scale the objects, and put them where they do not hide each other."""
    height, width = size
    side = min(size)
    low, high = {1: (0.26, 0.44), 2: (0.2, 0.3)}.get(len(classes), (0.16, 0.24))

    def draw(a: float, b: float) -> float:
        return a + (b - a) * float(rng.random())

    while True:
        found: list[Form] = []
        taken: list[tuple[float, float, float, float]] = []
        for _ in range(40 * len(classes)):
            if len(found) == len(classes):
                return found
            form = _FORMS[CLASSES[classes[len(found)]]](draw)
            angle, mirror = math.radians(draw(-25, 25)), 1 if rng.random() < 0.5 else -1
            c, s = math.cos(angle), math.sin(angle)
            matrix = np.array([[c * mirror, s * mirror], [-s, c]]) * draw(low, high) * side
            form = [[p @ matrix for p in part] for part in form]
            left, top, right, bottom = bounds([p for part in form for p in part])
            if right - left > width - 2 or bottom - top > height - 2:
                continue
            shift = np.array(
                [draw(1 - left, width - 1 - right), draw(1 - top, height - 1 - bottom)]
            )
            form = [[p + shift for p in part] for part in form]
            box = bounds([p for part in form for p in part])
            if all(_apart(box, other) for other in taken):
                found.append(form)
                taken.append(box)


def _apart(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[2] < other[0] or other[2] < one[0] or one[3] < other[1] or other[3] < one[1]


def _texture(rng: np.random.Generator, chance: float = 0.5) -> str:
    return TEXTURES[rng.integers(1, len(TEXTURES))] if rng.random() < chance else "plain"
