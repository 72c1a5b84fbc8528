"""Panels to draw: tiles of known pixels, and texts that would do harm if they were not escaped."""

import numpy as np
from PIL import Image

from phosphene.panel import Panel, Plot, Series, Table, Tile

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


LAYERS = tuple(f"fire{k}/concat" for k in range(2, 10))


def errors(title="error by layer"):
    """Lines over names, with error bars."""
    series = tuple(
        Series(f"C = {c}", LAYERS, tuple(0.1 + 0.02 * i + 0.1 * k for i in range(8)), (0.02,) * 8)
        for k, c in enumerate((1, 20, 100, 300))
    )
    return Plot(title, series, "layer", "relative error")


def energy(points=350, count=2):
    """Long lines on a logarithmic axis."""
    x = tuple(range(points))
    series = tuple(
        Series(f"photo {k}", x, tuple(1000 * 0.97**t + k + 1 for t in x)) for k in range(count)
    )
    return Plot("energy", series, "iteration", "energy", log=True)


def scores(title="scores"):
    rows = (("conv1", 64, 0.5, None), ("conv2", 192, -0.25, "a"), ("conv3", 7, None, "b"))
    return Table(title, ("layer", "units", "score", "remark"), rows, "of nobody knows what")


def numbers():
    """A panel of plots and tables, without pictures."""
    return Panel("numbers", (), plots=(errors(), energy()), tables=(scores(), scores()))


def nasty_numbers():
    series = (Series(NASTY, (NASTY, "b"), (1.0, 2.0)), Series("_c", ("b",), (3.0,), (0.5,)))
    plot = Plot(NASTY, series, NASTY, NASTY)
    table = Table(NASTY, (NASTY, NASTY), ((NASTY, NASTY), (NASTY, 1.0)), NASTY)
    return Panel(NASTY, (), plots=(plot, plot), tables=(table,))
