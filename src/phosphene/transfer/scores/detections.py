"""How well objects were detected, as the development kit of PASCAL VOC counts.

Class by class: detections are taken best first. Each looks at the object of its photograph and
class that it overlaps most; where that is by half of their union or more, the detection is

    not counted          if the object is difficult,
    right                if the object was not found before,
    wrong                if it was (each object is found once),

and wrong where it is less. Average precision ranks what is counted; objects that are not difficult
are what there is to be found.

Reference:
    M. Everingham et al., *The PASCAL Visual Object Classes Challenge*, IJCV 2010; `VOCevaldet.m`.

py-faster-rcnn's rewriting asks for more than half; the kit for half or more, which is followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import SettingError
from phosphene.transfer.benchmarks.records import Boxes
from phosphene.transfer.scores.average_precision import average_precision

LEAST_OVERLAP = 0.5


@dataclass(frozen=True, eq=False)
class Detections:
    """What was detected in photographs.

    Attributes:
        photographs: (n,) int64, number of the photograph.
        classes: (n,) int64.
        corners: (n, 4) float64: left, top, right, bottom; see `records.Boxes`.
        scores: (n,) float64, higher for what is rather there.
    """

    photographs: NDArray[np.int64]
    classes: NDArray[np.int64]
    corners: NDArray[np.float64]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, which: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Detections:
        return Detections(
            self.photographs[which], self.classes[which], self.corners[which], self.scores[which]
        )

    @classmethod
    def together(cls, parts: Sequence[Detections]) -> Detections:
        """Put detections behind each other."""
        if not parts:
            none = np.zeros(0, np.int64)
            return cls(none, none.copy(), np.zeros((0, 4)), np.zeros(0))
        return cls(
            np.concatenate([part.photographs for part in parts]),
            np.concatenate([part.classes for part in parts]),
            np.concatenate([part.corners for part in parts]),
            np.concatenate([part.scores for part in parts]),
        )


@dataclass(frozen=True)
class ClassScore:
    """How well objects of a class were detected.

    Attributes:
        objects: How many there are to be found.
        detections: How many counted.
        right: How many of these were right.
        eleven_point: Average precision of VOC 2007; NaN if there are no objects.
        all_point: Average precision of VOC 2010 and later; NaN if there are no objects.
    """

    objects: int
    detections: int
    right: int
    eleven_point: float
    all_point: float


def overlaps(boxes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return intersection over union of every box with every other.

    Args:
        boxes: (n, 4): left, top, right, bottom.
        others: (m, 4).

    Returns:
        (n, m), in [0, 1]; 0 where both are empty.

    >>> overlaps(np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2], [5, 5, 6, 6]])).round(3)
    array([[0.333, 0.   ]])
    """
    boxes, others = np.asarray(boxes, np.float64), np.asarray(others, np.float64)
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    both = (high - low).clip(0).prod(2)
    either = _area(boxes)[:, None] + _area(others)[None] - both
    shared: NDArray[np.float64] = np.divide(both, either, out=np.zeros_like(both), where=either > 0)
    return shared


def matched(
    found: Detections, truth: Sequence[Boxes], class_: int, least: float = LEAST_OVERLAP
) -> tuple[NDArray[np.int8], int]:
    """Match the detections of a class to its objects.

    Args:
        found: Detections of this class, best first.
        truth: The objects of every photograph.
        class_: The class.
        least: Overlap of a right detection with its object.

    Returns:
        (n,), 1 for right, 0 for wrong, -1 for what does not count; and how many objects there are
        to be found.
    """
    own = [boxes.classes == class_ for boxes in truth]
    total = sum(int((~b.difficult[o]).sum()) for b, o in zip(truth, own, strict=True))
    verdicts = np.zeros(len(found), np.int8)
    # One photograph after another: within each the best still come first.
    order = np.argsort(found.photographs, kind="stable")
    ends = np.flatnonzero(np.diff(found.photographs[order])) + 1
    for rows in np.split(order, ends):
        if not len(rows):
            continue
        number = int(found.photographs[rows[0]])
        objects, difficult = (
            truth[number].corners[own[number]],
            truth[number].difficult[own[number]],
        )
        if not len(objects):
            continue
        shared = overlaps(found.corners[rows], objects)
        nearest = shared.argmax(1)
        met = shared[np.arange(len(rows)), nearest] >= least
        seen = np.zeros(len(objects), bool)
        for row, at, is_met in zip(rows, nearest, met, strict=True):
            if is_met and difficult[at]:
                verdicts[row] = -1
            elif is_met and not seen[at]:
                seen[at], verdicts[row] = True, 1
    return verdicts, total


def class_scores(
    found: Detections, truth: Sequence[Boxes], classes: Sequence[str], least: float = LEAST_OVERLAP
) -> dict[str, ClassScore]:
    """Score the detections of every class.

    Detections of one class with the same score are taken in the order given, as the kit does.

    Args:
        found: All detections.
        truth: The objects of every photograph.
        classes: Names of the classes.
        least: Overlap of a right detection with its object.

    Raises:
        SettingError: Something was detected in a photograph that there is not.
    """
    if len(found) and not 0 <= found.photographs.min() <= found.photographs.max() < len(truth):
        raise SettingError(
            f"objects were detected in photograph {int(found.photographs.max())}, and objects are "
            f"known of {len(truth)}: give what is known of all"
        )
    return {
        name: _class_score(found[found.classes == index], truth, index, least)
        for index, name in enumerate(classes)
    }


def _class_score(
    found: Detections, truth: Sequence[Boxes], class_: int, least: float
) -> ClassScore:
    found = found[np.argsort(-found.scores, kind="stable")]
    verdicts, total = matched(found, truth, class_, least)
    # By rank, so that equal scores enter one after another.
    ranks = -np.arange(len(found), dtype=np.float64)
    nothing = float("nan")
    return ClassScore(
        total,
        int((verdicts >= 0).sum()),
        int((verdicts == 1).sum()),
        average_precision(ranks, verdicts, "11-point", total) if total else nothing,
        average_precision(ranks, verdicts, "all-point", total) if total else nothing,
    )


def _area(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    area: NDArray[np.float64] = (boxes[:, 2:] - boxes[:, :2]).clip(0).prod(1)
    return area
