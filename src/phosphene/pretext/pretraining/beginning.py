"""What a run begins with: data, a backbone, and a learner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from phosphene.errors import SettingError, first_line, out_of_memory
from phosphene.motion.dataset import Augmentation
from phosphene.pretext.learners import SupervisedLearner
from phosphene.pretext.pair_batches import PairBatches
from phosphene.pretext.pretraining.backbone import Backbone, load_head, open_backbone
from phosphene.pretext.pretraining.opening import Data, open_data
from phosphene.pretext.pretraining.settings import Setting
from phosphene.pretext.pretraining.teaching import freeze_unused, learner_of, use_of
from phosphene.pretext.pretraining.validation import Validation, own_share, some_of

_RESCALED_BY = 64


@dataclass(frozen=True, eq=False)
class Beginning:
    """All that a run begins with.

    Attributes:
        augmentation: What is changed of what is learned from.
        data: What is learned from.
        backbone: What learns.
        learner: It, with what teaches it.
        validation: What says how good it is; `None` for nothing.
    """

    augmentation: Augmentation
    data: Data
    backbone: Backbone
    learner: nn.Module
    validation: Validation | None

    @classmethod
    def of(cls, setting: Setting) -> Beginning:
        """Open everything that a setting names; the same in every process."""
        how: dict[str, Any] = {
            "layers": setting.layers, "weights": setting.weights, "seed": setting.seed,
            "normalized": setting.normalize, "leave": setting.leave, "reset": setting.reset,
        }  # fmt: skip
        use = use_of(setting)
        backbone = open_backbone(setting.backbone, use, **how)
        size = setting.size or min(backbone.network.preprocessing.input_size)
        data = open_data(setting, size)
        augmentation = Augmentation.preset(setting.augmentation, size)
        plain = augmentation.still()
        if setting.start == "rescaled":
            images = some_of(data.pairs, plain, _RESCALED_BY).image
            backbone = open_backbone(setting.backbone, use, **how, rescale_by=images)
        learner = learner_of(setting, backbone, data.class_of)
        if setting.head:
            load_head(learner, setting.head)
        try:
            freeze_unused(learner, some_of(data.pairs, plain, 2))
        except RuntimeError as error:
            if out_of_memory(error):
                raise
            raise SettingError(
                f"{setting.backbone} cannot look at crops of {size} pixels "
                f"({first_line(error, 100)}): give another size"
            ) from error
        validation = None
        if data.validation is not None:
            validation = Validation(
                data.validation, plain, setting.batch, setting.loaders, own_share()
            )
        return cls(augmentation, data, backbone, learner, validation)

    def batches(self, setting: Setting) -> PairBatches:
        """Make the batches of this process; as many an epoch as the whole run shall have."""
        some = None
        if setting.updates is not None:
            some = -(-setting.updates // setting.epochs) * setting.accumulate
        return PairBatches(
            self.data.pairs,
            self.augmentation,
            setting.batch,
            updates=some,
            workers=setting.loaders,
            seed=setting.seed,
            share=own_share(),
        )

    @property
    def measure(self) -> Callable[[nn.Module], float] | None:
        """What says how good a learner is; nothing where nothing is held out."""
        found, classes = self.validation, self.data.validation_class_of
        if found is None or classes is None:
            return found

        def of_classes(learner: nn.Module) -> float:
            assert isinstance(learner, SupervisedLearner)
            taught, learner.class_of = learner.class_of, classes
            try:
                return found(learner)
            finally:
                learner.class_of = taught

        return of_classes
