"""Pictures written into the page itself, as data URIs.

A page of few pictures carries them exactly, as PNG. On a page of many, noise and photographs would
make that hundreds of megabytes, so there they are WebP of high quality; small maps stay exact.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable

from PIL import Image

from phosphene.view.scale import resized

_EXACT_TOTAL = 4_000_000
"""Up to so many pixels on the page together, each picture is exact (about 16 MB at the worst)."""
_EXACT_ALWAYS = 64 * 64
_QUALITY = 90
_LONGEST = 2048


def shown_pixels(image: Image.Image) -> Image.Image:
    """Bring a picture to RGB and to a size a page can carry."""
    longest = max(image.size)
    shrink = min(1.0, _LONGEST / longest) if longest else 1.0
    size = max(1, round(image.width * shrink)), max(1, round(image.height * shrink))
    return resized(image, size)


def is_exact(images: Iterable[Image.Image]) -> bool:
    """Tell whether a page of these pictures can carry them exactly."""
    return sum(image.width * image.height for image in images) <= _EXACT_TOTAL


def data_uri(image: Image.Image, exact: bool) -> str:
    """Encode a picture for a page.

    Args:
        image: 8-bit RGB.
        exact: As PNG, whatever it takes.

    Returns:
        `data:image/...;base64,...`
    """
    file = io.BytesIO()
    if exact or image.width * image.height <= _EXACT_ALWAYS:
        image.save(file, "PNG")
        kind = "png"
    else:
        image.save(file, "WEBP", quality=_QUALITY, method=2)
        kind = "webp"
    return f"data:image/{kind};base64," + base64.b64encode(file.getvalue()).decode("ascii")
