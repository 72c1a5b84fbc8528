"""A white sheet that is filled from top to bottom.

What goes on it is first measured and collected, then painted once its size is known.
"""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image, ImageDraw

from phosphene.view import typeset

MARGIN = 28
WIDEST = 2400
TALLEST = 65_000
"""JPEG ends at 65535 pixels, and so do many viewers."""

INK, GREY, FAINT, RED = "#161616", "#3d3d3d", "#777777", "#a8322d"

Paint = Callable[[Image.Image, ImageDraw.ImageDraw, int, int], None]
"""Paints on an image, with its draw, from (x, y) on."""


class Sheet:
    """Blocks below one another, flush left."""

    def __init__(self, width: int) -> None:
        """Begin a sheet of that width between its margins."""
        self.width = width
        self.height = MARGIN
        self._blocks: list[tuple[int, Paint]] = []

    def block(self, height: int, paint: Paint) -> None:
        """Add a block of that height."""
        self._blocks.append((self.height, paint))
        self.height += height

    def space(self, height: int) -> None:
        """Leave room."""
        self.height += height

    def text(
        self, text: str, size: int, color: str, most: int, indent: int = 0, mark: bool = False
    ) -> None:
        """Add a paragraph of at most `most` lines; `mark` puts a warning sign in front of it."""
        indent += round(1.6 * size) if mark else 0
        lines = typeset.wrap(text, size, self.width - indent, most)
        step = typeset.leading(size)

        def paint(image: Image.Image, draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
            if mark and lines:
                image.paste(*_sign(size, color, (x, y + (step - size) // 2)))
            for number, line in enumerate(lines):
                typeset.write(draw, (x + indent, y + number * step), line, size, color)

        self.block(len(lines) * step, paint)

    def image(self) -> Image.Image:
        """Paint everything."""
        image = Image.new("RGB", (self.width + 2 * MARGIN, self.height + MARGIN), "white")
        draw = ImageDraw.Draw(image)
        for top, paint in self._blocks:
            paint(image, draw, MARGIN, top)
        return image


def _sign(
    size: int, color: str, at: tuple[int, int]
) -> tuple[Image.Image, tuple[int, int], Image.Image]:
    """Draw a triangle with an exclamation mark, as (picture, place, mask) for pasting."""
    fine = 8 * size  # drawn eight times as large, then reduced: Pillow's polygons have hard edges
    mask = Image.new("L", (fine, fine), 0)
    draw = ImageDraw.Draw(mask)
    corners = [(0.5, 0.06), (0.98, 0.92), (0.02, 0.92)]
    draw.polygon([(x * fine, y * fine) for x, y in corners], 255)
    draw.rounded_rectangle([0.45 * fine, 0.34 * fine, 0.55 * fine, 0.66 * fine], 0.05 * fine, 0)
    draw.ellipse([0.44 * fine, 0.72 * fine, 0.56 * fine, 0.84 * fine], 0)
    mask = mask.resize((size, size), Image.Resampling.BOX)
    return Image.new("RGB", mask.size, color), at, mask
