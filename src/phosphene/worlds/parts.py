"""The forms of a drawn world: ten classes of objects, each put together from named parts.

An outline lives in the square [-1, 1] x [-1, 1], y pointing down, and is a list of parts in the
order of painting; a part is a name and the polygons that carry it. Proportions are drawn afresh for
every object. Some parts belong to several classes (a window to houses and cars, an eye to fish and
birds), so that knowing a part is not always knowing the class.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from phosphene.worlds.polygons import Polygon, block, ellipse, polygon, ribbon, ring

Outline = list[tuple[str, list[Polygon]]]


class _Draw:
    """Proportions from a generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def __call__(self, low: float, high: float) -> float:
        return low + (high - low) * float(self._rng.random())

    def coin(self, chance: float = 0.5) -> bool:
        return float(self._rng.random()) < chance


def _house(draw: _Draw) -> Outline:
    half, eaves, peak = draw(0.55, 0.8), draw(-0.25, 0.0), draw(-0.98, -0.75)
    over, ridge = draw(0.08, 0.2), draw(0.0, 0.45) * half
    roof = polygon((-half - over, eaves), (-ridge, peak), (ridge, peak), (half + over, eaves))
    door, door_x = draw(0.12, 0.18), draw(-0.5, 0.5) * half
    top, size = eaves + draw(0.16, 0.24), draw(0.12, 0.17)
    free = [x for x in (-half * 0.6, 0.0, half * 0.6) if abs(x - door_x) > door + size + 0.05]
    outline: Outline = []
    if draw.coin(0.6):
        stack = draw(0.35, 0.5) * half * (1 if draw.coin() else -1)
        outline.append(("chimney", [block(stack - 0.09, peak - 0.02, stack + 0.09, eaves)]))
    outline += [
        ("wall", [block(-half, eaves, half, 0.9)]),
        ("roof", [roof]),
        ("door", [block(door_x - door, draw(0.25, 0.4), door_x + door, 0.9)]),
        ("window", [block(x - size, top, x + size, top + 2 * size) for x in free]),
    ]
    return outline


def _tree(draw: _Draw) -> Outline:
    wide, foot = draw(0.09, 0.15), draw(1.0, 1.6)
    trunk = polygon((-wide, -0.1), (wide, -0.1), (wide * foot, 0.97), (-wide * foot, 0.97))
    if draw.coin(0.4):
        tiers, half = (2 if draw.coin() else 3), draw(0.5, 0.7)
        height = draw(0.62, 0.75)
        tops = np.linspace(-0.98, 0.42 - height, tiers)
        halves = half * np.linspace(0.68, 1.0, tiers)
        crown = [
            polygon((-h, t + height), (0.0, t), (h, t + height))
            for h, t in zip(halves.tolist(), tops.tolist(), strict=True)
        ]
    else:
        lobes, depth, turn = round(draw(5.5, 9.5)), draw(0.03, 0.1), draw(0.0, 6.0)
        theta = np.linspace(0.0, 2 * math.pi, 72)
        radius = 1.0 + depth * np.abs(np.sin(theta * lobes / 2 + turn)) * 2 - depth
        x, y = draw(0.55, 0.78) * radius * np.cos(theta), draw(0.5, 0.66) * radius * np.sin(theta)
        crown = [np.stack([x, y - 0.3], axis=1)]
    return [("trunk", [trunk]), ("crown", crown)]


def _car(draw: _Draw) -> Outline:
    belt, sill, roof = draw(-0.1, 0.02), draw(0.36, 0.44), draw(-0.58, -0.42)
    front, back = draw(0.45, 0.62), draw(-0.75, -0.5)
    nose = belt + draw(0.06, 0.16)
    body = polygon(
        (-0.94, belt + 0.03), (front, belt), (0.9, nose), (0.97, sill - 0.1), (0.94, sill),
        (-0.94, sill), (-0.98, sill - 0.1),
    )  # fmt: skip
    top_front, top_back = front - draw(0.25, 0.36), back + draw(0.12, 0.28)
    cabin = polygon((back, belt + 0.02), (top_back, roof), (top_front, roof), (front, belt + 0.02))
    middle, low, high = (top_front + top_back) / 2, belt - 0.02, roof + 0.09
    window = [
        polygon((back + 0.14, low), (top_back + 0.06, high), (middle - 0.05, high),
                (middle - 0.05, low)),
        polygon((middle + 0.05, low), (middle + 0.05, high), (top_front - 0.06, high),
                (front - 0.14, low)),
    ]  # fmt: skip
    size, wheels = draw(0.19, 0.25), (draw(-0.6, -0.5), draw(0.5, 0.6))
    return [
        ("cabin", [cabin]),
        ("body", [body]),
        ("window", window),
        ("door", [block(middle + 0.02, belt + 0.06, middle + 0.32, sill - 0.04)]),
        ("light", [ellipse(0.88, nose + 0.1, 0.08, 0.07)]),
        ("wheel", [ellipse(x, sill + 0.03, size, size) for x in wheels]),
    ]


