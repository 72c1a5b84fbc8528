"""A linear classifier of pixels, and how well it ranks and cuts them out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import SettingError

CS = (1e-4, 1e-2, 1.0)
_FOLDS = 3
_MOST_STEPS = 400

Values = NDArray[np.float64]
Features = NDArray[np.float32] | Values


@dataclass(frozen=True, eq=False)
class Linear:
    """A linear classifier of standardized features.

    Attributes:
        mean: (d,) of the features.
        deviation: (d,) of them; 1 where they do not vary.
        weight: (d,).
        bias: A number.
    """

    mean: Values
    deviation: Values
    weight: Values
    bias: float

    @classmethod
    def fitted(cls, x: Features, y: NDArray[np.bool_], c: float) -> Linear:
        """Fit one: (n, d) features, (n,) whether they are in front.

        Raises:
            SettingError: All are, or none.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        if y.all() or not y.any():
            which = "all" if y.any() else "none"
            raise SettingError(
                f"of the training pixels {which} are in front: nothing can be told apart; give "
                "frames that show both, with labels"
            )
        mean: Values = x.mean(0, dtype=np.float64)
        deviation: Values = x.std(0, dtype=np.float64)
        deviation = np.where(deviation > 1e-9 * (1 + np.abs(mean)), deviation, 1.0)
        made = LogisticRegression(C=c, class_weight="balanced", max_iter=_MOST_STEPS, tol=1e-5)
        with warnings.catch_warnings():
            # What has not settled after so many steps ranks pixels as well.
            warnings.simplefilter("ignore", ConvergenceWarning)
            made.fit(((x - mean) / deviation).astype(x.dtype), y)
        return cls(mean, deviation, made.coef_[0].astype(np.float64), float(made.intercept_[0]))

    def __call__(self, x: Features) -> Values:
        """Score (n, d) features: (n,), above 0 for what is rather in front."""
        scores: Values = (x - self.mean) / self.deviation @ self.weight + self.bias
        return scores


def left_out_scores(x: Features, y: NDArray[np.bool_], part: NDArray[np.intp], c: float) -> Values:
    """Score pixels by what was learned from the other parts: (n,); NaN where that cannot be.

    Args:
        x: (n, d) features.
        y: (n,) whether they are in front.
        part: (n,) which part each belongs to (`parts_of`).
        c: C of the regression.
    """
    scores = np.full(len(x), np.nan)
    for each in np.unique(part):
        inside = part != each
        if y[inside].any() and not y[inside].all():
            scores[~inside] = Linear.fitted(x[inside], y[inside], c)(x[~inside])
    return scores


def parts_of(sequences: Sequence[str]) -> NDArray[np.intp]:
    """Divide pixels into three parts, or two, so that sequences stay whole: (n,)."""
    names = list(dict.fromkeys(sequences))
    return np.array([names.index(name) % min(_FOLDS, len(names)) for name in sequences], np.intp)


def chosen_c(x: Features, y: NDArray[np.bool_], sequences: Sequence[str]) -> float:
    """Choose C by how well it ranks pixels of sequences that were left out, in three parts.

    With a single sequence there is nothing to leave out, and C is the middle one.
    """
    part = parts_of(sequences)
    found = []
    for c in CS:
        scores = left_out_scores(x, y, part, c)
        told = [
            k
            for k in np.unique(part)
            if y[part == k].any() and not np.isnan(scores[part == k]).any()
        ]
        each = [average_precision(scores[part == k], y[part == k]) for k in told]
        found.append(float(np.mean(each)) if each else np.nan)
    return CS[int(np.argmax(found))] if np.isfinite(found).all() else CS[len(CS) // 2]


def chosen_threshold(
    model: Linear, x: Features, y: NDArray[np.bool_], sequences: Sequence[str], c: float
) -> float:
    """Choose from which score on pixels count as in front, by training pixels.

    Those of sequences are scored by what was learned without them, as a model of many features
    knows its own training pixels by heart; with a single sequence by the model itself.
    """
    scores = left_out_scores(x, y, parts_of(sequences), c)
    known = ~np.isnan(scores)
    if not y[known].any():
        return best_threshold(model(x), y)
    return best_threshold(scores[known], y[known])


def average_precision(scores: Values, y: NDArray[np.bool_]) -> float:
    """Return sum_k (R_k - R_k-1) P_k over the distinct scores; NaN if nothing is in front."""
    if not y.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    hits = np.cumsum(y[order])[ends]
    gained = np.diff(hits, prepend=0) / y.sum()
    return float((gained * hits / (ends + 1)).sum())


def best_threshold(scores: Values, y: NDArray[np.bool_]) -> float:
    """Return the score from which on pixels count as in front, for the largest IoU."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    hits = np.cumsum(y[order])[ends]
    union = y.sum() + (ends + 1) - hits
    return float(scores[order][ends[int(np.argmax(hits / union))]])


def iou(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Return intersection over union; NaN where both are empty."""
    union = int((found | truth).sum())
    return float((found & truth).sum() / union) if union else float("nan")
