"""Flow in colours: hue for the direction, saturation for the length.

The wheel has 55 colours: red to yellow in 15 steps, to green in 6, to cyan in 4, to blue in 11, to
magenta in 13 and back to red in 6, unequal since we tell some hues apart better than others (Baker,
Scharstein, Lewis, Roth, Black and Szeliski, *A Database and Evaluation Methodology for Optical
Flow*, IJCV 2011). With y down, red goes right, yellow down, cyan left, and violet up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from phosphene.errors import SettingError
from phosphene.motion.flow import Flow

Pixels = NDArray[np.uint8]

# Steps to the next colour, which channel changes on the way, and whether it rises.
_STRETCHES = (
    (15, 1, True),
    (6, 0, False),
    (4, 2, True),
    (11, 1, False),
    (13, 0, True),
    (6, 2, False),
)
_BEYOND = 0.75


def wheel() -> NDArray[np.uint8]:
    """List the wheel's colours, (55, 3) RGB, red first."""
    colors, color = [], [255, 0, 0]
    for steps, channel, rises in _STRETCHES:
        for step in range(steps):
            part = 255 * step // steps
            color[channel] = part if rises else 255 - part
            colors.append(tuple(color))
        color[channel] = 255 if rises else 0
    return np.array(colors, np.uint8)


def colored(flow: Flow, largest: float | None = None) -> Pixels:
    """Colour flow by the wheel: white for standing still, purer the longer a vector is.

    Args:
        flow: What to show.
        largest: Length in pixels that has the pure colour; what is longer is darkened to 3/4. The
            longest vector if `None`.

    Returns:
        (h, w, 3) RGB; black where the flow is not valid.

    Raises:
        SettingError: The length is not positive.
    """
    if largest is not None and not 0 < largest < np.inf:
        raise SettingError(f"flow cannot be coloured up to {largest} pixels: give a length above 0")
    # Adding 0 makes a plus of a minus 0, which would turn the angle around.
    x, y = flow.vectors[:, :, 0] + np.float32(0), flow.vectors[:, :, 1] + np.float32(0)
    length = flow.magnitude
    scale = float(length.max(initial=0)) if largest is None else float(largest)
    length = length / np.float32(scale if scale > 0 else 1)
    colors = wheel().astype(np.float32) / 255
    # As the authors' code has it, 54 of 55 steps go around: red to red is a step short.
    place = (np.arctan2(-y, -x) / np.float32(np.pi) + 1) / 2 * (len(colors) - 1)
    before = np.floor(place).astype(np.int64).clip(0, len(colors) - 1)
    part = (place - before)[:, :, None]
    hue = colors[before] * (1 - part) + colors[(before + 1) % len(colors)] * part
    length = length[:, :, None]
    shade = np.where(length <= 1, 1 - length * (1 - hue), hue * _BEYOND)
    pixels: Pixels = np.floor(255 * shade).astype(np.uint8)
    pixels[~flow.valid] = 0
    return pixels


def key(side: int = 96) -> Image.Image:
    """Draw the wheel itself: the colour of every vector up to the largest, still in the middle.

    Args:
        side: Of the picture, in pixels.

    Returns:
        RGB, white outside of the disc.
    """
    fine = 4 * side
    axis = ((np.arange(fine) + 0.5) / fine * 2 - 1).astype(np.float32)
    vectors = np.stack(np.meshgrid(axis, axis), 2)
    disc = np.hypot(vectors[:, :, 0], vectors[:, :, 1]) <= 1
    pixels = colored(Flow.of(vectors, disc), 1.0)
    pixels[~disc] = 255
    return Image.fromarray(pixels).resize((side, side), Image.Resampling.BOX)
