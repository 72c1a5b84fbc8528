"""What a classification is told: the protocol's constants, and what the facts leave to us."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from phosphene.errors import SettingError, nearest
from phosphene.training.settings import check_least, plain
from phosphene.transfer.classification.crops import Way
from phosphene.transfer.classification.losses import Kind
from phosphene.transfer.scores.average_precision import Definition


@dataclass(frozen=True, kw_only=True)
class ClassificationSetting:
    """How a network is taught which classes a photograph shows, and tested.

    The numbers are those of Kraehenbuehl et al. (ICLR 2016) by their code for VOC 2007, which the
    thesis follows in the version of Larsson et al. (CVPR 2017); where these two differ, the
    attributes say so.

    Attributes:
        layer: The layer that is classified by: maps are averaged over their places, vectors taken
            as they are.
        frozen: Whether the network stays as it is, without dropout, and the new layer alone learns.
        loss: `"sigmoid"` (both codes') or `"softmax"` (the thesis's words); see `losses`.
        way: Of crops, `"padded"` (Larsson's) or `"inside"` (Kraehenbuehl's); see `crops`.
        size: Side of the crops, pixels; the network's own input if `None` (227 or 224 there).
        scales: Of the photographs, or of the crops; see `crops`.
        mirror: Whether half of the crops are mirrored.
        tests: Crops by which a photograph is tested; their scores are averaged.
        tie: Taken off the scores of classes that are present before they are ranked, so that ties
            count as errors.
        definition: Of average precision; scikit-learn's in both codes, and not VOC 2007's.
        batch: Crops of a batch, of all processes together.
        updates: Of the whole run.
        rate: Step length.
        drop: What it is multiplied with ...
        drop_every: ... behind every so many updates.
        momentum: See `training.recipe.sgd`.
        decay: Of weights and biases; Larsson's leaves biases out.
        biases: By what rate and decay are multiplied of biases. Larsson's do not learn faster.
        clip: Longest gradient, over all weights as Caffe has it; Larsson's is of each tensor.
        deviation: Of the new layer's initial weights, normal with mean 0.
        bias: Of its initial biases.
        renewed: Layers of the network that begin anew, like the new layer.
        padding: Pixels by which the first convolution pads, if not its own: networks of chapter 4
            keep their 100 (see `zoo.fcn.pad_first`).
        rebalance: Whether weights are first rescaled so that all layers change at the same rate
            (see `rebalancing`); the thesis did not profit by it.
        standardize: Whether before that every unit is brought to mean 0 and variance 1, which
            changes what the network does.
        rebalance_by: Crops by which both is done.
        seed: Of all that is random.
    """

    layer: str
    frozen: bool = False
    loss: Kind = "sigmoid"
    way: Way = "padded"
    size: int | None = None
    scales: tuple[float, float] = (0.5, 2.0)
    mirror: bool = True
    tests: int = 10
    tie: float = 1e-5
    definition: Definition = "sum"
    batch: int = 16
    updates: int = 80_000
    rate: float = 1e-3
    drop: float = 0.5
    drop_every: int = 10_000
    momentum: float = 0.9
    decay: float = 1e-6
    biases: tuple[float, float] = (2.0, 1.0)
    clip: float | None = 10.0
    deviation: float = 0.01
    bias: float = 0.1
    renewed: tuple[str, ...] = ()
    padding: int | None = None
    rebalance: bool = False
    standardize: bool = False
    rebalance_by: int = 160
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            SettingError: One cannot be.
        """
        least: dict[str, float] = {
            "size": 1, "tests": 1, "tie": 0, "batch": 1, "updates": 1, "drop_every": 1,
            "deviation": 0, "padding": 0, "rebalance_by": 1, "decay": 0, "momentum": 0, "seed": 0,
        }  # fmt: skip
        check_least(self, least)
        if not self.rate > 0:
            raise SettingError(f"a rate of {self.rate:g} learns nothing: give one above 0")
        if not 0 < self.scales[0] <= self.scales[1]:
            raise SettingError(f"scales {self.scales} are no range above 0: give (0.5, 2), say")
        for name, value, known in (
            ("loss", self.loss, get_args(Kind)),
            ("way", self.way, get_args(Way)),
            ("definition", self.definition, get_args(Definition)),
        ):
            if value not in known:
                raise SettingError(f"{name} {value!r} is none of {', '.join(known)}")
        if not self.layer:
            raise SettingError("no layer was given to be classified by: name one")

    @classmethod
    def preset(cls, name: str, layer: str, **others: Any) -> ClassificationSetting:
        """Return the setting of an experiment.

        Args:
            name: `"thesis"` for chapter 3, or `"s3"` for chapter 4, which learns twice as long.
            layer: The layer that is classified by.
            others: What is to be otherwise.

        Raises:
            SettingError: There is no such preset.

        >>> ClassificationSetting.preset("s3", "relu7").updates
        160000
        """
        if name not in PRESETS:
            known = ", ".join(PRESETS)
            raise SettingError(f"there is no preset {name!r}{nearest(name, PRESETS)}; take {known}")
        return cls(**{**PRESETS[name], "layer": layer, **others})

    @property
    def drops(self) -> tuple[int, ...]:
        """After which updates the rate falls."""
        return tuple(range(self.drop_every, self.updates, self.drop_every))

    def facts(self) -> dict[str, Any]:
        """Return all attributes, as JSON has them."""
        return plain(self)


PRESETS: dict[str, dict[str, Any]] = {
    "thesis": {},
    "s3": {"updates": 160_000, "drop_every": 20_000},
}
"""What is otherwise in each experiment of the thesis."""
