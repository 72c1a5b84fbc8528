"""The pointing game: does a map's strongest pixel lie on the object?

A point is a hit if it lies on the object, or at most `tolerance` pixels from it (distance between
pixel centers). Per class, hits / (hits + misses); then the mean over classes.

*Reference*: Zhang et al. 2016, "Top-down neural attention by excitation backprop", section 4.1,
with a tolerance of 15 pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from phosphene.errors import ImageError
from phosphene.segmentation.averages import ClassMeans
from phosphene.segmentation.box_scores import AnyBox
from phosphene.segmentation.scores import IGNORED, as_truth, must_agree
from phosphene.segmentation.truths.record import Box

TOLERANCE = 15.0
"""In pixels, as in the paper."""


def strongest(map_: Any, size: tuple[int, int] | None = None) -> tuple[int, int]:
    """Find where a map is largest.

    Args:
        map_: (h, w) numbers; NaN is unknown, and never the largest.
        size: (H, W) of the frame the point is asked in; the map's own if None.

    Returns:
        Row and column of the first such pixel in reading order; in a frame of another size, of
        the pixel in which its center lies.

    Raises:
        ImageError: It is no map, or nothing in it is known.
    """
    array = np.asarray(map_, dtype=np.float64)
    if array.ndim != 2 or not array.size or bool(np.isnan(array).all()):
        raise ImageError(
            f"an array of shape {array.shape} has no strongest pixel: give a (height, width) map "
            "with at least one known value"
        )
    row, column = divmod(int(np.nanargmax(array)), array.shape[1])
    height, width = size or array.shape
    return (
        (2 * row + 1) * height // (2 * array.shape[0]),
        (2 * column + 1) * width // (2 * array.shape[1]),
    )


def on_mask(
    point: tuple[int, int],
    truth: Any,
    tolerance: float = TOLERANCE,
    ignore: int | None = IGNORED,
) -> float:
    """Say whether a point lies on the foreground of a mask, or near it.

    Args:
        point: Row and column.
        truth: (h, w); 0 is background, `ignore` counts nowhere, anything else is foreground.
        tolerance: How far from a foreground pixel a hit may be.
        ignore: The truth's value that counts nowhere; None if all count.

    Returns:
        1 for a hit, 0 for a miss; NaN if the truth has no foreground, or if the point lies on an
        ignored pixel and near no foreground.

    Raises:
        ImageError: The point lies outside the truth.
    """
    foreground, counts = as_truth(truth, ignore)
    (row, column), (height, width) = point, foreground.shape
    if not (0 <= row < height and 0 <= column < width):
        raise ImageError(f"the point {point} lies outside a truth of {height} x {width} pixels")
    if not foreground.any():
        return math.nan
    reach = math.floor(tolerance)
    top, left = max(row - reach, 0), max(column - reach, 0)
    near = foreground[top : row + reach + 1, left : column + reach + 1]
    rows, columns = near.nonzero()
    squared = (rows + top - row) ** 2 + (columns + left - column) ** 2
    if bool((squared <= tolerance**2).any()):
        return 1.0
    return 0.0 if counts[row, column] else math.nan


def on_box(point: tuple[int, int], box: AnyBox, tolerance: float = TOLERANCE) -> float:
    """Say whether a point lies in a box (x1 and y1 outside), or near it: 1 or 0."""
    x0, y0, x1, y1 = box.corners if isinstance(box, Box) else box
    row, column = point
    down = max(y0 - row, row - (y1 - 1), 0)
    right = max(x0 - column, column - (x1 - 1), 0)
    return float(down**2 + right**2 <= tolerance**2)


@dataclass(frozen=True)
class PointingResult:
    """How often maps pointed at the object.

    Attributes:
        share: Mean over classes of each class's share of hits, in [0, 1].
        share_per_image: Share of hits among all images.
        images: How many images were added.
        left_out: How many of them have nothing to point at, or were pointed at an ignored pixel.
        classes: Share of each class, by its name.
    """

    share: float
    share_per_image: float
    images: int
    left_out: int
    classes: dict[str, float]


@dataclass
class PointingGame:
    """Hits and misses, gathered image by image.

    Attributes:
        tolerance: How far from the object a hit may be, in pixels: 15, or 0 to be strict.
        ignore: The truths' value that counts nowhere; None if all count.
        hits: Shares so far.
    """

    tolerance: float = TOLERANCE
    ignore: int | None = IGNORED
    hits: ClassMeans = field(default_factory=ClassMeans)

    def add(self, map_: Any, truth: Any, class_: str = "") -> float:
        """Count where the map of one image points, by a mask.

        Args:
            map_: (h, w) numbers, as for `strongest`.
            truth: (h', w') mask, in whose frame the point is judged.
            class_: The image's class, over which results are averaged.

        Returns:
            As `on_mask`.
        """
        shape = np.shape(truth)
        size = (shape[0], shape[1]) if len(shape) == 2 else None
        hit = on_mask(strongest(map_, size), truth, self.tolerance, self.ignore)
        self.hits.add(hit, class_)
        return hit

    def add_boxes(self, point: tuple[int, int], boxes: Any, class_: str = "") -> float:
        """Count a point of one image, in the boxes' frame: a hit if it lies on or near any."""
        hit = max((on_box(point, box, self.tolerance) for box in boxes), default=math.nan)
        self.hits.add(hit, class_)
        return hit

    def __add__(self, other: PointingGame) -> PointingGame:
        """Return the hits of both together; neither changes."""
        must_agree(self.tolerance, other.tolerance, "tolerances")
        must_agree(self.ignore, other.ignore, "ignored values")
        return PointingGame(self.tolerance, self.ignore, self.hits + other.hits)

    def result(self) -> PointingResult:
        """Average what was added."""
        pooled = self.hits.pooled
        return PointingResult(
            self.hits.per_class,
            pooled.value,
            pooled.count + pooled.left_out,
            pooled.left_out,
            {name: mean.value for name, mean in self.hits.classes.items()},
        )
