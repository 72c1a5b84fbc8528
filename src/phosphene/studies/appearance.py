"""What can be measured of a picture by itself: colour, edges, contrast, and where it is busy.

All numbers are in gray levels (0..255) of 8-bit RGB pictures unless they are ratios.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from phosphene.studies.gradients import gradient

Floats = NDArray[np.float64]


def chroma(image: Image.Image) -> float:
    """Return the mean chroma: `mean over pixels of |(R - G, (R + G) / 2 - B)|`.

    These are the opponent colours red-green and yellow-blue; gray pictures have none.
    """
    red, green, blue = np.moveaxis(_pixels(image), 2, 0)
    return float(np.hypot(red - green, (red + green) / 2 - blue).mean())


def edges(image: Image.Image) -> float:
    """Return the strength of luminance edges: the root of the mean squared Sobel gradient."""
    right, down = gradient(image)
    return float(np.sqrt((right**2 + down**2).mean()))


def contrast(image: Image.Image) -> float:
    """Return the root mean squared difference of a picture from its own mean colour."""
    return float(np.sqrt((_centred(image) ** 2).mean()))


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return the root mean squared difference of two pictures of the same size."""
    return float(np.sqrt(((_pixels(one) - _pixels(other)) ** 2).mean()))


def apart(one: Image.Image, other: Image.Image) -> float:
    """Say how far two pictures of the same size lie apart, whatever their contrast.

    `|| a - b || / sqrt(|| a ||^2 + || b ||^2)` of the pictures less their mean colours: 0 for the
    same picture, 1 for unrelated ones, sqrt(2) for a picture and its negative.
    """
    a, b = _centred(one), _centred(other)
    whole = float((a**2).sum() + (b**2).sum())
    return float(np.sqrt(((a - b) ** 2).sum() / whole)) if whole else 0.0


def activity(image: NDArray[Any]) -> Floats:
    """Return the squared gradient of every pixel, summed over the channels.

    Forward differences, 0 across the border, as the papers' total variation has them.

    Args:
        image: (c, h, w), of any scale.

    Returns:
        (h, w).
    """
    values = np.asarray(image, dtype=np.float64)
    down = np.diff(values, axis=1, append=values[:, -1:])
    right = np.diff(values, axis=2, append=values[:, :, -1:])
    energy: Floats = (down**2 + right**2).sum(0)
    return energy


def extent(energy: Floats, centre: tuple[float, float], share: float = 0.9) -> float:
    """Return the side of the smallest square around a point that holds a share of the energy.

    Args:
        energy: (h, w), not negative.
        centre: (y, x) of the middle, pixels.
        share: How much of the whole it has to hold.

    Returns:
        Pixels; 0 where there is no energy.
    """
    rows, columns = np.indices(energy.shape)
    away = np.maximum(abs(rows - centre[0]), abs(columns - centre[1])).ravel()
    order = np.argsort(away, kind="stable")
    held = np.cumsum(energy.ravel()[order])
    if not held[-1] > 0:
        return 0.0
    reached = int(np.searchsorted(held, share * held[-1] * (1 - 1e-12)))
    return float(2 * away[order[min(reached, len(order) - 1)]] + 1)


def inside(energy: Floats, box: tuple[float, float, float, float]) -> float:
    """Return the share of the energy within a box (top, left, height, width); 0 of nothing."""
    top, left, height, width = (round(number) for number in box)
    part = energy[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    whole = float(energy.sum())
    return float(part.sum()) / whole if whole else 0.0


def _pixels(image: Image.Image) -> Floats:
    return np.asarray(image.convert("RGB"), dtype=np.float64)


def _centred(image: Image.Image) -> Floats:
    pixels = _pixels(image)
    centred: Floats = pixels - pixels.mean((0, 1))
    return centred
