"""The picture files of a site: small, and as sharp as they need to be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from torch import Tensor

from phosphene.atlas.model import Picture
from phosphene.image import read, replacing, to_image, to_tensor
from phosphene.survey.figure2 import grid

LARGEST = 160
"""Pixels that a side of a patch has at most."""
_EXACT = 64
"""Pictures of sides up to that lose nothing: their pixels are to be seen."""
_QUALITY, _EFFORT = 88, 2
_GRID = 160


class Album:
    """Writes pictures, and says how large they are.

    Attributes:
        root: The site.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, picture: Tensor, largest: int | None = LARGEST) -> None:
        """Write a picture as WebP.

        Args:
            name: Its path from the site's root.
            picture: (c, h, w) in [0, 1].
            largest: Pixels that a side shall have at most.

        Raises:
            OutputError: It cannot be written.
        """
        self._save(name, to_image(picture), largest)

    def write_grid(self, name: str, files: Sequence[str], columns: int) -> None:
        """Write pictures of the album side by side, as one small picture."""
        whole = grid([to_tensor(read(self.root / file)) for file in files], columns)
        self._save(name, whole, _GRID)

    def holds(self, name: str) -> bool:
        """Tell whether there is a picture."""
        return (self.root / name).is_file()

    def picture(self, name: str, caption: str = "", source: str = "") -> Picture:
        """Return a picture that was written, for the site."""
        with Image.open(self.root / name) as opened:
            width, height = opened.size
        return Picture(name, width, height, caption, source)

    def _save(self, name: str, image: Image.Image, largest: int | None) -> None:
        side = max(image.size)
        if largest is not None and side > largest:
            size = [max(1, round(n * largest / side)) for n in image.size]
            image = image.resize((size[0], size[1]), Image.Resampling.LANCZOS)
        exact = side <= _EXACT
        with replacing(self.root / name) as file:
            image.save(
                file,
                "WEBP",
                lossless=exact,
                quality=30 if exact else _QUALITY,
                method=0 if exact else _EFFORT,
            )
