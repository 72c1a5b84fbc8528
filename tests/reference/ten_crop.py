"""Ten-crop class saliency, slow and literal: one crop at a time, pixel by pixel, in numpy.

Simonyan et al. 2014, section 3.1: the map of the class is computed on ten cropped and reflected
sub-images, and the ten maps are averaged. The sub-images are the four corners and the centre of
the central square of the photograph, each also mirrored.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def corners(height: int, width: int, crop: tuple[int, int]) -> list[tuple[int, int]]:
    """Top left pixels of the five crops."""
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    bottom, right = top + side - crop[0], left + side - crop[1]
    middle = top + (side - crop[0]) // 2, left + (side - crop[1]) // 2
    return [(top, left), (top, right), (bottom, left), (bottom, right), middle]


def average(
    photograph: Array, crop: tuple[int, int], respond: Callable[[Array], Array]
) -> tuple[Array, Array]:
    """Average what ten crops say.

    Args:
        photograph: (c, H, W).
        crop: (h, w) of a crop.
        respond: From one crop (c, h, w) to its signal, (c', h, w).

    Returns:
        (c', H, W) mean signal and (H, W) mean map, its largest magnitude over channels taken for
        each crop by itself; NaN where no crop lies.
    """
    _, height, width = photograph.shape
    signal_sum: Array | None = None
    map_sum = np.zeros((height, width))
    count = np.zeros((height, width))
    for top, left in corners(height, width, crop):
        for mirrored in (False, True):
            piece = photograph[:, top : top + crop[0], left : left + crop[1]]
            if mirrored:
                piece = piece[:, :, ::-1]
            signal = respond(np.ascontiguousarray(piece))
            if signal_sum is None:
                signal_sum = np.zeros((signal.shape[0], height, width))
            for y in range(crop[0]):
                for x in range(crop[1]):
                    at = left + (crop[1] - 1 - x if mirrored else x)
                    signal_sum[:, top + y, at] += signal[:, y, x]
                    map_sum[top + y, at] += max(abs(value) for value in signal[:, y, x])
                    count[top + y, at] += 1
    assert signal_sum is not None
    count[count == 0] = np.nan
    return signal_sum / count, map_sum / count
