"""From a setting and a backbone to a learner."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from phosphene.errors import SettingError
from phosphene.motion.dataset.sample import Batch
from phosphene.pretext.cross_pixel import CrossPixelLoss
from phosphene.pretext.flow_targets import FlowClassLoss, FlowRegressionLoss, ForegroundLoss
from phosphene.pretext.grouping import AffineLoss, ConstantLoss, EntropyLoss, RigidLoss
from phosphene.pretext.hypercolumn import Hypercolumn
from phosphene.pretext.learners import (
    GroupingLearner,
    PixelLearner,
    RotationLearner,
    SupervisedLearner,
)
from phosphene.pretext.pixel_network import PixelNetwork
from phosphene.pretext.pretraining.backbone import Backbone, Use
from phosphene.pretext.pretraining.settings import (
    CrossPixel,
    FlowClasses,
    FlowRegression,
    Foreground,
    Grouping,
    PixelSetting,
    Rotation,
    Setting,
)
from phosphene.zoo.fcn import Fcn


def use_of(setting: Setting) -> Use:
    """Say what a system needs of its backbone."""
    if isinstance(setting, PixelSetting):
        return "pixels"
    return "regions" if isinstance(setting, Grouping) else "images"


def learner_of(setting: Setting, backbone: Backbone, class_of: Tensor | None = None) -> nn.Module:
    """Make what the training loop teaches.

    Args:
        setting: What it is told.
        backbone: What learns.
        class_of: (n,) the class of every photograph, for supervised learning.

    Raises:
        SettingError: A loss cannot be what was asked for, or classes are missing.
        UnknownLayer: The backbone has no such layer, or it has no map.
    """
    net, last, seed = backbone.network, backbone.layers[-1], setting.seed
    if isinstance(setting, PixelSetting):
        return _pixels(setting, backbone)
    if isinstance(setting, Grouping):
        fcn = Fcn(
            net, backbone.layers, setting.regions, backbone.scales,
            deviation=setting.deviation, seed=seed,
        )  # fmt: skip
        return GroupingLearner(fcn, net.preprocessing, _grouping(setting), setting.beta)
    if isinstance(setting, Rotation):
        return RotationLearner(net, last, seed)
    if class_of is None:
        raise SettingError("classes of photographs are missing: give a folder for each class")
    return SupervisedLearner(net, last, class_of, seed)


def _pixels(setting: PixelSetting, backbone: Backbone) -> PixelLearner:
    loss: CrossPixelLoss | FlowClassLoss | FlowRegressionLoss | ForegroundLoss
    if isinstance(setting, CrossPixel):
        loss = CrossPixelLoss(setting.loss, setting.sigma2, setting.learn_sigma)
        outputs = setting.dimensions
    elif isinstance(setting, FlowClasses):
        loss = FlowClassLoss(setting.bins)
        outputs = loss.outputs
    elif isinstance(setting, FlowRegression):
        loss = FlowRegressionLoss()
        outputs = loss.outputs
    else:
        assert isinstance(setting, Foreground)
        loss = ForegroundLoss()
        outputs = loss.outputs
    network = PixelNetwork(
        Hypercolumn(backbone.network, backbone.layers, setting.offset),
        outputs,
        setting.hidden or backbone.hidden,
        {layer: wide for layer, wide in backbone.narrow.items() if layer in backbone.layers},
        normalized=setting.normalize,
        seed=setting.seed,
    )
    return PixelLearner(network, backbone.network.preprocessing, loss, setting.pixels, setting.seed)


def _grouping(setting: Grouping) -> nn.Module:
    if setting.model == "affine":
        return AffineLoss(setting.reading)
    if setting.model == "rigid":
        return RigidLoss(setting.through, setting.hartley, setting.knee)
    if setting.model == "entropy":
        return EntropyLoss(setting.bins, setting.largest)
    if setting.model == "constant":
        return ConstantLoss(setting.magnitude)
    raise SettingError(
        f"model {setting.model!r} explains no flow: take affine, rigid, entropy or constant"
    )


def freeze_unused(learner: nn.Module, batch: Batch) -> list[str]:
    """Leave weights out of learning that the loss does not hang on, as a classifier's behind fc7.

    Processes that share gradients would wait for those for ever.

    Returns:
        Their names.
    """
    training = learner.training
    learner.eval()
    learner.zero_grad()
    learner(batch).backward()
    unused = [name for name, p in learner.named_parameters() if p.grad is None]
    learner.zero_grad()
    learner.train(training)
    for name in unused:
        learner.get_parameter(name).requires_grad_(False)
    return unused


@torch.no_grad()
def answers(learner: nn.Module, batch: Batch) -> Tensor:
    """Return what a learner's network says of a batch, whatever it is: to be compared."""
    x = learner.preprocessing.normalize(batch.image)  # type: ignore[union-attr, operator]
    network = learner.network
    assert isinstance(network, nn.Module)
    if isinstance(learner, PixelLearner):
        points, _ = learner.drawn(batch)
        said: Tensor = network(x, points)
    else:
        said = network(x)
    return said.float()