def _boat(draw: _Draw) -> Outline:
    deck, keel, wide = draw(0.32, 0.45), draw(0.8, 0.95), draw(0.45, 0.65)
    bow = draw(0.82, 0.98)
    hull = polygon(
        (-draw(0.75, 0.92), deck), (bow, deck - 0.08), (wide, keel - 0.05), (wide - 0.12, keel),
        (-wide, keel),
    )  # fmt: skip
    x, foot, tip = draw(-0.15, 0.12), deck - draw(0.1, 0.16), draw(-0.92, -0.75)
    sail = [polygon((x + 0.05, foot), (x + 0.05, tip), (x + draw(0.55, 0.75), foot))]
    if draw.coin(0.7):
        sail.append(
            polygon((x - 0.06, foot), (x - 0.06, tip + draw(0.1, 0.3)), (x - draw(0.4, 0.6), foot))
        )
    flag = polygon((x, tip - 0.05), (x - 0.3, tip - 0.13), (x, tip - 0.22))
    outline: Outline = [("mast", [block(x - 0.04, tip - 0.24, x + 0.04, deck + 0.02)])]
    if draw.coin(0.6):
        outline.append(("flag", [flag]))
    return [*outline, ("sail", sail), ("hull", [hull])]


def _fish(draw: _Draw) -> Outline:
    high, end, spread = draw(0.34, 0.52), draw(-0.52, -0.4), draw(0.32, 0.5)
    body = ellipse(0.2, 0.0, 0.76, high)
    root = end + 0.1
    tail = polygon((root, -0.1), (-0.98, -spread), (-0.8, 0.0), (-0.98, spread), (root, 0.1))
    lean = draw(0.0, 0.25)
    back = polygon((0.5, -high * 0.7), (0.1 - lean, -high - draw(0.18, 0.3)), (-0.25, -high * 0.7))
    belly = polygon((0.3, high * 0.7), (-0.05 - lean, high + draw(0.1, 0.22)), (0.0, high * 0.7))
    eye = draw(0.06, 0.085)
    return [
        ("tail", [tail]),
        ("fin", [back, belly]),
        ("body", [body]),
        ("eye", [ellipse(0.64, -high * 0.25, eye, eye)]),
    ]


def _flower(draw: _Draw) -> Outline:
    count, y, reach = round(draw(4.6, 8.4)), draw(-0.5, -0.4), draw(0.3, 0.36)
    length, core, turn = draw(0.2, 0.24), draw(0.13, 0.19), draw(0.0, 90.0)
    width = min(reach * math.sin(math.pi / count) * draw(0.8, 0.98), 0.19)
    bend = draw(-0.16, 0.16)
    t = np.linspace(0.0, 1.0, 9)
    stem = np.stack([bend * np.sin(t * math.pi), y + (0.97 - y) * t], axis=1)
    petals = []
    for index in range(count):
        angle = turn + 360.0 * index / count
        c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        petals.append(ellipse(reach * c, y + reach * s, length, width, tilt=angle))
    sides = (1, -1) if draw.coin(0.6) else (1,)
    leaves = [
        ellipse(bend * 0.6 + 0.22 * s, draw(0.45, 0.66), 0.27, 0.1, tilt=-s * draw(20, 40))
        for s in sides
    ]
    return [
        ("stem", [ribbon(stem, draw(0.07, 0.1))]),
        ("leaf", leaves),
        ("petal", petals),
        ("disc", [ellipse(0.0, y, core, core)]),
    ]


def _mushroom(draw: _Draw) -> Outline:
    half, brim, top = draw(0.68, 0.92), draw(-0.08, 0.12), draw(-0.88, -0.62)
    wide, foot = draw(0.17, 0.26), draw(0.24, 0.36)
    stem = polygon(
        (-wide, brim - 0.1), (wide, brim - 0.1), (wide, 0.5), (foot, 0.84), (foot * 0.7, 0.92),
        (-foot * 0.7, 0.92), (-foot, 0.84), (-wide, 0.5),
    )  # fmt: skip
    lip = ellipse(0.0, brim, half, draw(0.08, 0.16), arc=(0.0, 180.0))
    cap = np.concatenate([ellipse(0.0, brim, half, brim - top, arc=(180.0, 360.0)), lip])
    places = ((-0.55, 0.3), (-0.12, 0.68), (0.5, 0.42), (0.1, 0.22), (-0.3, 0.12))
    count, size = round(draw(2.6, 5.4)), draw(0.07, 0.11)
    spots = [
        ellipse(x * half, brim - up * (brim - top), size * draw(0.9, 1.3), size)
        for x, up in places[:count]
    ]
    return [("stem", [stem]), ("cap", [cap]), ("spot", spots)]


