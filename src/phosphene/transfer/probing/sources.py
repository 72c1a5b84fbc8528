"""Where probes get features from: photographs that go through the network, or kept features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

import torch
from numpy.random import Generator
from torch import Tensor
from torch.utils.data import default_collate

from phosphene.training.made import Made, in_turn
from phosphene.training.processes import rank, ranks
from phosphene.transfer.probing.crops import Crops
from phosphene.transfer.probing.features import FrozenFeatures
from phosphene.transfer.probing.kept import Batch, KeptFeatures
from phosphene.transfer.probing.setting import ProbingSetting


class Source(Protocol):
    """Batches to learn from and to be tested on."""

    def batches(self, setting: ProbingSetting, updates: int) -> Made:
        """Return what is learned from, in epochs of so many updates."""

    def features(self, batch: Any) -> Batch:
        """Turn a batch of it into features and classes, which may last until the next only."""

    def tests(self) -> Iterator[Batch]:
        """Yield features and classes of the test set."""


@dataclass(frozen=True, eq=False)
class FromPhotographs:
    """Random crops to learn from, and the middles of the test photographs.

    Attributes:
        frozen: Makes features.
        train: Crops to learn from.
        test: Crops to be tested on.
        loaders: Processes that read photographs.
    """

    frozen: FrozenFeatures
    train: Crops
    test: Crops
    loaders: int

    def batches(self, setting: ProbingSetting, updates: int) -> Made:
        """Return random crops; see `Source`."""
        return Made(
            len(self.train.photographs),
            self.train.random,
            setting.batch,
            updates=updates,
            workers=self.loaders,
            seed=setting.seed,
            share=(rank(), ranks()),
        )

    def features(self, batch: tuple[Tensor, Tensor]) -> Batch:
        """Show a batch to the network."""
        images, labels = batch
        return self.frozen(images), labels

    def tests(self) -> Iterator[Batch]:
        """Show the test photographs to the network."""
        made = in_turn(len(self.test.photographs), self.test.middle, self.loaders)
        while some := list(islice(made, self.frozen.at_once)):
            images, labels = default_collate(some)
            yield self.frozen(images), labels


@dataclass(frozen=True, eq=False)
class FromKept:
    """Features that were made before.

    Attributes:
        train: To learn from.
        test: To be tested on.
    """

    train: KeptFeatures
    test: KeptFeatures
    _room: list[Tensor] = field(default_factory=list, init=False)

    def batches(self, setting: ProbingSetting, updates: int) -> Made:
        """Return numbers of photographs; see `Source`."""
        return Made(
            len(self.train),
            _number,
            setting.batch,
            updates=updates,
            seed=setting.seed,
            share=(rank(), ranks()),
        )

    def features(self, batch: Tensor) -> Batch:
        """Read the features of photographs; they last until the next are read."""
        features, labels = self.train.together(batch, self._room)
        self._room[:] = features
        return features, labels

    def tests(self) -> Iterator[Batch]:
        """Yield the kept features of the test photographs."""
        for start in range(0, len(self.test), _AT_ONCE):
            yield self.test.between(start, start + _AT_ONCE)


_AT_ONCE = 256


def _number(index: int, rng: Generator) -> int:
    return index


def moved(batch: Batch, device: torch.device) -> Batch:
    """Return features and classes on a device."""
    features, labels = batch
    return [values.to(device) for values in features], labels.to(device)
