"""The size a tile is shown at: as it is where that is sensible, legible where it is not."""

from __future__ import annotations

import math
from collections.abc import Iterable

from PIL import Image

LOWEST, HIGHEST = 160, 320
_PIXELATED = 3
"""From this factor on, a tile is a map whose cells are meant to be seen one by one."""

_STRIP = 640
"""No tile is enlarged to more than this width: a strip stays a strip."""


def common_height(images: Iterable[Image.Image]) -> int:
    """Choose the height at which a row of tiles is shown, in pixels.

    That of its tallest tile if it is between `LOWEST` and `HIGHEST`; a whole multiple of it if the
    tallest is so small that its cells are to be seen.
    """
    tallest = max((image.height for image in images), default=0)
    if not 0 < tallest < LOWEST:
        return min(max(tallest, LOWEST), HIGHEST)
    factor = math.ceil(LOWEST / tallest)
    return tallest * factor if factor >= _PIXELATED else LOWEST


def shown_size(image: Image.Image, height: int, widest: int) -> tuple[int, int]:
    """Say how many pixels (width, height) a tile takes in a row of that height."""
    if not image.width or not image.height:
        return 1, height
    width = max(1, round(image.width * height / image.height))
    widest = min(widest, max(image.width, _STRIP))
    if width <= widest:
        return width, height
    return widest, max(1, round(image.height * widest / image.width))


def resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Bring a tile to (width, height): cells stay cells, photographs are smooth."""
    image = image if image.mode == "RGB" else image.convert("RGB")
    if image.size == size:
        return image
    if not image.width or not image.height:
        return Image.new("RGB", size, "white")
    factor = min(size[0] / image.width, size[1] / image.height)
    if factor < 1:
        return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    if factor < _PIXELATED:
        return image.resize(size, Image.Resampling.BICUBIC)
    # Between whole factors the edges of cells are averaged, so that no cell is wider than another.
    whole = math.ceil(max(size[0] / image.width, size[1] / image.height))
    cells = image.resize((image.width * whole, image.height * whole), Image.Resampling.NEAREST)
    return cells.resize(size, Image.Resampling.BOX)