def _lamp(draw: _Draw) -> Outline:
    low, high, wide = draw(-0.28, -0.1), draw(-0.95, -0.8), draw(0.52, 0.72)
    narrow, foot, thin = draw(0.2, 0.38), draw(0.3, 0.5), draw(0.045, 0.07)
    shade = polygon((-narrow, high), (narrow, high), (wide, low), (-wide, low))
    if draw.coin():
        base = ellipse(0.0, 0.92, foot, draw(0.16, 0.26), arc=(180.0, 360.0))
    else:
        base = block(-foot, draw(0.78, 0.84), foot, 0.92)
    return [
        ("pole", [block(-thin, low, thin, 0.9)]),
        ("light", [ellipse(0.0, low, draw(0.13, 0.18), draw(0.13, 0.18))]),
        ("shade", [shade]),
        ("base", [base]),
    ]


def _cup(draw: _Draw) -> Outline:
    top, low, wide = draw(-0.68, -0.5), draw(0.55, 0.68), draw(0.5, 0.62)
    foot, lip = wide * draw(0.6, 0.95), draw(0.1, 0.16)
    left, middle = -0.15, (top + low) / 2
    side = polygon((left + wide, top), (left + foot, low - 0.1), (left + foot - 0.1, low))
    mirror = side[::-1] * [-1.0, 1.0] + [2 * left, 0.0]
    loop = ring(left + wide, middle - 0.06, (draw(0.3, 0.38), draw(0.28, 0.38)), draw(0.1, 0.15))
    outline: Outline = []
    if draw.coin(0.65):
        saucer = ellipse(left, low - 0.02, wide + draw(0.2, 0.28), 0.17, arc=(0.0, 360.0))
        outline.append(("saucer", [saucer]))
    return [
        *outline,
        ("handle", [loop]),
        ("bowl", [np.concatenate([side, mirror])]),
        ("rim", [ellipse(left, top, wide, lip)]),
    ]


def _bird(draw: _Draw) -> Outline:
    high, lean, head = draw(0.3, 0.38), draw(-24.0, -12.0), draw(0.2, 0.26)
    x, y = draw(0.42, 0.5), draw(-0.5, -0.42)
    tip = draw(0.25, 0.36)
    tail = polygon((-0.35, 0.0), (-0.97, tip - 0.28), (-0.92, tip), (-0.3, 0.26))
    beak = polygon((x + head * 0.8, y - 0.1), (x + head + draw(0.2, 0.32), y + 0.03),
                   (x + head * 0.8, y + 0.11))  # fmt: skip
    leg = [polygon((s, 0.3), (s + 0.07, 0.3), (s + 0.1, 0.93), (s + 0.2, 0.96), (s + 0.03, 0.96))
           for s in (-0.08, 0.14)]  # fmt: skip
    eye = draw(0.05, 0.065)
    wing = ellipse(-0.14, 0.02, draw(0.34, 0.42), draw(0.15, 0.2), tilt=draw(-4.0, 24.0))
    return [
        ("leg", leg),
        ("tail", [tail]),
        ("body", [ellipse(0.02, 0.05, 0.58, high, tilt=lean)]),
        ("beak", [beak]),
        ("head", [ellipse(x, y, head, head)]),
        ("wing", [wing]),
        ("eye", [ellipse(x + 0.07, y - 0.05, eye, eye)]),
    ]


_FORMS: dict[str, Callable[[_Draw], Outline]] = {
    "house": _house,
    "tree": _tree,
    "car": _car,
    "boat": _boat,
    "fish": _fish,
    "flower": _flower,
    "mushroom": _mushroom,
    "lamp": _lamp,
    "cup": _cup,
    "bird": _bird,
}
CLASSES: tuple[str, ...] = tuple(_FORMS)
PARTS: tuple[str, ...] = tuple(
    sorted(
        "wall roof door window chimney trunk crown cabin body light wheel mast flag sail hull "
        "tail fin eye stem leaf petal disc cap spot pole shade base saucer handle bowl rim leg "
        "beak head wing".split()
    )
)


def outline(label: int, rng: np.random.Generator) -> Outline:
    """Draw the proportions of one object of a class.

    Args:
        label: Index into `CLASSES`.
        rng: Where the proportions come from.

    Returns:
        Parts in the order of painting, within [-1, 1] x [-1, 1] but for a few hundredths; parts
        without polygons are left out.
    """
    parts = _FORMS[CLASSES[label]](_Draw(rng))
    return [(name, polygons) for name, polygons in parts if polygons]
