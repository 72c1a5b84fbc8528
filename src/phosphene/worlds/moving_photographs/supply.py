"""What moves, and before what: photographs, pieces of photographs, drawn things and grounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from phosphene.errors import ImageError
from phosphene.image import as_photograph, find, name_of
from phosphene.worlds.clutter import backdrop, blob
from phosphene.worlds.moving_photographs.cutout import Cutout
from phosphene.worlds.moving_photographs.files import CutoutFile
from phosphene.worlds.paint import Surface, paint
from phosphene.worlds.patterns import COLORS, TEXTURES
from phosphene.worlds.shapes import scene

Photo = str | Path | Image.Image | NDArray[Any]
Grounds = Callable[[np.random.Generator], Image.Image]
"""Gives a background."""
Things = Callable[[np.random.Generator], Cutout]
"""Gives a cut-out."""

_DRAWN = 384
"""Side of what is drawn, in pixels."""
_SMALLEST_PIECE = 24


@dataclass(frozen=True)
class Photographs:
    """Backgrounds: photographs as they are.

    Attributes:
        photos: Files, images or arrays.
    """

    photos: tuple[Photo, ...]

    def __call__(self, rng: np.random.Generator) -> Image.Image:
        """Take one of them."""
        return as_photograph(self.photos[int(rng.integers(len(self.photos)))])


class DrawnGrounds:
    """Backgrounds: zones with patches and small shapes, in the colors and textures of scenes."""

    def __call__(self, rng: np.random.Generator) -> Image.Image:
        """Draw one."""
        high, wide = _DRAWN, _DRAWN * 4 // 3
        colors = [COLORS[i] for i in rng.permutation(len(COLORS))]
        textures = [TEXTURES[i] for i in rng.permutation(np.arange(1, len(TEXTURES)))]
        surfaces = [
            Surface([zone], colors.pop(), textures.pop()) for zone in backdrop(high, wide, rng)
        ]
        for _ in range(12 + int(rng.integers(20))):
            form = blob(rng, rng.random() * wide, rng.random() * high, high * 0.8)
            texture = textures[0] if rng.random() < 0.3 else "plain"
            surfaces.append(Surface(form, colors[int(rng.integers(len(colors)))], texture))
        return Image.fromarray(paint(surfaces, high, wide, rng)[0])


@dataclass(frozen=True)
class Cutouts:
    """Things: cut-outs that were given.

    Attributes:
        given: Cut-outs, or files of them.
    """

    given: tuple[Cutout | CutoutFile, ...]

    def __call__(self, rng: np.random.Generator) -> Cutout:
        """Take one of them."""
        chosen = self.given[int(rng.integers(len(self.given)))]
        return chosen if isinstance(chosen, Cutout) else chosen.read()


@dataclass(frozen=True)
class Pieces:
    """Things: irregular pieces of photographs, with smooth outlines.

    Attributes:
        photos: Files, images or arrays.
    """

    photos: tuple[Photo, ...]

    def __call__(self, rng: np.random.Generator) -> Cutout:
        """Cut one out."""
        photo = self.photos[int(rng.integers(len(self.photos)))]
        image, name = as_photograph(photo), name_of(photo)
        side = min(image.size)
        if side < _SMALLEST_PIECE:
            raise ImageError(
                f"{name} is too small to cut a piece from ({image.width}x{image.height}): give "
                f"photographs of {_SMALLEST_PIECE} pixels a side at least"
            )
        radius = side * rng.uniform(0.25, 0.48)
        outline = _outline(rng) * radius
        low, high = outline.min(0), outline.max(0)
        span = high - low
        free = np.maximum(np.array(image.size) - span, 0)
        corner = free * rng.random(2)
        mask = Image.new("L", (image.width * 2, image.height * 2))
        ImageDraw.Draw(mask).polygon(((outline - low + corner) * 2).ravel().tolist(), fill=255)
        alpha = np.asarray(mask.reduce(2))
        return Cutout.of(np.asarray(image), alpha, f"a piece of {name}")


class DrawnThings:
    """Things: the objects of drawn scenes (`phosphene.worlds.shapes`)."""

    def __call__(self, rng: np.random.Generator) -> Cutout:
        """Draw one."""
        drawn = scene(int(rng.integers(2**40)), size=(_DRAWN, _DRAWN))
        return Cutout.of(drawn.image, drawn.object, "a drawn object")


def _outline(rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a smooth closed curve (n, 2) around the origin, about 1 away from it."""
    theta = np.linspace(0, 2 * math.pi, 180, endpoint=False)
    radius = np.zeros_like(theta)
    for order in range(2, 8):
        size = rng.normal() * 0.55 / order**1.2
        radius += size * np.cos(order * theta + rng.uniform(0, 2 * math.pi))
    radius = np.exp(np.clip(radius, -0.9, 0.5))
    radius /= radius.max()
    stretch = rng.uniform(0.65, 1.0)
    turn = rng.uniform(0, 2 * math.pi)
    x, y = radius * np.cos(theta), radius * np.sin(theta) * stretch
    c, s = math.cos(turn), math.sin(turn)
    return np.stack([c * x - s * y, s * x + c * y], axis=1)


Backgrounds = str | Path | Sequence[Photo] | Grounds | None
"""A photograph's file or a folder of them, photographs, a supply, or `None` for drawn ones."""


def grounds_of(backgrounds: Backgrounds) -> Grounds:
    """Turn what backgrounds are given as into a supply of them.

    Raises:
        ImageError: There are none.
    """
    if backgrounds is None:
        return DrawnGrounds()
    return backgrounds if callable(backgrounds) else Photographs(_photographs(backgrounds))


def _photographs(given: str | Path | Sequence[Photo]) -> tuple[Photo, ...]:
    photos = tuple(find([Path(given)]) if isinstance(given, str | Path) else given)
    if not photos:
        raise ImageError("there is no background: give photographs, or None for drawn ones")
    return photos


def things_of(
    cutouts: Sequence[Cutout | CutoutFile] | Things | None,
    backgrounds: Backgrounds,
) -> Things:
    """Turn what cut-outs are given as into a supply of them.

    Raises:
        ImageError: There are none.
    """
    if cutouts is None:
        if backgrounds is None or callable(backgrounds):
            return DrawnThings()
        return Pieces(_photographs(backgrounds))
    if callable(cutouts):
        return cutouts
    if len(cutouts) == 0:
        raise ImageError("there is no cut-out: give some, or None for pieces of the photographs")
    return Cutouts(tuple(cutouts))
