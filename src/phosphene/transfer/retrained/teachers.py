"""Classifiers of features: a softmax taught by our loop, and scikit-learn's, quick for small sets.

The softmax is multinomial logistic regression, W x + b behind a cross entropy. All look at features
that are scaled by the training photographs alone. Rows are read as they are needed, so that
features may lie in a file; scikit-learn's need the training rows at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.training import loop
from phosphene.training.batches import Shuffled
from phosphene.training.recipe import Recipe, drops, sgd
from phosphene.transfer.retrained.settings import RetrainedSetting, Scaling

_AT_ONCE = 1024
_MOST_STEPS = 1000

Values = NDArray[np.float32]
Classes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Scale:
    """How features are scaled: `(x - mean) * gain`, or by their length.

    Attributes:
        way: Of these.
        mean: (d,).
        gain: (d,); 0 for what does not vary.
    """

    way: Scaling
    mean: Values
    gain: Values

    @classmethod
    def of(cls, values: Values, rows: Classes, way: Scaling) -> Scale:
        """Measure rows of features, (n, d), a part at a time."""
        d = values.shape[1]
        if way != "deviation":
            return cls(way, np.zeros(d, np.float32), np.ones(d, np.float32))
        mean = sum(_sum(values[part]) for part in _parts(rows)) / len(rows)
        square = sum(_sum((values[part] - mean) ** 2) for part in _parts(rows)) / len(rows)
        deviation = np.sqrt(square)
        varies = deviation > 1e-6 * (1 + np.abs(mean))
        gain = np.where(varies, 1 / np.where(varies, deviation, 1), 0)
        return cls(way, mean.astype(np.float32), gain.astype(np.float32))

    def __call__(self, x: Values) -> Values:
        """Scale features, (n, d)."""
        if self.way == "length":
            length = np.linalg.norm(x, axis=1, keepdims=True)
            return np.asarray(x / np.maximum(length, 1e-12), np.float32)
        return x if self.way == "none" else (x - self.mean) * self.gain

    def tensor(self, x: Tensor) -> Tensor:
        """Do the same with a tensor."""
        if self.way == "length":
            return F.normalize(x, dim=1)
        if self.way == "none":
            return x
        mean, gain = torch.from_numpy(self.mean), torch.from_numpy(self.gain)
        return (x - mean.to(x)) * gain.to(x)


def answers(
    setting: RetrainedSetting,
    values: Values,
    class_of: Classes,
    train: Classes,
    tested: Values,
    test: Classes,
    *,
    classes: int,
    fabric: Any,
    tick: loop.Tick | None = None,
) -> tuple[Classes | None, str]:
    """Teach a classifier from some rows of features, and ask it for others.

    Args:
        setting: How.
        values: (n, d) features.
        class_of: (n,) their classes.
        train: Rows of them to learn from.
        tested: (m, d) features.
        test: Rows of them to be tested with.
        classes: How many there are.
        fabric: Of `training.processes.fabric_of`, for one process.
        tick: Called with the softmax's updates.

    Returns:
        The classes of the tested rows, `None` if it was stopped by hand; and what was chosen.

    Raises:
        NotFinite: The softmax diverged.
    """
    scale = Scale.of(values, train, setting.scaling)
    if setting.teacher == "softmax":
        learned = _softmax(setting, scale, values, class_of, train, classes, fabric, tick)
        if learned is None:
            return None, ""
        learned = learned.cpu()
        with torch.no_grad():
            each = [
                learned(torch.from_numpy(scale(tested[part]))).argmax(1).numpy()
                for part in _parts(test)
            ]
        return np.concatenate(each), ""
    x, y = scale(values[train]), class_of[train]
    c = _chosen_c(setting, x, y)
    model = _fitted(setting, x, y, c)
    return np.concatenate([model.predict(scale(tested[p])) for p in _parts(test)]), f"C {c:g}"


def right_by_class(found: Classes, truth: Classes, classes: int) -> NDArray[np.float64]:
    """Return the share that is right, of every class: (classes,)."""
    right = np.bincount(truth, weights=found == truth, minlength=classes)
    return np.asarray(right / np.bincount(truth, minlength=classes), np.float64)


def _softmax(
    setting: RetrainedSetting,
    scale: Scale,
    values: Values,
    class_of: Classes,
    train: Classes,
    classes: int,
    fabric: Any,
    tick: loop.Tick | None,
) -> nn.Linear | None:
    layer = nn.Linear(values.shape[1], classes)
    generator = torch.Generator().manual_seed(setting.seed)
    nn.init.normal_(layer.weight, std=setting.deviation, generator=generator)
    nn.init.zeros_(layer.bias)
    layer.to(fabric.device)
    whole, known = torch.from_numpy(values), torch.from_numpy(class_of)

    def loss(module: nn.Module, batch: tuple[Tensor]) -> Tensor:
        rows = batch[0]
        x = scale.tensor(whole[rows].to(fabric.device))
        return F.cross_entropy(module(x), known[rows].to(fabric.device))

    updates = setting.updates
    # An epoch is the whole run: batches go through the photographs again and again.
    batches = _Endless(
        torch.from_numpy(train), min(setting.batch, len(train)), updates, setting.seed
    )
    recipe = Recipe(
        1,
        sgd(setting.rate, setting.decay, setting.momentum, biases=(1.0, 0.0)),
        drops((updates // 2, updates * 3 // 4)),
        seed=setting.seed,
    )
    trained = loop.train(layer, batches, loss, recipe, fabric=fabric, tick=tick)
    return None if trained.interrupted else layer.eval()


class _Endless:
    """Rows in an order of its own every pass, as many batches as updates."""

    def __init__(self, rows: Tensor, size: int, updates: int, seed: int) -> None:
        self._passes, self._updates = Shuffled(rows, size=size, seed=seed), updates

    def __len__(self) -> int:
        return self._updates

    def epoch(self, number: int, start: int = 0) -> Iterator[tuple[Tensor, ...]]:
        each = len(self._passes)
        for update in range(start, self._updates, each):
            yield from list(self._passes.epoch(update // each))[: self._updates - update]


def _fitted(setting: RetrainedSetting, x: Values, y: Classes, c: float) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    if setting.teacher == "svm":
        model = LinearSVC(C=c, dual="auto", random_state=setting.seed, max_iter=_MOST_STEPS)
    else:
        model = LogisticRegression(C=c, max_iter=_MOST_STEPS)
    with warnings.catch_warnings():
        # What has not settled after so many steps answers as well.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(x, y)


def _chosen_c(setting: RetrainedSetting, x: Values, y: Classes) -> float:
    """Choose C on training photographs left out; the middle one where a class has but one."""
    counts = np.bincount(y)
    if counts[counts > 0].min() < 2 or len(setting.cs) == 1:
        return setting.cs[len(setting.cs) // 2]
    rng = np.random.default_rng([setting.seed, 2])
    left = np.zeros(len(y), bool)
    for each in np.unique(y):
        own = rng.permutation(np.flatnonzero(y == each))
        left[own[: min(len(own) - 1, max(1, round(setting.held_out * len(own))))]] = True
    classes = int(y.max()) + 1
    scores = []
    for c in setting.cs:
        found = _fitted(setting, x[~left], y[~left], c).predict(x[left])
        scores.append(float(np.nanmean(right_by_class(found, y[left], classes))))
    return setting.cs[int(np.argmax(scores))]


def _parts(rows: Classes) -> Iterator[Classes]:
    for first in range(0, len(rows), _AT_ONCE):
        yield rows[first : first + _AT_ONCE]


def _sum(x: Any) -> Any:
    return np.sum(x, axis=0, dtype=np.float64)
