"""The retrained ablation: networks with layers removed or resized, all trained anew.

Zeiler & Fergus (ECCV 2014, section 5.1, table 3) remove layers of their network, or change their
widths, train each from the start, and compare errors. Here the network is the demo network and the
world is drawn: scenes of ten classes. Every variant learns from the same scenes in the same order,
from the same kind of start, by the same recipe, and is measured on scenes that none has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW, Optimizer

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import SettingError
from phosphene.survey.ablation.variants import VARIANTS, Variant
from phosphene.training.batches import Shuffled
from phosphene.training.fast_norm import FastNorm
from phosphene.training.initial import initialize
from phosphene.training.loop import Trained, train
from phosphene.training.recipe import Recipe, one_cycle
from phosphene.training.state import save_weights
from phosphene.worlds.shapes import CLASSES, batch
from phosphene.zoo.demo import INPUT_SIZE, MEAN, STD

# Series of scenes: those learned from, and those measured on; no other use has these numbers.
_LEARNED, _MEASURED = 500, 501

Tick = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Setting:
    """How all variants are trained.

    Attributes:
        scenes: Drawn once and learned from in every epoch.
        epochs: Passes through them.
        measured: Scenes, never learned from, that accuracy is measured on.
        batch: Scenes of a batch.
        rate: Highest step length.
        decay: Decay of the weights.
        decay_first: Of the first layer's, for clean filters.
        seed: Of starts and orders.
    """

    scenes: int = 4800
    epochs: int = 12
    measured: int = 2000
    batch: int = 64
    rate: float = 2e-3
    decay: float = 0.05
    decay_first: float = 0.8
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the counts."""
        if self.scenes < self.batch or min(self.epochs, self.measured, self.batch) < 1:
            raise SettingError(
                f"{self.scenes} scenes in batches of {self.batch}, {self.epochs} epochs and "
                f"{self.measured} scenes to measure on make no training: give at least a batch of "
                "scenes, one epoch and one scene"
            )

    @property
    def recipe(self) -> Recipe:
        """The recipe of `tools/train_demo.py`, in one cycle."""

        def optimizer(module: nn.Module) -> Optimizer:
            first, slow = module.get_parameter("conv1.weight"), _first_full(module)
            named = [*slow, first]
            others = [p for p in module.parameters() if all(p is not n for n in named)]
            # A unit behind a whole map adds up a thousand inputs that are never negative: at the
            # others' rate one step moves it for all scenes at once, and many a unit dies of that.
            groups = [
                {"params": [first], "weight_decay": self.decay_first, "lr": self.rate},
                {"params": slow, "weight_decay": self.decay, "lr": 0.1 * self.rate},
                {"params": others, "weight_decay": self.decay, "lr": self.rate},
            ]
            return AdamW(groups, lr=self.rate)

        about = (
            f"AdamW, rate {self.rate:g}, decay {self.decay:g}, {self.decay_first:g} of conv1, one "
            f"cycle, batches of {self.batch}"
        )
        return Recipe(self.epochs, optimizer, one_cycle(), clip=1.0, seed=self.seed, about=about)


@dataclass(frozen=True, eq=False)
class Retrained:
    """One variant, trained.

    Attributes:
        variant: What it is made of.
        network: The trained network.
        accuracy: Share of unseen scenes told rightly.
        loss: Mean cross entropy on them, nats.
        weights: How many numbers it learned.
        trained: How the training went.
    """

    variant: Variant
    network: Network
    accuracy: float
    loss: float
    weights: int
    trained: Trained


