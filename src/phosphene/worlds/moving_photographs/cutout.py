"""Cut-outs: things with their outline, taken from a photograph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from phosphene.errors import ImageError

Pixels = NDArray[np.uint8]
Plane = NDArray[np.float32]

_RIM = 2
"""Pixels around a thing: one that resizing reaches for, and one that is clear."""
_SHARPENED = 2.0
"""By how much the edge of an alpha that resizing has spread is drawn together again."""


@dataclass(frozen=True, eq=False)
class Cutout:
    """A thing, cropped to its outline.

    Attributes:
        image: (h, w, 3), 8-bit RGB.
        alpha: (h, w), 0 to 255: how much of a pixel the thing covers.
        name: Where it comes from.
    """

    image: Pixels
    alpha: Pixels
    name: str = "a cut-out"

    @classmethod
    def of(cls, image: Pixels, mask: NDArray[np.generic], name: str = "a cut-out") -> Cutout:
        """Cut a thing out of a photograph.

        Args:
            image: (h, w, 3), 8-bit RGB.
            mask: (h, w), booleans, or its alpha from 0 to 255.
            name: What to call it where it is refused.

        Raises:
            ImageError: The mask is of another size, or shows nothing.
        """
        if image.shape[:2] != mask.shape:
            own, wanted = ("x".join(str(n) for n in a.shape[1::-1]) for a in (mask, image))
            raise ImageError(
                f"{name}: a mask of {own} pixels does not fit a photograph of {wanted}: give masks "
                "of the size of their photographs"
            )
        alpha = mask.astype(np.uint8) * np.uint8(255 if mask.dtype == bool else 1)
        seen = alpha >= 128
        if not seen.any():
            raise ImageError(f"{name}: the mask is empty, so that there is nothing to cut out")
        rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
        crop = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        return cls(image[crop], alpha[crop], name)

    def texture(self, scale: float) -> Plane:
        """Return it in another size.

        Colors go on beyond the outline, as what lay around the thing in its photograph would
        shine through at the edge otherwise.

        Args:
            scale: Pixels for one of the photograph's.

        Returns:
            (h, w, 4), float32: RGB in 0 to 255, and alpha in 0 to 1.
        """
        around = ((_RIM, _RIM), (_RIM, _RIM))
        image = np.pad(self.image, (*around, (0, 0)), "edge")
        alpha = np.pad(self.alpha, around)
        soft = Image.fromarray(alpha)
        if not ((alpha > 0) & (alpha < 255)).any():
            soft = soft.filter(ImageFilter.GaussianBlur(0.8))  # the steps of whole pixels show
        high, wide = (max(4, round(side * scale)) for side in alpha.shape)
        spread = _spread(image, alpha).resize((wide, high), Image.Resampling.LANCZOS)
        cover = soft.resize((wide, high), Image.Resampling.BILINEAR)
        result = np.empty((high, wide, 4), np.float32)
        result[:, :, :3] = spread
        sharp = (np.asarray(cover, np.float32) / 255 - 0.5) * _SHARPENED + 0.5
        result[:, :, 3] = np.clip(sharp, 0, 1)
        return result


def _spread(image: Pixels, alpha: Pixels) -> Image.Image:
    """Carry the colors of a thing on to its edge, where they are mixed, and beyond."""
    covered = alpha >= 250
    inner = covered.copy()  # what has covered pixels on all sides
    inner[1:-1, 1:-1] &= covered[:-2, 1:-1] & covered[2:, 1:-1]
    inner[1:-1, 1:-1] &= covered[1:-1, :-2] & covered[1:-1, 2:]
    known = next((m for m in (inner, covered) if m.sum() >= 16), alpha >= 128)
    result = image.astype(np.float32)
    for reach in (1, 2, 4, 8, 16, 32):
        weight = _mean(known.astype(np.float32)[:, :, None], reach)
        new = ~known & (weight[:, :, 0] > 1e-6)
        colors = _mean(result * known[:, :, None], reach)
        result[new] = colors[new] / weight[new]
        known = known | new
    return Image.fromarray(np.clip(np.rint(result), 0, 255).astype(np.uint8))


def _mean(planes: Plane, reach: int) -> NDArray[np.float64]:
    """Return the mean over squares of `2 reach + 1` pixels a side; outside there are zeros."""
    result = planes.astype(np.float64)
    width = 2 * reach + 1
    for axis in (0, 1):
        pads = [(0, 0)] * 3
        pads[axis] = (reach + 1, reach)
        sums = np.cumsum(np.pad(result, pads), axis=axis)
        low, high = [slice(None)] * 3, [slice(None)] * 3
        low[axis], high[axis] = slice(None, -width), slice(width, None)
        result = (sums[tuple(high)] - sums[tuple(low)]) / width
    return result
