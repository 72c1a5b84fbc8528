"""Pictures inside JSON, and where they lie on others."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image

Json = dict[str, Any]

LARGEST = 640
"""Pixels that a side of a picture has at most."""


def sketch(image: Image.Image) -> Json:
    """Return a picture as `src` (a PNG as a data URL), `width` and `height`."""
    if max(image.size) > LARGEST:
        scale = LARGEST / max(image.size)
        size = [max(1, round(side * scale)) for side in image.size]
        image = image.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    text = base64.b64encode(file.getvalue()).decode("ascii")
    return {"src": f"data:image/png;base64,{text}", "width": image.width, "height": image.height}


def bounds_in(box: tuple[int, int, int, int], size: tuple[int, int]) -> list[float]:
    """Return the part of a box that lies on an image, as shares of its sides.

    Args:
        box: (top, left, height, width), pixels; may leave the image.
        size: (h, w) of the image.

    Returns:
        [left, top, width, height], each in [0, 1].

    >>> bounds_in((-2, 5, 4, 10), (10, 10))
    [0.5, 0.0, 0.5, 0.2]
    """
    top, left, height, width = box
    x, y = max(left, 0), max(top, 0)
    right, bottom = min(left + width, size[1]), min(top + height, size[0])
    w, h = max(right - x, 0), max(bottom - y, 0)
    return [x / size[1], y / size[0], w / size[1], h / size[0]]
