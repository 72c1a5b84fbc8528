"""The map that looks at nothing: a blob in the middle.

Photographers put things in the middle, so a Gaussian there, taken for a saliency map and cut like
one, is hard to beat. What a network adds is what it does better than this.

*Reference.* Mahendran & Vedaldi, ECCV 2016, section 3.5 and table 1 ("baseline"). The kernel is
the one of the authors' code, 125 x 125 pixels with sigma 24 on photographs of 256 pixels on their
shorter side; there quarters of it are also taken away in the corners, of which the paper does not
speak.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import SettingError

# Share of the shorter side, from 125 px and 24 px of 256.
_HALF_WIDTH, _SIGMA = 62 / 256, 24 / 256


def gaussian_blob(size: tuple[int, int], *, corners: bool = True) -> NDArray[np.float32]:
    """Make the baseline's map.

    Args:
        size: (h, w), pixels.
        corners: Take quarters of the same kernel away in the four corners.

    Returns:
        (h, w) in [0, 1]: 1 in the middle, 0 at its lowest.

    Raises:
        SettingError: There is no pixel.
    """
    height, width = size
    if min(size) < 1:
        raise SettingError(f"a map of {height}x{width} pixels cannot be: give one at least")
    side = min(size)

    def kernel(y: float, x: float) -> NDArray[np.float64]:
        rows, columns = (_bump(height, y, side), _bump(width, x, side))
        return rows[:, None] * columns[None]

    values = kernel((height - 1) / 2, (width - 1) / 2)
    if corners:
        for y in (0, height - 1):
            for x in (0, width - 1):
                values = values - kernel(y, x)
    low, high = values.min(), values.max()
    scaled = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return scaled.astype(np.float32)


def _bump(length: int, middle: float, side: int) -> NDArray[np.float64]:
    away = np.arange(length) - middle
    # Half a pixel of tolerance, so that 256 pixels get the paper's 125 whatever the rounding.
    inside = np.abs(away) <= max(_HALF_WIDTH * side, 0.5) + 0.5
    bump: NDArray[np.float64] = np.exp(-0.5 * np.square(away / (_SIGMA * side))) * inside
    return bump
