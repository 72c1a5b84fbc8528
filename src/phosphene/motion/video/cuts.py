r"""Where one scene ends and another begins.

Two frames are compared at a glance, at 64 x 40 pixels, in two ways, and where both say that they
show different things a scene ends between them:

- *colours*, by half the sum of the differences of two histograms, of 8 x 8 x 8 bins of RGB; where
  both frames are nearly grey, of 32 bins of luma. They stay where things move, and change where the
  light does;
- *structure*: each block of 8 x 8 pixels of the one, each channel less its mean, is looked for in
  the other, up to 10 pixels (a sixth of the width) away in x and y. What remains,

      s = sum over blocks of min over shifts of the mean absolute difference
          / sum over blocks of (mean absolute deviation within the block + 1),

  in both directions, the larger, is about 1 where nothing was found again. It stays where the light
  changes, and where things move by less than that.

Where next to no colour is left, colours alone decide: scenes without structure have none to be
found again.

Measured on the ten DAVIS videos at 428 x 240: from a frame to the next colours change by at most
0.12 (luma by 0.07) and s is at most 0.47; five frames later 0.23 (0.17) and 0.62; a frame
brightened by a power of 0.6, as by a flash, changes colours by 0.80 and s is at most 0.60. Between
frames of two videos, and between two photographs of ImageNet, colours change by at least 0.25 (luma
by 0.14) and s is at least 0.67.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from phosphene.motion.video.source import Pixels

GLANCE = (40, 64)
"""(h, w) at which frames are compared."""
_BLOCK, _REACH = 8, 10
_GREY = 8
"""Mean difference of the largest from the least channel below which a frame counts as grey."""
_COLOURS, _LUMA, _STRUCTURE = 0.2, 0.12, 0.63
"""From where on they count as different."""
_ALL_COLOURS = 0.95
"""From where on colours alone are enough."""
_OTHER_COLOURS, _OTHER_STRUCTURE = 0.35, 0.75
"""From where on frames are of different scenes whatever lies between them (a dissolve)."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Change:
    """How two frames differ.

    Attributes:
        colours: Half the L1 distance of their histograms, in [0, 1].
        grey: Whether those are histograms of luma, as the frames have no colours.
        structure: Share of the structure that is not found again.
    """

    colours: float
    grey: bool
    structure: float

    @property
    def recolored(self) -> bool:
        """Whether the colours are others."""
        return self.colours > (_LUMA if self.grey else _COLOURS)

    @property
    def cut(self) -> bool:
        """Whether a scene ends in between."""
        other = self.recolored and self.structure > _STRUCTURE
        return other or self.colours > _ALL_COLOURS

    @property
    def another(self) -> bool:
        """Whether nothing is left of the one in the other, however that came."""
        return self.cut and self.colours > _OTHER_COLOURS and self.structure > _OTHER_STRUCTURE


def glance(pixels: Pixels) -> Pixels:
    """Return a frame as it is compared: (40, 64, 3)."""
    import cv2

    return np.asarray(cv2.resize(pixels, GLANCE[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def change(first: Pixels, second: Pixels) -> Change:
    """Compare two glances; structure is looked at only where colours differ, and is 0 otherwise."""
    grey = _grey(first) and _grey(second)
    bins = _luma if grey else _colours
    found = Change(_distance(bins(first), bins(second)), grey, 0.0)
    if not found.recolored:
        return found
    one, other = (pixels.transpose(2, 0, 1).astype(np.float32) for pixels in (first, second))
    return replace(found, structure=max(_unfound(one, other), _unfound(other, one)))


def cut_between(first: Pixels, second: Pixels, between: Iterable[Pixels]) -> bool:
    """Tell whether a scene ends between two frames.

    Args:
        first: The glance at the one.
        second: At the other.
        between: At those in between, in order; asked for only where the two differ.

    Returns:
        Whether the two differ, and either somewhere a frame from the next, or the two in nearly
        everything. A scene that gives way to another and comes back in between is not noticed.
    """
    whole = change(first, second)
    if not whole.cut:
        return False
    if whole.another:
        return True
    before = first
    for after in (*between, second):
        if change(before, after).cut:
            return True
        before = after
    return False


def _grey(pixels: Pixels) -> bool:
    spread = pixels.max(2).astype(np.int16) - pixels.min(2)
    return float(spread.mean()) < _GREY


def _colours(pixels: Pixels) -> NDArray[np.intp]:
    bins = (pixels >> 5).astype(np.intp)
    return (bins[:, :, 0] * 64 + bins[:, :, 1] * 8 + bins[:, :, 2]).ravel()


def _distance(one: NDArray[np.intp], other: NDArray[np.intp]) -> float:
    """Half the L1 distance of the histograms of 512 bins."""
    difference = np.bincount(one, minlength=512) - np.bincount(other, minlength=512)
    return float(np.abs(difference).sum()) / (2 * one.size)


def _luma(pixels: Pixels) -> NDArray[np.intp]:
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    return (pixels.astype(np.float32) @ weights).astype(np.intp).ravel() >> 3


def _unfound(one: Floats, other: Floats) -> float:
    """Return how much structure of one (3, h, w) image's blocks is nowhere near in the other."""
    height, width = one.shape[1:]
    own = _blocks(one)
    padded = np.pad(other, [(0, 0), (_REACH, _REACH), (_REACH, _REACH)], mode="edge")
    least = np.full(own.shape[1:3], np.inf, np.float32)
    for y in range(2 * _REACH + 1):
        # A row of shifts at a time, (shifts, 3, h, w).
        row = np.lib.stride_tricks.sliding_window_view(padded[:, y : y + height], width, axis=2)
        tiles = _blocks(row.transpose(2, 0, 1, 3))
        remains = np.abs(tiles - own).mean((1, 4, 5))
        least = np.minimum(least, remains.min(0))
    deviation = np.abs(own).mean((0, 3, 4))
    return float(least.sum() / (deviation + 1).sum())


def _blocks(image: Floats) -> Floats:
    """Cut (..., h, w) into (..., h/8, w/8, 8, 8) blocks without their means."""
    *many, height, width = image.shape
    tiles = image.reshape(*many, height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK).swapaxes(-3, -2)
    return np.asarray(tiles - tiles.mean((-1, -2), keepdims=True))
