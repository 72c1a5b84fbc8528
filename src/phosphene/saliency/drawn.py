"""Maps over the places of a patch as pictures, and the legend of their colours."""

from __future__ import annotations

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from phosphene import display
from phosphene.image import to_image
from phosphene.saliency.occluder import Occluder

Color = tuple[float, float, float]

# Smaller pictures leave no room for a legend.
_SMALLEST, _TEXT, _STEP = 160, 13, 24
# About the height that a page shows pictures at; in larger ones the legend is written larger.
_SHOWN = 240


def spread(
    maps: Tensor, occluder: Occluder, size: tuple[int, int], nearest: bool = False
) -> Tensor:
    """Bring a map of centres to the pixels of the image.

    Args:
        maps: (rows, columns) by centre of the patch.
        occluder: The patch and its places.
        size: (h, w) of the image, pixels.
        nearest: Whether a pixel takes the value of the nearest centre; otherwise it is linear
            between them.

    Returns:
        (h, w), NaN where nothing is known: further than half a stride from all centres.
    """
    (height, width), (down, right) = size, occluder.stride
    y, x = occluder.y, occluder.x
    rows, columns = (torch.arange(height) - y[0]) / down, (torch.arange(width) - x[0]) / right
    known = ((rows - (len(y) - 1) / 2).abs() <= len(y) / 2)[:, None]
    known = known & ((columns - (len(x) - 1) / 2).abs() <= len(x) / 2)
    if nearest:
        i = rows.round().long().clamp(0, len(y) - 1)
        j = columns.round().long().clamp(0, len(x) - 1)
        return torch.where(known, maps[i][:, j], torch.nan)
    return torch.where(known, _between(_between(maps, rows).T, columns).T, torch.nan)


def _between(values: Tensor, at: Tensor) -> Tensor:
    """Interpolate (n, m) linearly between its rows: (len(at), m)."""
    at = at.clamp(0, len(values) - 1)
    below = at.floor().long()
    above = (below + 1).clamp(max=len(values) - 1)
    share = (at - below)[:, None]
    # Times zero, what is unknown would be unknown still.
    mixed = values[below] * (1 - share) + values[above] * share
    return torch.where(share == 0, values[below], mixed)


def ends(values: Tensor) -> tuple[float, float]:
    """Return the least and the largest of the values that are known."""
    known = values[~values.isnan()]
    return float(known.min()), float(known.max())


def heat(values: Tensor) -> Image.Image:
    """Color (h, w) values from zero, or from the least where it is negative, to the largest."""
    low, high = ends(values)
    low = min(0.0, low)
    scaled = (values - low) / (high - low or 1.0)
    colored = display.heat(scaled.nan_to_num()[None])
    gray = torch.tensor(0.5)
    return to_image(torch.where(values.isnan(), gray, colored))


def enlarged(image: Image.Image) -> Image.Image:
    """Bring a picture of a small image to a size that a legend can have as well, cell by cell.

    A view gives every row the height of its tallest tile; so all tiles of a panel have to be of
    one size, or the row with the legend would be taller than the others.
    """
    times = -(-_SMALLEST // min(image.size))
    return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)


def legend(lines: list[tuple[Color, str]], size: tuple[int, int]) -> Image.Image:
    """Draw colours and what they mean.

    Args:
        lines: Color, RGB in [0, 1], and text of every line.
        size: (width, height), pixels: that of the maps beside it.
    """
    width, height = size
    scale = max(1.0, height / _SHOWN)
    step = min(_STEP * scale, height / max(1, len(lines)))
    box = round(step * 2 / 3)
    font = ImageFont.load_default(min(_TEXT * scale, step * 0.7))
    left, gap = round(4 * scale), round(8 * scale)
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    for i, (color, text) in enumerate(lines):
        middle = (i + 0.5) * step
        top = round(middle - box / 2)
        rgb = tuple(round(255 * c) for c in color)
        draw.rectangle((left, top, left + box, top + box), fill=rgb, outline="black")
        at, room = left + box + gap, width - left - box - gap
        name, _, count = text.rpartition("  ")
        while draw.textlength(text, font) > room and len(name) > 1:
            name = name.removesuffix("…")[:-1].rstrip() + "…"
            text = f"{name}  {count}"
        draw.text((at, middle), text, fill="black", font=font, anchor="lm")
    return picture
