"""Arrows over a picture: where things go."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from phosphene.errors import FlowError, SettingError
from phosphene.image import as_photograph
from phosphene.motion.flow import Flow

_FINE = 4
"""Arrows are drawn as many times larger and shrunk, for smooth edges."""
_STILL = 0.25
"""Pixels below which a dot stands for a vector."""
_HEAD = math.radians(155)


def arrow_scale(flow: Flow, every: int = 16) -> float:
    """Tell by how much `arrows` lengthens or shortens vectors, all by the same.

    The longest arrows, but for one in twenty, come to between half a step of the grid and a whole
    one: long enough to be seen, and no arrow runs into the next. Where they do so as they are, the
    factor is 1, and elsewhere a number of one digit.
    """
    lengths = np.hypot(*_picked(flow, every)[1].T)
    moving = lengths[lengths > _STILL]
    if not moving.size:
        return 1.0
    fitting = every / float(np.quantile(moving, 0.95))
    if 1 <= fitting <= 2:
        return 1.0
    digit = 10.0 ** math.floor(math.log10(fitting))
    return float(f"{math.floor(fitting / digit) * digit:.1g}")


def arrows(image: Any, flow: Flow, every: int = 16, scale: float | None = None) -> Image.Image:
    """Draw flow as arrows over a picture.

    Each square of a grid has one arrow in its middle, the median of its valid vectors, so that
    single wild vectors do not show; a dot where it stands still; nothing where less than half of
    the square is valid.

    Args:
        image: The first frame: a photograph of any kind, of the size of the flow.
        flow: What to draw.
        every: Side of the squares, in pixels.
        scale: By how much to lengthen vectors; by `arrow_scale` if `None`.

    Returns:
        RGB picture of the same size.

    Raises:
        FlowError: The sizes differ.
        SettingError: The squares are smaller than 4 pixels.
    """
    picture = as_photograph(image)
    if (picture.height, picture.width) != flow.size:
        raise FlowError(
            f"a picture of {(picture.height, picture.width)} does not fit a flow of {flow.size}"
        )
    if every < 4:
        raise SettingError(f"arrows every {every} pixels cannot be told apart: give 4 or more")
    scale = arrow_scale(flow, every) if scale is None else scale
    layer = Image.new("L", (picture.width * _FINE, picture.height * _FINE))
    edge = layer.copy()
    for place, vector in zip(*_picked(flow, every), strict=True):
        start = (place + 0.5) * _FINE
        still = math.hypot(*vector) <= _STILL
        end = start if still else start + vector * scale * _FINE
        _stroke(ImageDraw.Draw(edge), start, end, every, 6)
        _stroke(ImageDraw.Draw(layer), start, end, every, 0)
    size = picture.size
    dark = edge.resize(size, Image.Resampling.BOX)
    light = layer.resize(size, Image.Resampling.BOX)
    # White inside black is seen on any ground.
    result = Image.composite(Image.new("RGB", size, "black"), picture, dark)
    return Image.composite(Image.new("RGB", size, "white"), result, light)


def _picked(flow: Flow, every: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pick the middles of squares and the median vectors there, both (n, 2), x first."""
    height, width = flow.size
    places, vectors = [], []
    for top in range((height % every) // 2, max(height - every + 1, 1), every):
        for left in range((width % every) // 2, max(width - every + 1, 1), every):
            square = np.s_[top : top + every, left : left + every]
            known = flow.valid[square]
            if 2 * known.sum() >= known.size:
                places.append((left + (known.shape[1] - 1) / 2, top + (known.shape[0] - 1) / 2))
                vectors.append(np.median(flow.vectors[square][known], axis=0))
    shape = (len(places), 2)
    return np.array(places, float).reshape(shape), np.array(vectors, float).reshape(shape)


def _stroke(
    draw: ImageDraw.ImageDraw,
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    every: int,
    extra: int,
) -> None:
    """Draw one arrow, wider all around by half of `extra`."""
    wide = max(1, round(every * 0.09 * _FINE)) + extra
    radius = wide / 2
    length = math.hypot(*(end - start))
    draw.ellipse([*(start - radius), *(start + radius)], fill=255)
    if not length:
        return
    draw.line([tuple(start), tuple(end)], fill=255, width=wide)
    head = min(0.3 * every * _FINE, 0.6 * length)
    turn = math.atan2(*(end - start)[::-1])
    for side in (-_HEAD, _HEAD):
        barb = end + head * np.array([math.cos(turn + side), math.sin(turn + side)])
        draw.line([tuple(end), tuple(barb)], fill=255, width=wide)
        draw.ellipse([*(barb - radius), *(barb + radius)], fill=255)
    draw.ellipse([*(end - radius), *(end + radius)], fill=255)
