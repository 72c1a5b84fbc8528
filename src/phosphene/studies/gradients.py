"""Naturalness by the statistics of gradients.

Photographs have regular gradient statistics: magnitudes fall off nearly exponentially, and
orientations favour a few directions. How natural a pre-image is, is taken to be the histogram
intersection with the photograph it was made from.

Two histograms are offered. The thesis writes of *magnitudes*; what its figure 5.6 plots, by the
authors' code, is the *orientation*, weighted by the magnitude, which is the default here.

Gradients are Sobel's on gray: MATLAB's `rgb2gray`, rounded to 8 bits, the border replicated, the
direction counted against the clock from the right, as MATLAB's `imgradient` does.

*Reference.* Mahendran, thesis 2018, section 5.4.2.2 and figure 5.6.

*Departures.* The number of bins for magnitudes is not in the text; here they are two gray levels
per pixel wide.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Measure = Literal["orientation", "magnitude"]
Floats = NDArray[np.float64]

ORIENTATIONS = np.arange(-180.0, 181.0, 20.0)
"""Edges in degrees of 18 bins, closed on the right; the first also on the left."""
MAGNITUDES = np.arange(0.0, 183.0, 2.0)
"""Edges of 91 bins, in gray levels per pixel; no image of 8 bits has a gradient above 180.4."""

# Those of MATLAB's rgb2gray.
_GRAY = np.array([0.298936021293775, 0.587043074451121, 0.114020904255104])


def gradient(image: Image.Image | NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Differentiate an image by Sobel's operator.

    Args:
        image: 8-bit RGB, or an array (h, w, 3) of uint8.

    Returns:
        (h, w) derivatives to the right and down, in gray levels per pixel.
    """
    gray = np.floor(_pixels(image).astype(np.float64) @ _GRAY + 0.5)
    around = np.pad(gray, 1, mode="edge")
    smooth_down = around[:-2] + 2 * around[1:-1] + around[2:]
    smooth_across = around[:, :-2] + 2 * around[:, 1:-1] + around[:, 2:]
    right = smooth_down[:, 2:] - smooth_down[:, :-2]
    down = smooth_across[2:] - smooth_across[:-2]
    return right / 8, down / 8  # Sobel's weights span two pixels and add to four


def orientation_histogram(
    image: Image.Image | NDArray[np.uint8], *, stretched: bool = False
) -> Floats:
    """Count gradient orientations, each as much as its gradient is strong.

    Args:
        image: 8-bit RGB.
        stretched: Stretch the image to 0..255 first, as `stretch` does.

    Returns:
        (18,) shares of the bins of `ORIENTATIONS`; all zero for an image without gradients.
    """
    right, down = gradient(stretch(image) if stretched else image)
    degrees = np.degrees(np.arctan2(-down, right))
    bins = np.maximum(np.searchsorted(ORIENTATIONS, degrees, side="left") - 1, 0)
    weights = np.hypot(right, down)
    return _shares(np.bincount(bins.ravel(), weights.ravel(), len(ORIENTATIONS) - 1))


def magnitude_histogram(
    image: Image.Image | NDArray[np.uint8], *, stretched: bool = False
) -> Floats:
    """Count gradient magnitudes.

    Args:
        image: 8-bit RGB.
        stretched: Stretch the image to 0..255 first, as `stretch` does.

    Returns:
        (91,) shares of the bins of `MAGNITUDES`.
    """
    right, down = gradient(stretch(image) if stretched else image)
    bins = np.maximum(np.searchsorted(MAGNITUDES, np.hypot(right, down), side="left") - 1, 0)
    return _shares(np.bincount(bins.ravel(), minlength=len(MAGNITUDES) - 1))


def intersection(one: Floats, other: Floats) -> float:
    """Return the histogram intersection, the sum of the smaller shares: 0 to 1."""
    return float(np.minimum(one, other).sum())


def naturalness(
    reference: Image.Image | NDArray[np.uint8],
    image: Image.Image | NDArray[np.uint8],
    measure: Measure = "orientation",
    *,
    stretched: bool = False,
) -> float:
    """Say how much an image's gradients are distributed as a photograph's.

    Args:
        reference: The photograph, as the network was shown it; 8-bit RGB.
        image: The pre-image; 8-bit RGB.
        measure: Which histogram: `orientation`, which the thesis plots, or `magnitude`, of which
            it writes.
        stretched: Stretch the pre-image to 0..255, as the authors' code did by saving it so.

    Returns:
        The histogram intersection, 0 to 1. It is 0 where one of the two is flat and orientations
        are compared.
    """
    histogram = {"orientation": orientation_histogram, "magnitude": magnitude_histogram}[measure]
    return intersection(histogram(reference), histogram(image, stretched=stretched))


def stretch(image: Image.Image | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Map the smallest value of the whole image to 0 and the largest to 255.

    Args:
        image: 8-bit RGB; all three channels are stretched alike.

    Returns:
        (h, w, 3); a flat image as it is.
    """
    pixels = _pixels(image)
    low, high = int(pixels.min()), int(pixels.max())
    if low == high:
        return pixels
    wide = (pixels.astype(np.float64) - low) * 255 / (high - low)
    return np.floor(wide + 0.5).astype(np.uint8)


def _pixels(image: Image.Image | NDArray[Any]) -> NDArray[np.uint8]:
    rgb = image.convert("RGB") if isinstance(image, Image.Image) else image
    pixels = np.asarray(rgb)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(
            f"an 8-bit image (h, w, 3) is needed, and {pixels.dtype} {pixels.shape} was given"
        )
    return pixels


def _shares(counts: NDArray[Any]) -> Floats:
    total = float(counts.sum())
    return counts / total if total else np.zeros(len(counts))
