"""Panels to draw: tiles of known pixels, and texts that would do harm if they were not escaped."""

import numpy as np
from PIL import Image

from phosphene.panel import Panel, Tile

NASTY = "<script>alert('x')</script> \"quoted\" & 'single'\nnew line </title></style> {{ 7*7 }}"


def noise(width=200, height=None, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height or width, width, 3))
    return Image.fromarray(pixels.astype(np.uint8))


def table(rows=3, captions=("photograph", "saliency", "guided"), heading="photo {}.jpg", size=200):
    return Panel(
        "network, layer",
        tuple(
            (
                heading.format(row),
                tuple(
                    Tile(noise(size, seed=10 * row + k), caption, "a note")
                    for k, caption in enumerate(captions)
                ),
            )
            for row in range(rows)
        ),
        {"network": "demo", "seed": "0"},
        ("something to know",),
    )


def nasty():
    tile = Tile(noise(20), NASTY, NASTY)
    return Panel(NASTY, ((NASTY, (tile, tile)),), {NASTY: "</script>" + NASTY}, (NASTY,))


def found(needle, picture):
    """Count the places where one image stands in another, pixel by pixel."""
    small, large = np.asarray(needle.convert("RGB")), np.asarray(picture)
    h, w, _ = small.shape
    tops = (large[: large.shape[0] - h + 1, : large.shape[1] - w + 1] == small[0, 0]).all(-1)
    return sum((large[y : y + h, x : x + w] == small).all() for y, x in np.argwhere(tops))
