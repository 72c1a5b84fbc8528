"""An inverse network from a setting and photographs to its errors on others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.image import to_image
from phosphene.inverse.network import InverseNetwork
from phosphene.inverse.photographs import Crops, divided
from phosphene.inverse.settings import InverseSetting
from phosphene.training import loop
from phosphene.training.made import Made
from phosphene.training.processes import fabric_of, rank, ranks
from phosphene.training.recipe import Recipe, adam, one_cycle
from phosphene.training.run import Epoch

_MOST_EPOCHS = 20
# Crops that the mean colour and the scale are taken from.
_FIRST = 32


@dataclass(frozen=True, eq=False)
class Inverted:
    """What an inverse network came to.

    Attributes:
        setting: How it was learned.
        held_out: Numbers of the photographs that it was tested with.
        errors: ||x^ - x||^2 of the middle of each, in units of B^2.
        energies: ||x||^2 of the same: what an estimate of nothing but the mean colour errs by.
        untrained: The relative squared error before anything was learned, by `W^T` alone.
        history: The epochs.
        pictures: Of the first photographs held out: number, the crop, and its estimate.
        code: (h, w) of the layer's map of a crop; nothing where it has none.
        inverse: The network that learned.
        interrupted: Whether it was stopped by hand; there are no errors then.
    """

    setting: InverseSetting
    held_out: tuple[int, ...]
    errors: tuple[float, ...]
    energies: tuple[float, ...]
    untrained: float
    history: tuple[Epoch, ...]
    pictures: tuple[tuple[int, Image, Image], ...]
    code: tuple[int, ...]
    inverse: InverseNetwork
    interrupted: bool = False

    @property
    def squared(self) -> float:
        """The relative squared error: the sum of ||x^ - x||^2 over that of ||x||^2."""
        return math.fsum(self.errors) / max(math.fsum(self.energies), 1e-12)

    @property
    def root(self) -> float:
        """The relative error: the root of the squared one."""
        return math.sqrt(self.squared)


def run(
    setting: InverseSetting,
    net: Network,
    photos: Sequence[Any],
    folder: str | Path | None = None,
    *,
    fabric: Any = None,
    loaders: int = 0,
    shown: int = 3,
    about: str = "",
    tick: loop.Tick | None = None,
) -> Inverted:
    """Learn the inverse of a network, and test it with photographs that it has not seen.

    Which photographs those are, the crops and their order hang on the seed alone, so that inverses
    that are told different things see the same.

    Args:
        setting: How.
        net: The network; it stays as it is.
        photos: Photographs: paths, images, arrays, or tensors (3, h, w).
        folder: Where the state is kept, from which a run that was stopped goes on; `None` for
            nowhere.
        fabric: Of `training.processes.fabric_of`, launched; one process where the network is if
            `None`.
        loaders: Processes that read photographs; they change nothing of the result.
        shown: How many of those held out to show.
        about: What tells network and photographs from others; a folder's run goes on only where it
            is the same.
        tick: Called with what is done, how much there is, and how it goes.

    Raises:
        SettingError: There are too few photographs, or the folder holds another run.
        ImageError: A photograph cannot be read, or is smaller than the crops.
        NetworkError: The network does not take such crops.
        ReversalError: It has no reverse that could be learned.
        NotFinite: The loss or a gradient was not; lower the rate.
    """
    train, held = divided(len(photos), setting.held_out, setting.seed)
    fabric = fabric or fabric_of(net.device)
    inverse = InverseNetwork(net, setting, fabric.device)
    learned = Crops([photos[n] for n in train], net.preprocessing, setting.size)
    tested = Crops([photos[n] for n in held], net.preprocessing, setting.size)
    rng = np.random.default_rng([setting.seed, 1])
    first = [learned.drawn(n % len(learned), rng) for n in range(_FIRST)]
    inverse.fit_scale(_shown(torch.stack(first), fabric.device))
    untrained = _tested(inverse, tested, setting.batch, fabric.device)
    epochs = max(n for n in range(1, _MOST_EPOCHS + 1) if setting.updates % n == 0)
    batches = Made(
        len(learned),
        learned.drawn,
        min(setting.batch, len(learned)),
        updates=setting.updates // epochs,
        workers=loaders,
        seed=setting.seed,
        share=(rank(), ranks()),
    )

    def loss(module: nn.Module, crops: Tensor) -> Tensor:
        images = _shown(crops, fabric.device)
        wrong: Tensor = module(images) - inverse.target(images)
        return wrong.square().mean()

    recipe = Recipe(
        epochs, adam(setting.rate), one_cycle(), seed=setting.seed, about=f"Adam, {setting.rate:g}"
    )
    trained = loop.train(
        inverse,
        batches,
        loss,
        recipe,
        folder=folder,
        about=f"{about} {setting.facts()}",
        fabric=fabric,
        tick=tick if rank() == 0 else None,
    )
    if trained.interrupted:
        nothing = (), (), math.nan, trained.history, (), inverse.code
        return Inverted(setting, tuple(held), *nothing, inverse, interrupted=True)
    errors, energies = _tested(inverse, tested, setting.batch, fabric.device)
    return Inverted(
        setting,
        tuple(held),
        tuple(errors),
        tuple(energies),
        math.fsum(untrained[0]) / max(math.fsum(untrained[1]), 1e-12),
        trained.history,
        tuple(_pictures(inverse, tested, held[:shown], fabric.device)),
        inverse.code,
        inverse,
    )


def _shown(crops: Tensor, device: torch.device) -> Tensor:
    return crops.to(device).float() / 255


@torch.no_grad()
def _tested(
    inverse: InverseNetwork, tested: Crops, batch: int, device: torch.device
) -> tuple[list[float], list[float]]:
    """Return ||x^ - x||^2 and ||x||^2 of the middle of each photograph."""
    errors: list[float] = []
    energies: list[float] = []
    for start in range(0, len(tested), batch):
        some = range(start, min(start + batch, len(tested)))
        images = _shown(torch.stack([tested.middle(n) for n in some]), device)
        target = inverse.target(images).double()
        wrong = inverse(images).double() - target
        errors += wrong.square().sum((1, 2, 3)).tolist()
        energies += target.square().sum((1, 2, 3)).tolist()
    return errors, energies


@torch.no_grad()
def _pictures(
    inverse: InverseNetwork, tested: Crops, held: Sequence[int], device: torch.device
) -> list[tuple[int, Image, Image]]:
    pictures = []
    for place, number in enumerate(held):
        images = _shown(tested.middle(place)[None], device)
        estimate = inverse.picture(inverse(images))[0].float().cpu()
        rgb = estimate.expand(3, -1, -1)
        pictures.append((number, to_image(images[0].cpu()), to_image(rgb)))
    return pictures
