"""How well a saliency map fits a mask: mean absolute error and F-measure.

    MAE = mean |S - G| over the pixels that count, S in [0, 1], G in {0, 1}
    F   = (1 + beta^2) P R / (beta^2 P + R), beta^2 = 0.3, of the pixels with S >= t

- *Maximal F*: precision and recall at t = 0, 1/255, ..., 1 are averaged over the images, and the F
  of these means is largest at some t.
- *Adaptive F*: each image's t is twice the mean of its map, at most 1; the mean of F over images.

Where no pixel is chosen, precision and F are 0. A truth without foreground has no recall: all but
the MAE is NaN then, left out of the means and counted. Unknown pixels of a map (NaN, outside the
ten crops) are 0. A map of another size is resized to its truth's as masks are (`scores.to_size`);
resize it smoothly beforehand where that matters.

*References*: Achanta et al. 2009, "Frequency-tuned salient region detection" (F, beta^2, twice the
mean); Perazzi et al. 2012, "Saliency filters" (MAE).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import ImageError
from phosphene.segmentation.averages import Mean
from phosphene.segmentation.scores import IGNORED, as_truth, must_agree, to_size

BETA2 = 0.3
"""Precision weighs more than recall, as in Achanta et al."""

THRESHOLDS = np.arange(256) / 255
"""Of the curves: the gray levels of a map of 8 bits."""

Array = NDArray[np.float64]


def mean_absolute_error(map_: Any, truth: Any, ignore: int | None = IGNORED) -> float:
    """Return the mean of |S - G|, in [0, 1].

    Args:
        map_: (h, w) saliencies in [0, 1].
        truth: (h', w'); 0 is background, `ignore` counts nowhere, anything else is foreground.
        ignore: The truth's value that counts nowhere; None if all count.

    Returns:
        The error; NaN if every pixel of the truth is ignored.

    Raises:
        ImageError: The map is no map, or leaves [0, 1].
    """
    return _error(*_counted(map_, truth, ignore))


def precision_recall(map_: Any, truth: Any, ignore: int | None = IGNORED) -> tuple[Array, Array]:
    """Return precision and recall at every threshold.

    Args:
        map_: (h, w) saliencies in [0, 1].
        truth: (h', w'), as for `mean_absolute_error`.
        ignore: The truth's value that counts nowhere; None if all count.

    Returns:
        Precision and recall, each (256,) in [0, 1], of the pixels with S >= `THRESHOLDS`; NaN if
        the truth has no foreground.
    """
    return _curves(*_counted(map_, truth, ignore))


def f_measure(precision: Any, recall: Any, beta2: float = BETA2) -> Array:
    """Return (1 + beta^2) P R / (beta^2 P + R), 0 where both are 0, of the arguments' shape."""
    p, r = np.asarray(precision, dtype=np.float64), np.asarray(recall, dtype=np.float64)
    below = beta2 * p + r
    return np.asarray((1 + beta2) * p * r / np.where(below == 0, 1, below), dtype=np.float64)


def adaptive_f(map_: Any, truth: Any, ignore: int | None = IGNORED, beta2: float = BETA2) -> float:
    """Return the F-measure at twice the map's mean (at most 1), in [0, 1].

    Args:
        map_: (h, w) saliencies in [0, 1].
        truth: (h', w'), as for `mean_absolute_error`.
        ignore: The truth's value that counts nowhere; None if all count.
        beta2: The square of beta.

    Returns:
        F; NaN if the truth has no foreground.
    """
    return _adaptive(*_counted(map_, truth, ignore), beta2)


@dataclass(frozen=True, eq=False)
class MapResult:
    """How well the maps of many images fit.

    Attributes:
        mae: Mean absolute error over images.
        max_f: The largest F of mean precision and mean recall, over thresholds.
        threshold: Where that is, the smallest if there are several.
        adaptive_f: Mean over images of F at twice a map's mean.
        best_f: Mean over images of each image's largest F, at a threshold of its own.
        precision: (256,) mean precision at `THRESHOLDS`.
        recall: (256,) mean recall.
        images: How many images were added.
        left_out: How many of them have no foreground, and so no F.
    """

    mae: float
    max_f: float
    threshold: float
    adaptive_f: float
    best_f: float
    precision: Array
    recall: Array
    images: int
    left_out: int


def _no_curve() -> Array:
    return np.zeros(len(THRESHOLDS))


