"""Mean intersection over union: how well the classes of pixels were found.

With n_ij the number of pixels of class i that were found to be of class j,

    IoU_i = n_ii / (sum_j n_ij + sum_j n_ji - n_ii),   accuracy = sum_i n_ii / sum_ij n_ij,

over all pixels of all photographs together, as the VOC devkit counts them (Everingham et al., IJCV
2010); pixels of unknown class do not count. The mean is over the classes that are there or were
found: of others the devkit has 0 / 0, and torchmetrics leaves them out as well.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import SettingError
from phosphene.transfer.benchmarks.records import UNKNOWN


class Confusion:
    """Counts pixels by their class, and by that which was found.

    Attributes:
        counts: (classes, classes) int64; a row for every true class.

    Args:
        classes: How many there are, the ground included.
        counts: To go on from; zeros if not given.

    >>> counted = Confusion(2)
    >>> counted.add(np.array([[0, 0], [1, 255]]), np.array([[0, 1], [1, 1]]))
    >>> counted.by_class.tolist(), counted.mean, round(counted.accuracy, 3)
    ([0.5, 0.5], 0.5, 0.667)
    """

    def __init__(self, classes: int, counts: NDArray[np.int64] | None = None) -> None:
        self.counts = np.zeros((classes, classes), np.int64) if counts is None else counts.copy()
        if self.counts.shape != (classes, classes):
            raise SettingError(
                f"counts of {self.counts.shape} pixels are not those of {classes} classes"
            )

    def add(self, truth: NDArray[Any], found: NDArray[Any]) -> None:
        """Count the pixels of a photograph.

        Args:
            truth: Their classes, any shape; `UNKNOWN` where they do not count.
            found: What was found, of the same shape.

        Raises:
            SettingError: The shapes differ, or there is no such class.
        """
        if truth.shape != found.shape:
            raise SettingError(
                f"labels of {truth.shape} pixels cannot be compared with {found.shape} that were "
                "found: bring them to one size"
            )
        known = truth != UNKNOWN
        pairs = truth[known].astype(np.int64), found[known].astype(np.int64)
        classes = len(self.counts)
        for what, values in zip(("labels", "what was found"), pairs, strict=True):
            if values.size and not 0 <= values.min() <= values.max() < classes:
                wrong = values[(values < 0) | (values >= classes)][0]
                raise SettingError(
                    f"{what} has class {wrong}, and there are {classes}: give 0 to {classes - 1}, "
                    f"or {UNKNOWN} in labels that are unknown"
                )
        flat = np.bincount(pairs[0] * classes + pairs[1], minlength=classes**2)
        self.counts += flat.reshape(classes, classes)

    @property
    def by_class(self) -> NDArray[np.float64]:
        """(classes,) IoU; NaN for those that are not there and were not found."""
        both = np.diag(self.counts)
        either = self.counts.sum(0) + self.counts.sum(1) - both
        found: NDArray[np.float64] = np.full(len(both), np.nan)
        np.divide(both, either, out=found, where=either > 0)
        return found

    @property
    def mean(self) -> float:
        """Mean IoU; NaN where nothing was counted."""
        known = self.by_class[~np.isnan(self.by_class)]
        return float(known.mean()) if known.size else float("nan")

    @property
    def accuracy(self) -> float:
        """The share of pixels whose class was found; NaN where nothing was counted."""
        total = int(self.counts.sum())
        return float(np.trace(self.counts) / total) if total else float("nan")
