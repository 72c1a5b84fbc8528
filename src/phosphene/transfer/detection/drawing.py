"""Photographs with boxes drawn into them."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageColor, ImageDraw, ImageFont

from phosphene.panel import Tile
from phosphene.transfer.benchmarks.records import Boxes
from phosphene.transfer.scores.detections import Detections

# Okabe and Ito's colors, which those tell apart who see fewer.
_COLORS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
_SHORTEST = 240


def boxes_tile(
    image: Image.Image,
    name: str,
    truth: Boxes,
    found: Detections,
    classes: Sequence[str],
    least: float,
) -> Tile:
    """Draw what is in a photograph (thin, white) and what was detected (bold, in color).

    Args:
        image: The photograph.
        name: What it is called.
        truth: Its objects; those that are difficult have dotted edges.
        found: Its detections, best first.
        classes: Names of the classes.
        least: Score from which on a detection is drawn.
    """
    grown = max(1.0, _SHORTEST / min(image.size))
    size = (round(image.width * grown), round(image.height * grown))
    drawn = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(drawn)
    font = ImageFont.load_default(max(11, min(size) // 20))
    for corners, hard in zip(truth.corners, truth.difficult, strict=True):
        _frame(pen, tuple(corners * grown), "#FFFFFF", 1, dotted=bool(hard))
    own = found[found.scores >= least]
    for corners, class_, score in reversed(
        list(zip(own.corners, own.classes, own.scores, strict=True))
    ):
        color = _COLORS[int(class_) % len(_COLORS)]
        left, top, right, bottom = (float(v) for v in corners * grown)
        _frame(pen, (left, top, right, bottom), color, 2)
        said = f"{classes[int(class_)]} {score:.2f}"
        x0, y0, x1, y1 = pen.textbbox((0, 0), said, font=font)
        x = min(max(left, 0), max(0, size[0] - (x1 - x0) - 4))
        y = min(max(top, 0), max(0, size[1] - (y1 - y0) - 4))
        pen.rectangle((x, y, x + x1 - x0 + 4, y + y1 - y0 + 4), fill=color)
        pen.text((x + 2 - x0, y + 2 - y0), said, fill=_readable(color), font=font)
    told = ", ".join(dict.fromkeys(classes[int(c)] for c in own.classes))
    return Tile(drawn, f"{name}: {told or 'nothing found'}")


def _readable(color: str) -> str:
    """Return black or white, whichever is seen better on a color."""
    r, g, b = ImageColor.getrgb(color)[:3]
    return "#000000" if 0.299 * r + 0.587 * g + 0.114 * b > 110 else "#FFFFFF"


def _frame(
    pen: ImageDraw.ImageDraw,
    box: tuple[float, ...],
    color: str,
    width: int,
    dotted: bool = False,
) -> None:
    # The last pixel inside; a box may be narrower than its frame.
    left, top = round(box[0]), round(box[1])
    right, bottom = max(left, round(box[2]) - 1), max(top, round(box[3]) - 1)
    if not dotted:
        pen.rectangle((left, top, right, bottom), outline=color, width=width)
        return
    for x in range(left, right + 1, 4):
        pen.line((x, top, min(x + 1, right), top), fill=color)
        pen.line((x, bottom, min(x + 1, right), bottom), fill=color)
    for y in range(top, bottom + 1, 4):
        pen.line((left, y, left, min(y + 1, bottom)), fill=color)
        pen.line((right, y, right, min(y + 1, bottom)), fill=color)
