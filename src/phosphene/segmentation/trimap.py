"""From a map to what is surely object, surely background, and unknown.

A saliency map is high only on the most telling parts of an object, so its own outline is not the
object's. Its highest pixels are taken for object and its lowest for background, and a colour model
spreads both over the rest.

| level | pixels | what the cut does with them |
|---|---|---|
| `SURE_FOREGROUND` | at least the 99.5 % quantile | colours of the object, and fixed |
| `FOREGROUND` | at least the `high` quantile | colours of the object |
| `UNKNOWN` | between, and where the map is NaN | only labelled |
| `BACKGROUND` | at most the `low` quantile | colours of the background |
| `SURE_BACKGROUND` | at most the 0.5 % quantile | colours of the background, and fixed |

*Reference.* Simonyan et al. 2014, section 3.2, with 95 % and 30 %; Mahendran & Vedaldi, ECCV 2016,
section 3.5, whose code takes 90 % for all maps but the derivative's, and has the fixed pixels.

*Departures from the paper.* Quantiles are taken over the known pixels alone. A map that is zero on
more pixels than `high` says has a quantile of zero, and every pixel would be object: object is only
what lies above zero and above the low quantile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from phosphene.errors import SettingError
from phosphene.segmentation.region import without_holes

SURE_BACKGROUND, BACKGROUND, UNKNOWN, FOREGROUND, SURE_FOREGROUND = -2, -1, 0, 1, 2

# Quantiles beyond which the cut has no say.
SURE_LOW, SURE_HIGH = 0.005, 0.995

ZERO = "the map is zero everywhere"

# The colours of Simonyan et al.'s figure 3: cyan background, red unknown, blue object; what is
# fixed is darker.
_COLORS = {
    SURE_BACKGROUND: (0, 150, 160),
    BACKGROUND: (0, 215, 225),
    UNKNOWN: (215, 25, 30),
    FOREGROUND: (40, 70, 235),
    SURE_FOREGROUND: (10, 20, 130),
}
_NOWHERE = (128, 128, 128)


@dataclass(frozen=True, eq=False)
class Trimap:
    """What is known of every pixel before the cut.

    Attributes:
        levels: (h, w) int8, one of the five levels of this module.
        known: (h, w) where the map said anything.
        low: The map's value at the low quantile.
        high: The map's value at the high quantile.
        empty: Why there is no object; an empty text where there is one.
    """

    levels: NDArray[np.int8]
    known: NDArray[np.bool_]
    low: float = 0.0
    high: float = 0.0
    empty: str = ""

    @property
    def foreground(self) -> NDArray[np.bool_]:
        """(h, w) pixels that the object's colours are learned from."""
        return self.levels >= FOREGROUND

    @property
    def background(self) -> NDArray[np.bool_]:
        """(h, w) pixels that the background's colours are learned from."""
        return self.levels <= BACKGROUND

    def shown(self) -> Image.Image:
        """Draw it in the paper's colours, gray where the map says nothing."""
        colors = np.zeros((*self.levels.shape, 3), np.uint8)
        for level, color in _COLORS.items():
            colors[self.levels == level] = color
        colors[~self.known] = _NOWHERE
        return Image.fromarray(colors)


def trimap(
    values: NDArray[np.floating],
    high: float = 0.95,
    low: float = 0.30,
    *,
    fixed: bool = True,
    enclosed: bool = True,
) -> Trimap:
    """Divide a map by its quantiles.

    Args:
        values: (h, w), non-negative; NaN (or infinite) where nothing is known.
        high: From which quantile on a pixel is object, in (0, 1).
        low: Up to which quantile it is background, in [0, 1) and below `high`.
        fixed: Whether the extreme half percents are fixed.
        enclosed: Whether low parts that higher ones enclose, so that they touch neither the image's
            edge nor what is not known, are background; else they are unknown, unless nothing
            else is low.

    Returns:
        The trimap. A map that is zero or the same everywhere, or known nowhere, has no object, and
        `empty` says why.

    Raises:
        SettingError: The quantiles are none, or in the wrong order.
    """
    if not 0 <= low < high < 1:
        raise SettingError(
            f"object from the quantile {high:g} on and background up to {low:g} divide no map: "
            "give 0 <= low < high < 1"
        )
    known = np.isfinite(values)
    levels = np.zeros(values.shape, np.int8)
    inside = values[known]
    if not inside.size:
        return Trimap(levels, known, empty="the map is known nowhere")
    bottom, top = float(inside.min()), float(inside.max())
    if top <= 0:
        return Trimap(levels, known, empty=ZERO)
    if bottom == top:
        return Trimap(levels, known, bottom, top, empty="the map is the same everywhere")
    marks = np.quantile(inside, [SURE_LOW, low, high, SURE_HIGH]).astype(inside.dtype)
    sure_below, below, above, sure_above = marks.tolist()
    filled = np.where(known, values, 0)
    object_ = known & (filled >= above) & (filled > max(below, 0))
    ground = known & (filled <= below) & ~object_
    # More than `low` of the map at its maximum: what is lower is background all the same.
    if not object_.any():
        object_ = known & (filled == top)
        ground = known & ~object_ & (filled <= below)
    if not enclosed:
        outside = ground & ~without_holes(known & ~ground)
        ground = outside if outside.any() else ground
    levels[ground] = BACKGROUND
    levels[object_] = FOREGROUND
    if fixed:
        levels[ground & (filled <= sure_below)] = SURE_BACKGROUND
        levels[object_ & (filled >= sure_above)] = SURE_FOREGROUND
    return Trimap(levels, known, below, above)
