"""What a run comes to: files in its folder, and how they are opened again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from phosphene.core.network import Network
from phosphene.errors import FormatError
from phosphene.image import replacing
from phosphene.pretext.learners import SupervisedLearner
from phosphene.pretext.pretraining.backbone import Backbone, head_names, load_head, open_backbone
from phosphene.pretext.pretraining.exporting import NETWORK
from phosphene.pretext.pretraining.settings import Setting, setting_of
from phosphene.pretext.pretraining.teaching import learner_of, use_of
from phosphene.training.absorption import absorb
from phosphene.training.run import Epoch
from phosphene.zoo.catalogue import open_network, opens_by_name
from phosphene.zoo.factory import load_weights

SETTING, HEAD = "setting.json", "head.safetensors"


@dataclass(frozen=True)
class Pretrained:
    """A run that ended, or was stopped and can go on.

    Attributes:
        folder: Where everything is.
        setting: What it was told.
        history: Its epochs.
        best: The epoch whose weights were taken.
        ended: How it ended: `"done"`, `"early"` (nothing got better), `"time"` (its time was up)
            or `"interrupted"`, of which nothing but the state was written.
        seconds: How long this part of it took.
        files: What was written, by kind.
        facts: What it came to, in words.
        notes: What a person should know.
    """

    folder: Path
    setting: Setting
    history: tuple[Epoch, ...]
    best: int
    ended: str
    seconds: float
    files: Mapping[str, Path] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def network(self) -> Network:
        """The network that learned.

        Raises:
            FormatError: It was not written: the run was interrupted.
        """
        if "network" not in self.files:
            raise FormatError(f"{self.folder} holds no network yet: let the run go on first")
        name, path = self.setting.backbone, self.files["network"]
        if opens_by_name(name):
            return open_network(path)
        return open_network(name, weights=path)


@dataclass(frozen=True, eq=False)
class Reopened:
    """A learner of a run that ended.

    Attributes:
        setting: What it was told.
        learner: It, in evaluation mode: `learner.masks(images)` are a grouping's regions,
            `learner.network.dense(...)` embeddings.
        network: Its backbone.
    """

    setting: Setting
    learner: nn.Module
    network: Network


def reopen(folder: str | Path) -> Reopened:
    """Open what a run has written: the backbone, with what it was taught by behind it.

    Raises:
        FormatError: The folder holds no run that ended, or files of another.
    """
    folder = Path(folder)
    try:
        said = json.loads((folder / SETTING).read_text())
    except (OSError, ValueError) as error:
        raise FormatError(
            f"{folder} holds no {SETTING} of a run: give the folder that `phosphene pretrain` wrote"
        ) from error
    setting = setting_of(said["setting"])
    classes = len(said.get("classes", ()))
    backbone = open_backbone(
        setting.backbone,
        use_of(setting),
        layers=setting.layers,
        normalized=setting.normalize,
        leave=setting.leave,
    )
    learner = learner_of(setting, backbone, torch.arange(classes) if classes else None)
    absorb(learner)
    load_weights(backbone.network.module, folder / NETWORK)
    load_head(learner, folder / HEAD, strict=True)
    return Reopened(setting, learner.eval(), backbone.network)


def write_setting(folder: Path, setting: Setting, classes: tuple[str, ...]) -> None:
    """Write what a run is told."""
    with replacing(folder / SETTING) as file:
        text = json.dumps({"setting": setting.facts(), "classes": list(classes)}, indent=2)
        file.write(text.encode() + b"\n")


def write_head(folder: Path, learner: nn.Module) -> Path:
    """Write what a learner has beside its backbone, so that it can be shown again."""
    from safetensors.torch import save

    state = learner.state_dict()
    held = {name: state[name].detach().cpu().clone().contiguous() for name in head_names(learner)}
    with replacing(folder / HEAD) as file:
        file.write(save(held, {"format": "pt"}))
    return folder / HEAD


@torch.no_grad()
def take_classes(learner: nn.Module, backbone: Backbone, classes: tuple[str, ...]) -> None:
    """Let a network that was taught classes say them itself, where its own last layer fits.

    The classifier is linear behind a mean over places; fc8, as a 1x1 convolution, is the same
    before it.
    """
    fc8 = dict(backbone.network.module.named_children()).get("fc8")
    if not isinstance(learner, SupervisedLearner) or not isinstance(fc8, nn.Conv2d):
        return
    scores = learner.network.scores
    if fc8.weight.shape == (*scores.weight.shape, 1, 1) and fc8.bias is not None:
        fc8.weight.copy_(scores.weight[:, :, None, None])
        fc8.bias.copy_(scores.bias)
        backbone.network.labels = classes