class Scenes:
    """The scenes that all variants of a study share, drawn when they are first needed."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        images, labels = batch(setting.scenes, _LEARNED, size=INPUT_SIZE)
        self.learned = _tensors(images), torch.from_numpy(labels)
        images, labels = batch(setting.measured, _MEASURED, size=INPUT_SIZE)
        self.unseen = _tensors(images), torch.from_numpy(labels)


def retrain(
    variants: Sequence[Variant] = VARIANTS,
    setting: Setting | None = None,
    *,
    folder: str | Path | None = None,
    tick: Tick | None = None,
    done: Callable[[Retrained], None] | None = None,
) -> list[Retrained]:
    """Train variants of the demo network one after another, and measure each.

    Args:
        variants: Which.
        setting: How; the same for all of them.
        folder: Where each variant keeps its weights and its state, in a folder of its own; a
            study that was stopped goes on there. `None` for nowhere.
        tick: Called with updates done, their number over all variants, and how it goes.
        done: Called with each variant as soon as it is measured.

    Returns:
        The variants in the order given; fewer, where it was stopped by hand.
    """
    setting = setting or Setting()
    scenes = Scenes(setting)
    found: list[Retrained] = []
    for number, each in enumerate(variants):
        place = None if folder is None else Path(folder) / _folder_name(each.name)
        one = _trained(each, scenes, place, _part(tick, number, len(variants), each.name))
        if one.trained.interrupted:
            break
        found.append(one)
        if done is not None:
            done(one)
    return found


def _trained(variant: Variant, scenes: Scenes, place: Path | None, tick: Tick | None) -> Retrained:
    setting = scenes.setting
    module = variant.build()
    norms = {n: m for n, m in module.named_children() if isinstance(m, nn.LocalResponseNorm)}
    for name, channels in zip(norms, (32, 64), strict=True):
        module.add_module(name, FastNorm(channels, norms[name]))
    initialize(module, _normalized(scenes.learned[0][:300]), setting.seed)
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    data = Shuffled(*scenes.learned, size=setting.batch, seed=setting.seed)
    about = f"{variant.name}: {setting.scenes} drawn scenes, seed {setting.seed}"
    trained = train(module, data, _loss, setting.recipe, folder=place, about=about, tick=tick)
    for name, norm in norms.items():
        module.add_module(name, norm)
    if place is not None:
        save_weights(module, place / "weights.safetensors")
    accuracy, loss = measure(module, *scenes.unseen)
    preprocessing = Preprocessing(
        INPUT_SIZE, mean=MEAN, std=STD, resize="shorter", resize_to=INPUT_SIZE[0]
    )
    network = Network(module.eval(), preprocessing, CLASSES, variant.name)
    weights = sum(p.numel() for p in module.parameters())
    return Retrained(variant, network, accuracy, loss, weights, trained)


@torch.no_grad()
def measure(module: nn.Module, images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return accuracy and mean cross entropy of a module (in evaluation mode) on scenes."""
    right, loss = 0, 0.0
    for start in range(0, len(images), 250):
        rows = slice(start, start + 250)
        scores = module(_normalized(images[rows]))
        right += int((scores.argmax(1) == labels[rows]).sum())
        loss += float(F.cross_entropy(scores, labels[rows], reduction="sum"))
    return right / len(images), loss / len(images)


def _loss(module: nn.Module, rows: tuple[Tensor, Tensor]) -> Tensor:
    images, labels = rows
    x = _normalized(images).contiguous(memory_format=torch.channels_last)
    # Half precision doubles the speed on processors that know bfloat16.
    with torch.autocast("cpu", torch.bfloat16):
        scores = module(x)
    return F.cross_entropy(scores.float(), labels, label_smoothing=0.05)


def _first_full(module: nn.Module) -> list[nn.Parameter]:
    """Return the weights of the layer that reads the last map as a whole."""
    layers = dict(module.named_children())
    return list(layers["fc6" if "fc6" in layers else "fc8"].parameters())


def _normalized(images: Tensor) -> Tensor:
    """Turn bytes (b, 3, h, w) into what the network takes."""
    x = images.to(torch.float32) / 255
    return (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def _tensors(images: object) -> Tensor:
    return torch.as_tensor(images).permute(0, 3, 1, 2).contiguous()


def _part(tick: Tick | None, number: int, count: int, name: str) -> Tick | None:
    if tick is None:
        return None
    told = tick
    return lambda done, total, now: told(number * total + done, count * total, f"{name}: {now}")


def _folder_name(name: str) -> str:
    return name.replace(",", "").replace(" ", "-")
