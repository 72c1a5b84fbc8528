"""What is learned from and tested with: crops of photographs, and which classes they show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.errors import SettingError
from phosphene.training.made import in_turn
from phosphene.training.processes import gathered, rank, ranks
from phosphene.transfer.benchmarks.comparison import notes_of
from phosphene.transfer.benchmarks.records import Photographs, Tagged
from phosphene.transfer.classification.crops import Cropping

_AT_ONCE = 64
_FIRST, _TEST = 3, 2
"""Told with the seed, so that no two uses of it draw the same."""


def check_sets(train: Tagged, test: Tagged) -> tuple[str, ...]:
    """Check what is known of two sets.

    Returns:
        What a person should know: photographs that are in both.

    Raises:
        SettingError: A set has no photographs, other classes, or not known which are present.
    """
    for name, each in (("training", train), ("test", test)):
        if len(each) == 0:
            raise SettingError(f"the {name} set holds no photographs: give one that does")
        if each.present.shape != (len(each), len(each.classes)):
            raise SettingError(
                f"of the {name} set it is not known which of its {len(each.classes)} classes are "
                f"present in {len(each)} photographs (it says {each.present.shape}): give a "
                "set with tags"
            )
    return notes_of(train, test)


@dataclass(frozen=True, eq=False)
class TrainingCrops:
    """Makes a crop, (h, w, 3) in 0 to 255, and which classes its photograph shows."""

    photographs: Tagged
    cropping: Cropping

    def __call__(self, index: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Make one."""
        crop = self.cropping(self.photographs.image(index), rng)
        return torch.from_numpy(crop), torch.from_numpy(self.photographs.present[index].copy())


@dataclass(frozen=True, eq=False)
class HeldOutCrops:
    """Makes all crops, (tests, h, w, 3), by which a photograph is tested."""

    photographs: Photographs
    cropping: Cropping
    tests: int
    seed: int

    def __call__(self, place: int) -> Tensor:
        """Make those of this process's photograph number `place`."""
        index = place * ranks() + rank()
        photograph = self.photographs.image(index)
        crops = [
            self.cropping(photograph, np.random.default_rng([self.seed, _TEST, index, number]))
            for number in range(self.tests)
        ]
        return torch.from_numpy(np.stack(crops))


def input_of(net: Network, crops: Tensor, device: torch.device) -> Tensor:
    """Turn crops, (b, h, w, 3) in 0 to 255, into the network's input."""
    images = crops.to(device).permute(0, 3, 1, 2).float() / 255
    return net.preprocessing.normalize(images)


def first_crops(photographs: Photographs, cropping: Cropping, count: int, seed: int) -> Tensor:
    """Make crops to look at before any training, of photographs from all over the set."""
    rng = np.random.default_rng([seed, _FIRST])
    crops = [
        cropping(photographs.image(int(rng.integers(len(photographs)))), rng) for _ in range(count)
    ]
    return torch.from_numpy(np.stack(crops))


@torch.no_grad()
def scored(
    learner: nn.Module,
    net: Network,
    testing: HeldOutCrops,
    device: torch.device,
    loaders: int = 0,
    tick: Callable[[int, int, str], None] | None = None,
) -> NDArray[np.float64]:
    """Score every photograph by the mean over its crops: (n, classes).

    Several processes share the photographs, and all get all scores.

    Args:
        learner: Scores the network's input; in evaluation mode.
        net: The network whose input it is.
        testing: What makes the crops.
        device: Where the learner is.
        loaders: Processes that make them.
        tick: Called with the photographs done, their number, and what is done.
    """
    total = len(testing.photographs)
    own = len(range(rank(), total, ranks()))
    found: list[NDArray[Any]] = []
    for several in _together(in_turn(own, testing, loaders), max(1, _AT_ONCE // testing.tests)):
        scores = learner(input_of(net, torch.cat(several), device))
        mean = scores.double().cpu().unflatten(0, (len(several), testing.tests)).mean(1)
        found.append(mean.numpy())
        if tick is not None:
            tick(min(total, ranks() * sum(map(len, found))), total, "testing")
    parts = gathered(np.concatenate(found) if found else None)
    held = [part for part in parts if part is not None]
    whole: NDArray[np.float64] = np.empty((total, held[0].shape[1]))
    for number, part in enumerate(parts):
        if part is not None:
            whole[number :: ranks()] = part
    return whole


def _together(crops: Iterator[Tensor], count: int) -> Iterator[list[Tensor]]:
    several: list[Tensor] = []
    for each in crops:
        several.append(each)
        if len(several) == count:
            yield several
            several = []
    if several:
        yield several
