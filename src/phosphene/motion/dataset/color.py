"""Changes of colour: brightness, contrast, hue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phosphene.motion.pair import Pixels


def recolored(
    pixels: Pixels, brightness: float, contrast: float, hue: float
) -> NDArray[np.float32]:
    """Change colours as the thesis does, with colours in [0, 1].

    In this order, which the thesis leaves open: the brightness is added; each channel's distance
    from its mean over the image is multiplied by the contrast; the hue is turned in the hexcone
    (HSV) model, which leaves a pixel's largest and smallest value what they are; and only then
    colours are clamped to [0, 1].

    Args:
        pixels: (h, w, 3), 8-bit RGB.
        brightness: What is added, in [-1, 1].
        contrast: The factor, at least 0.
        hue: Share of a whole turn: 1/3 makes red green.

    Returns:
        (h, w, 3) float32 RGB in [0, 1].
    """
    import cv2

    if not brightness and contrast == 1 and not hue:
        return np.multiply(pixels, np.float32(1 / 255), dtype=np.float32)
    mean = np.array(cv2.mean(pixels)[:3]) / 255
    colors: NDArray[np.float32] = pixels.astype(np.float32)
    colors *= np.float32(contrast / 255)
    colors += ((1 - contrast) * mean + brightness).astype(np.float32)
    if hue:
        # Beyond [0, 1] OpenCV's saturation fails. The turn commutes with adding grey.
        grey = np.minimum(colors.min(), 0)
        hexcone = cv2.cvtColor(colors - grey, cv2.COLOR_RGB2HSV)
        hexcone[:, :, 0] += np.float32(360 * hue)
        colors = cv2.cvtColor(hexcone, cv2.COLOR_HSV2RGB) + grey
    np.clip(colors, 0, 1, out=colors)
    return colors
