"""Average precision: how well scores rank what is there above what is not.

Going down the scores, h_k of the first n_k are right; of all P that are there,

    recall R_k = h_k / P,   precision P_k = h_k / n_k,

one pair for each distinct score (Everingham et al., IJCV 2010). Three numbers go by the name:

    "sum"        sum_k (R_k - R_k-1) P_k, as scikit-learn has it;
    "11-point"   mean over r = 0, 0.1, ..., 1 of max_{k: R_k >= r} P_k, of VOC 2007 (0 where recall
                 does not get so far);
    "all-point"  sum_k (R_k - R_k-1) max_{l >= k} P_l, of VOC 2010 and later.

Departures from VOC's development kit: what scores the same enters together, as in scikit-learn,
where the kit takes it in the order of the list; and whether R_k >= r is asked of whole numbers
(10 h_k >= 10 r P), where the kit's decimals can miss it by a rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import NotFinite, SettingError

Definition = Literal["sum", "11-point", "all-point"]
_POINTS = 10


def average_precision(
    scores: NDArray[Any],
    present: NDArray[Any],
    definition: Definition = "sum",
    total: int | None = None,
) -> float:
    """Return the average precision of one class.

    Args:
        scores: (n,), higher for what is rather there.
        present: (n,), 1 (or true) for what is there, 0 for what is not, -1 for what does not count.
        definition: Which of the three.
        total: How much there is to be found, where not all of it has a score (a detector may miss
            objects); as much as is in `present` if `None`.

    Returns:
        A number in [0, 1].

    Raises:
        SettingError: There is nothing to be found, or less than was found.
        NotFinite: A score is no number.

    >>> average_precision(np.array([0.9, 0.8, 0.7]), np.array([1, 0, 1])).__round__(4)
    0.8333
    """
    if definition not in get_args(Definition):
        raise SettingError(f"{definition!r} is none of {', '.join(get_args(Definition))}")
    hits, found = _ranked(np.asarray(scores), np.asarray(present))
    there = int(hits[-1]) if total is None and len(hits) else total or 0
    if there < 1 or (len(hits) and hits[-1] > there):
        raise SettingError(
            f"average precision over {there} that are there, of which "
            f"{int(hits[-1]) if len(hits) else 0} were scored, is not defined: give one or more"
        )
    if not len(hits):
        return 0.0
    precision = hits / found
    if definition == "11-point":
        reached = [precision[_POINTS * hits >= at * there] for at in range(_POINTS + 1)]
        return float(np.mean([each.max(initial=0.0) for each in reached]))
    if definition == "all-point":
        precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(hits, prepend=0) / there * precision).sum())


@dataclass(frozen=True)
class Precisions:
    """Average precision of several classes.

    Attributes:
        by_class: Of every class that has anything to be found.
        left_out: Names of the classes that have nothing, for which it is not defined.
    """

    by_class: Mapping[str, float]
    left_out: tuple[str, ...] = ()

    @property
    def mean(self) -> float:
        """Mean over the classes that have anything to be found."""
        return float(np.mean(list(self.by_class.values())))

    @property
    def note(self) -> str:
        """Say what was left out; empty for nothing."""
        if not self.left_out:
            return ""
        return (
            f"no photograph that is tested shows {', '.join(self.left_out)}: the mean is over the "
            f"other {len(self.by_class)} classes"
        )


def average_precisions(
    scores: NDArray[Any],
    present: NDArray[Any],
    classes: Sequence[str],
    definition: Definition = "sum",
) -> Precisions:
    """Return the average precision of every class.

    Args:
        scores: (n, classes).
        present: (n, classes), 1, 0, or -1 for what does not count.
        classes: Their names.
        definition: Which of the three.

    Raises:
        SettingError: Shapes do not fit, or no class has anything to be found.
        NotFinite: A score is no number.
    """
    if scores.shape != present.shape or scores.shape[1:] != (len(classes),):
        raise SettingError(
            f"scores {scores.shape} and what is present {present.shape} do not fit "
            f"{len(classes)} classes: give (n, classes) of both"
        )
    held = (present == 1).any(axis=0)
    if not held.any():
        raise SettingError("nothing is present of any class: average precision is not defined")
    found = {
        name: average_precision(scores[:, at], present[:, at], definition)
        for at, name in enumerate(classes)
        if held[at]
    }
    return Precisions(found, tuple(name for name in classes if name not in found))


def _ranked(
    scores: NDArray[Any], present: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many are right, and how many there are, down to each distinct score."""
    if scores.ndim != 1 or scores.shape != present.shape:
        raise SettingError(
            f"scores {scores.shape} and what is present {present.shape} do not fit: give (n,) of "
            "both"
        )
    known = present >= 0
    scores, present = scores[known].astype(np.float64), present[known] == 1
    if not np.isfinite(scores).all():
        raise NotFinite("a score is not finite: nothing can be ranked by it")
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True)) if len(order) else order
    hits: NDArray[np.int64] = np.cumsum(present[order], dtype=np.int64)[ends]
    return hits, ends.astype(np.int64) + 1