@dataclass(eq=False)
class MapScores:
    """Scores of saliency maps, gathered image by image.

    Attributes:
        beta2: The square of F's beta.
        ignore: The truths' value that counts nowhere; None if all count.
        error: Absolute errors so far.
        adaptive: Adaptive F so far.
        best: Largest F so far.
        precision: (256,) sum of precisions so far.
        recall: (256,) sum of recalls so far.
    """

    beta2: float = BETA2
    ignore: int | None = IGNORED
    error: Mean = field(default_factory=Mean)
    adaptive: Mean = field(default_factory=Mean)
    best: Mean = field(default_factory=Mean)
    precision: Array = field(default_factory=_no_curve)
    recall: Array = field(default_factory=_no_curve)

    def add(self, map_: Any, truth: Any) -> None:
        """Score the map of one image, and count it.

        Args:
            map_: (h, w) saliencies in [0, 1].
            truth: (h', w'), as for `mean_absolute_error`.
        """
        values, foreground = _counted(map_, truth, self.ignore)
        precision, recall = _curves(values, foreground)
        self.error.add(_error(values, foreground))
        self.adaptive.add(_adaptive(values, foreground, self.beta2))
        self.best.add(float(f_measure(precision, recall, self.beta2).max()))
        if foreground.any():
            self.precision = self.precision + precision
            self.recall = self.recall + recall

    def __add__(self, other: MapScores) -> MapScores:
        """Return the scores of both together; neither changes."""
        must_agree(self.beta2, other.beta2, "beta2")
        must_agree(self.ignore, other.ignore, "ignored values")
        return MapScores(
            self.beta2,
            self.ignore,
            self.error + other.error,
            self.adaptive + other.adaptive,
            self.best + other.best,
            self.precision + other.precision,
            self.recall + other.recall,
        )

    def result(self) -> MapResult:
        """Average what was added."""
        count = self.best.count or math.nan
        precision, recall = self.precision / count, self.recall / count
        curve = f_measure(precision, recall, self.beta2)
        at = int(curve.argmax())
        return MapResult(
            self.error.value,
            float(curve[at]),
            float(THRESHOLDS[at]) if self.best.count else math.nan,
            self.adaptive.value,
            self.best.value,
            precision,
            recall,
            self.best.count + self.best.left_out,
            self.best.left_out,
        )


def _counted(map_: Any, truth: Any, ignore: int | None) -> tuple[Array, NDArray[np.bool_]]:
    """Return saliencies and foreground on the pixels that count, each (n,)."""
    values = np.asarray(map_)
    if values.ndim != 2 or not values.size or values.dtype.kind not in "buif":
        raise ImageError(
            f"an array of shape {values.shape} and type {values.dtype} is no saliency map: give "
            "(height, width) numbers in [0, 1]"
        )
    known = np.where(np.isnan(values), 0, values).astype(np.float64)
    if known.min() < 0 or known.max() > 1:
        raise ImageError(
            f"the saliency map runs from {known.min():g} to {known.max():g}: bring it to [0, 1]"
        )
    foreground, counts = as_truth(truth, ignore)
    size = (foreground.shape[0], foreground.shape[1])
    return to_size(known, size)[counts], foreground[counts]


def _error(values: Array, foreground: NDArray[np.bool_]) -> float:
    if not values.size:
        return math.nan
    return math.fsum(np.abs(values - foreground)) / values.size


def _curves(values: Array, foreground: NDArray[np.bool_]) -> tuple[Array, Array]:
    if not foreground.any():
        nothing = np.full(len(THRESHOLDS), np.nan)
        return nothing, nothing
    # The last threshold each pixel reaches, put right where the product was rounded; then the
    # pixels above a threshold are sums from the end.
    reached = np.floor(values * 255).astype(np.int64)
    reached -= THRESHOLDS[reached] > values
    reached += THRESHOLDS[np.minimum(reached + 1, 255)] <= values
    np.minimum(reached, 255, out=reached)
    chosen, right = (
        np.bincount(part, minlength=len(THRESHOLDS))[::-1].cumsum()[::-1]
        for part in (reached, reached[foreground])
    )
    return right / np.maximum(chosen, 1), right / foreground.sum()


def _adaptive(values: Array, foreground: NDArray[np.bool_], beta2: float) -> float:
    if not foreground.any():
        return math.nan
    chosen = values >= min(2 * math.fsum(values) / values.size, 1)
    right = int((chosen & foreground).sum())
    precision = right / max(int(chosen.sum()), 1)
    return float(f_measure(precision, right / int(foreground.sum()), beta2))
