"""What a retrained softmax is told: the paper's constants, and what it leaves to us."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from phosphene.errors import SettingError
from phosphene.training.settings import check_least, plain

Teacher = Literal["softmax", "logistic", "svm"]
Reading = Literal["whole", "mean"]
Scaling = Literal["deviation", "length", "none"]


@dataclass(frozen=True, kw_only=True)
class RetrainedSetting:
    """How a classifier is put on a frozen layer and taught from a few photographs of each class.

    Zeiler & Fergus (ECCV 2014), section 5.2 of the published paper: layers 1 to 7 stay as they are,
    and a softmax is taught on top; 15 or 30 photographs of each class of Caltech-101 to learn from
    and at most 50 others to be tested with (15 to 60 of Caltech-256), five times over; the mean
    over classes of the share that is right. How the softmax was taught the paper does not say:
    `rate`, `momentum` and `batch` are those of its networks, the rest is ours.

    Attributes:
        layer: The layer that is classified by.
        counts: Of how many photographs of each class is learned, in turn: figure 9's curve.
        tested: With how many others at most it is tested, of each class; all if `None`.
        splits: How often photographs are drawn anew.
        teacher: `"softmax"`, taught by our training loop; or, quick for small sets, scikit-learn's
            `"logistic"` regression or linear `"svm"` (one against the rest, squared hinge), whose C
            is chosen on a part of the training photographs.
        reading: Of maps: `"whole"`, all their numbers, as in the paper, or their `"mean"`.
        scaling: Of features, by training photographs: each number by its `"deviation"`, about its
            mean; each photograph's by their `"length"`; or `"none"`. Not said in the paper.
        cs: Among which C is chosen.
        held_out: On what share of the training photographs, of every class one at least.
        updates: Of the softmax, for each split.
        batch: Photographs of a batch; all, if there are fewer.
        rate: Step length; a tenth behind half, and a hundredth behind three quarters, of updates.
        momentum: See `training.recipe.sgd`.
        decay: Of weights.
        deviation: Of the softmax's initial weights, normal with mean 0.
        seed: Of all that is random.
    """

    layer: str
    counts: tuple[int, ...] = (15, 30)
    tested: int | None = 50
    splits: int = 5
    teacher: Teacher = "softmax"
    reading: Reading = "whole"
    scaling: Scaling = "deviation"
    cs: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    held_out: float = 0.2
    updates: int = 2000
    batch: int = 128
    rate: float = 0.01
    momentum: float = 0.9
    decay: float = 5e-4
    deviation: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            SettingError: One cannot be.
        """
        least: dict[str, float] = {
            "tested": 1, "splits": 1, "updates": 1, "batch": 1, "momentum": 0, "decay": 0,
            "deviation": 0, "seed": 0,
        }  # fmt: skip
        check_least(self, least)
        if not self.counts or min(self.counts) < 1 or list(self.counts) != sorted(set(self.counts)):
            raise SettingError(
                f"counts {self.counts} of photographs to learn from: give one or more, each 1 or "
                "more, in rising order"
            )
        if not self.cs or not min(self.cs) > 0:
            raise SettingError(f"cs {self.cs}: give one or more, each above 0")
        if not 0 < self.held_out < 1:
            raise SettingError(f"a share of {self.held_out:g} cannot be held out: give 0.2, say")
        if not self.rate > 0:
            raise SettingError(f"a rate of {self.rate:g} learns nothing: give one above 0")
        for name, value, known in (
            ("teacher", self.teacher, get_args(Teacher)),
            ("reading", self.reading, get_args(Reading)),
            ("scaling", self.scaling, get_args(Scaling)),
        ):
            if value not in known:
                raise SettingError(f"{name} {value!r} is none of {', '.join(known)}")
        if not self.layer:
            raise SettingError("no layer was given to be classified by: name one")

    def facts(self) -> dict[str, Any]:
        """Return all attributes, as JSON has them."""
        return plain(self)


PRESETS: dict[str, dict[str, Any]] = {
    "caltech-101": {"counts": (15, 30)},
    "caltech-256": {"counts": (15, 30, 45, 60)},
}
"""What each data set of the paper is learned from."""
