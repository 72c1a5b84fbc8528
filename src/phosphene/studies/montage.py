"""Pictures put together: mosaics, and boxes drawn on them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from phosphene.studies.gradients import stretch

RED = (226, 35, 26)
_PIXELATED = 3
_GAP = 4


def mosaic(images: Sequence[Image.Image], side: int, columns: int = 0) -> Image.Image:
    """Put pictures into a square grid on white, all at one size.

    Args:
        images: Square pictures, row by row.
        side: Of the whole mosaic, pixels.
        columns: How many stand side by side; as many as below one another if 0.

    Returns:
        RGB, `side` wide and high; cells that are left over stay white.
    """
    columns = columns or math.ceil(math.sqrt(len(images)))
    whole = Image.new("RGB", (side, side), "white")
    cell = max(1, (side - (columns - 1) * _GAP) // columns)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        place = (column * (cell + _GAP), row * (cell + _GAP))
        whole.paste(_resized(image, cell), place)
    return whole


def stretched(image: Image.Image) -> Image.Image:
    """Stretch the contrast of a picture to all that 8 bits hold, all channels alike."""
    return Image.fromarray(stretch(image))


def boxed(image: Image.Image, box: tuple[float, float, float, float]) -> Image.Image:
    """Draw a red box around a region; where that leaves the picture, along the border.

    Args:
        image: RGB.
        box: (top, left, height, width), pixels.

    Returns:
        A copy.
    """
    drawn = image.convert("RGB")
    top, left, height, width = (round(number) for number in box)
    bottom, right = top + height - 1, left + width - 1
    line = max(1, round(max(image.size) / 110))
    corners = (
        max(left - line, 0),
        max(top - line, 0),
        min(right + line, image.width - 1),
        min(bottom + line, image.height - 1),
    )
    ImageDraw.Draw(drawn).rectangle(corners, outline=RED, width=line)
    return drawn


def _resized(image: Image.Image, side: int) -> Image.Image:
    """Bring a picture to a size: smoothly, but with its pixels to be seen where there are few."""
    factor = side / max(image.size)
    if factor < _PIXELATED:
        return image.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
    return image.convert("RGB").resize((side, side), Image.Resampling.NEAREST)
