"""Numbers of objects and parts as images that one can look at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def labels_image(labels: NDArray[np.int32]) -> Image.Image:
    """Make an image whose pixels are the numbers.

    Args:
        labels: (h, w), 0 to 65,535.

    Returns:
        8 bits with a palette; 16 bits gray where a number exceeds 255.
    """
    if labels.max(initial=0) > 255:
        return Image.fromarray(labels.astype(np.uint16))
    image = Image.fromarray(labels.astype(np.uint8))
    image.putpalette(palette().tobytes())
    return image


def palette() -> NDArray[np.uint8]:
    """Return 256 colors by which numbers can be told apart, (256, 3) RGB; 0 is black.

    The bits of a number go to red, green and blue by turns, the lowest to the brightest, as in
    PASCAL VOC's masks.
    """
    numbers = np.arange(256)
    colors = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            share = numbers >> (3 * bit + channel) & 1
            colors[:, channel] |= (share << (7 - bit)).astype(np.uint8)
    return colors
