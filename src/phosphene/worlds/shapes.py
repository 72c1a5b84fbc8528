"""Small scenes with one object of ten classes, and the truth about every pixel.

A scene holds one main object, drawn from named parts, on a cluttered background. Class is a matter
of form alone: the colors and textures of parts, the background and its clutter are drawn without
regard to the class. With the image comes the exact mask of the object, of each part, each texture
and each color, as they are seen, that is with occlusion.

A scene is a pure function of its seed: geometry is rounded to whole drawn pixels, and light and
grain are laid on in whole numbers, so that it does not hang on the machine's floating point.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from phosphene.errors import ImageError
from phosphene.worlds.clutter import backdrop, blob
from phosphene.worlds.paint import Surface, majority, paint
from phosphene.worlds.parts import CLASSES, PARTS, outline
from phosphene.worlds.patterns import COLORS, TEXTURES
from phosphene.worlds.polygons import Polygon, bounds

__all__ = ["CLASSES", "COLORS", "PARTS", "TEXTURES", "Scene", "batch", "scene", "scenes"]

Mask = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

SMALLEST = 32


@dataclass(frozen=True, eq=False)
class Scene:
    """An image and the truth about its pixels.

    Attributes:
        image: (h, w, 3), RGB in 0 to 255.
        label: Index of the main object's class in `CLASSES`.
        object: (h, w), where the main object is seen; the union of its parts.
        parts: Masks (h, w) of the parts that are seen, by name; disjoint.
        textures: Masks (h, w) by texture; they divide the whole image.
        colors: Masks (h, w) by basic color; they divide the whole image.
        box: Left, top, right, bottom of `object` in pixels; right and bottom are the first outside.
        seed: What `scene` makes the same scene from, given the same size and label.
    """

    image: Pixels
    label: int
    object: Mask
    parts: dict[str, Mask]
    textures: dict[str, Mask]
    colors: dict[str, Mask]
    box: tuple[int, int, int, int]
    seed: int


def _texture(rng: np.random.Generator, chance: float) -> str:
    if rng.random() >= chance:
        return "plain"
    return TEXTURES[1 + int(rng.random() * (len(TEXTURES) - 1))]


def _place(
    parts: list[tuple[str, list[Polygon]]], height: int, width: int, rng: np.random.Generator
) -> list[tuple[str, list[Polygon]]]:
    """Turn, mirror, stretch, scale and shift an outline into the image; return it in pixels."""
    side = min(height, width)
    scale, stretch, turn, shear = rng.random(4).tolist()
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    angle = math.radians((turn - 0.5) * 44.0)
    radius = side * (0.24 + 0.2 * scale)
    wide = 1.0 + (stretch - 0.5) * 0.24
    form = np.array([[mirror * wide, (shear - 0.5) * 0.24], [0.0, 1.0 / wide]])
    c, s = math.cos(angle), math.sin(angle)
    matrix = (np.array([[c, -s], [s, c]]) @ form).T
    turned = [(name, [p @ matrix for p in polygons]) for name, polygons in parts]
    left, top, right, bottom = bounds([p for _, polygons in turned for p in polygons])
    margin = side * 0.03
    largest = min(
        (width - 2 * margin) / (right - left), (height - 2 * margin) / (bottom - top), radius
    )
    spare_x = width - 2 * margin - (right - left) * largest
    spare_y = height - 2 * margin - (bottom - top) * largest
    # The mean of two draws: objects keep to the middle, as in photographs, but are not tied to it.
    x = margin - left * largest + spare_x * (rng.random() + rng.random()) / 2
    y = margin - top * largest + spare_y * (rng.random() + rng.random()) / 2
    shift = np.array([x, y])
    return [(name, [p * largest + shift for p in polygons]) for name, polygons in turned]


def _compose(rng: np.random.Generator, label: int, height: int, width: int) -> list[Surface]:
    """Choose what is in a scene: ground, clutter, the object, at times something in front of it."""
    side = min(height, width)
    names = [COLORS[i] for i in rng.permutation(len(COLORS))]
    surfaces = [
        Surface([zone], names.pop(), _texture(rng, 0.55)) for zone in backdrop(height, width, rng)
    ]
    parts = _place(outline(label, rng), height, width, rng)

    # The largest part chooses first, and clutter keeps off its color: silhouettes stay readable.
    # Eleven colors less three zones are enough for the seven parts an object has at most.
    def area(part: tuple[str, list[Polygon]]) -> float:
        left, top, right, bottom = bounds(part[1])
        return (left - right) * (bottom - top)

    own = {name: color for (name, _), color in zip(sorted(parts, key=area), names, strict=False)}
    for _ in range(3 + int(rng.random() * 7)):
        shape = blob(rng, rng.random() * width, rng.random() * height, side)
        color = names[1 + int(rng.random() * (len(names) - 1))]
        surfaces.append(Surface(shape, color, _texture(rng, 0.2)))
    for name, polygons in parts:
        left, top, right, bottom = bounds(polygons[:1])
        broad = min(right - left, bottom - top) > 0.16 * side
        surfaces.append(Surface(polygons, own[name], _texture(rng, 0.5 if broad else 0.0), name))
    if rng.random() < 0.3:
        left, top, right, bottom = bounds([p for _, polygons in parts for p in polygons])
        x, y = left + (right - left) * rng.random(), top + (bottom - top) * rng.random()
        color = COLORS[int(rng.random() * len(COLORS))]
        surfaces.append(Surface(blob(rng, x, y, side * 0.8), color, "plain"))
    return surfaces


def _check(size: tuple[int, int], seed: int, label: int = 0) -> None:
    if min(size) < SMALLEST:
        raise ImageError(
            f"a scene of {size[0]} x {size[1]} pixels was asked for; objects need "
            f"{SMALLEST} x {SMALLEST} at least"
        )
    if seed < 0:
        raise ImageError(f"a scene was asked for by the seed {seed}; seeds count from 0")
    if not 0 <= label < len(CLASSES):
        raise ImageError(
            f"a scene of class {label} was asked for; classes go from 0 to {len(CLASSES) - 1}"
        )


def scene(seed: int, *, size: tuple[int, int] = (96, 96), label: int | None = None) -> Scene:
    """Draw one scene.

    Args:
        seed: Any whole number from 0 on.
        size: Height and width in pixels, 32 at least.
        label: Index into `CLASSES` of the object to draw; `seed` modulo 10 where not given.

    Returns:
        The scene, the same for the same arguments.
    """
    label = seed % len(CLASSES) if label is None else label
    _check(size, seed, label)
    rng = np.random.Generator(np.random.PCG64(seed))
    surfaces = _compose(rng, label, *size)
    image, drawn = paint(surfaces, *size, rng)
    seen = majority(drawn, len(surfaces))

    def masks(names: list[str]) -> dict[str, Mask]:
        known = {name: np.array([n == name for n in names]) for name in dict.fromkeys(names)}
        found = {name: members[seen] for name, members in sorted(known.items()) if name}
        return {name: mask for name, mask in found.items() if mask.any()}

    whole: Mask = np.array([bool(surface.part) for surface in surfaces])[seen]
    rows, columns = np.flatnonzero(whole.any(axis=1)), np.flatnonzero(whole.any(axis=0))
    return Scene(
        image=image,
        label=label,
        object=whole,
        parts=masks([surface.part for surface in surfaces]),
        textures=masks([surface.texture for surface in surfaces]),
        colors=masks([surface.color for surface in surfaces]),
        box=(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1),
        seed=seed,
    )


def _seeds(count: int, seed: int) -> range:
    """Give each of `count` scenes a seed of its own; series of different seeds share none."""
    first = seed << 32
    return range(first, first + count)


def scenes(count: int, seed: int, *, size: tuple[int, int] = (96, 96)) -> Iterator[Scene]:
    """Draw a series of scenes, in which the classes take turns.

    Args:
        count: How many.
        seed: Of the series; two series of different seeds have no scene in common.
        size: Height and width in pixels.

    Yields:
        Scenes whose own `seed` draws them again.
    """
    for each in _seeds(count, seed):
        yield scene(each, size=size)


def batch(
    count: int, seed: int, *, size: tuple[int, int] = (96, 96)
) -> tuple[Pixels, npt.NDArray[np.int64]]:
    """Draw the images and labels of `scenes` without the masks, which saves time in training.

    Args:
        count: How many.
        seed: Of the series.
        size: Height and width in pixels.

    Returns:
        Images (count, h, w, 3), RGB in 0 to 255, and labels (count,).
    """
    _check(size, seed)
    images = np.empty((count, *size, 3), dtype=np.uint8)
    labels = np.empty(count, dtype=np.int64)
    for index, each in enumerate(_seeds(count, seed)):
        rng = np.random.Generator(np.random.PCG64(each))
        labels[index] = each % len(CLASSES)
        images[index] = paint(_compose(rng, int(labels[index]), *size), *size, rng)[0]
    return images, labels
