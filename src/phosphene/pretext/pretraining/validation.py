"""Validation, and what is counted while training: the same pixels of the same crops every time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from phosphene.errors import SettingError
from phosphene.motion.dataset import Augmentation, PairSet, loader
from phosphene.motion.dataset.sample import Batch
from phosphene.pretext.pretraining.opening import Selected
from phosphene.training.processes import rank, ranks, summed

STILL = 0.1
"""Pixels: a pair that nowhere moves by as much stands still."""


class Validation:
    """Minus the mean loss over pairs that nothing is learned from; more is better.

    Crops are the middles of frames; pixels are drawn once and for all. Of several
    processes all take part, each with its share of every batch.

    Args:
        pairs: The pairs.
        augmentation: What is shown of them, with nothing at random.
        batch: Pairs of a batch at most. Batches are of one size, so that some pairs of the end may
            be left out, fewer than there are batches.
        loaders: Processes that read.
        share: (rank, ranks) of this process.

    Raises:
        SettingError: There are fewer pairs than processes.
    """

    def __init__(
        self,
        pairs: PairSet,
        augmentation: Augmentation,
        batch: int,
        loaders: int = 0,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        count, several = len(pairs), share[1]
        if count < several:
            raise SettingError(
                f"{count} pairs to validate on cannot be shared by {several} processes: give more"
            )
        batches = -(-count // max(batch, several))
        self._batch = count // batches // several * several
        self._pairs, self._loaders, self._share = pairs, loaders, share
        self._augmentation = augmentation

    def batches(self, labels: bool = False) -> Iterator[Batch]:
        """Go through the batches, or this process's share of each."""
        yield from loader(
            self._pairs,
            self._augmentation,
            self._batch,
            workers=self._loaders,
            rank=self._share[0],
            ranks=self._share[1],
            epochs=1,
            shuffle=False,
            labels=labels,
        )

    @torch.no_grad()
    def __call__(self, learner: nn.Module) -> float:
        """Measure a learner, which is in evaluation mode. All processes have to call it."""
        device = next((p.device for p in learner.parameters()), torch.device("cpu"))
        total, count = 0.0, 0
        for batch in self.batches():
            total += float(summed(learner(batch.to(device)).double()) / ranks())
            count += 1
        return -total / count


def some_of(pairs: PairSet, augmentation: Augmentation, count: int, labels: bool = False) -> Batch:
    """Read some pairs from all over a set, evenly."""
    even = np.linspace(0, len(pairs) - 1, min(count, len(pairs))).round().astype(int)
    chosen = Selected(pairs, sorted(set(even.tolist())))
    read = loader(chosen, augmentation, len(chosen), shuffle=False, epochs=1, labels=labels)
    # Numbers of the whole set, by which classes are known.
    return replace(next(iter(read)), indices=torch.tensor(chosen.indices))


class Teaching:
    """The loss of the training loop: brings batches to the device, and counts what stands still.

    Attributes:
        still: Pairs so far in which nothing moved, or nothing of whose motion is known.
        seen: Pairs so far.
        empty: Batches so far without a pair that moves.
    """

    def __init__(self, counts: bool = True) -> None:
        """Count, unless flow is not learned from."""
        self.still = self.seen = self.empty = 0
        self._counts = counts

    def __call__(self, learner: nn.Module, batch: Batch) -> Tensor:
        """Return the loss of a batch."""
        if self._counts:
            self._count(batch)
        device = next(p.device for p in learner.parameters())
        loss: Tensor = learner(_Passed(batch.to(device)))
        return loss

    def _count(self, batch: Batch) -> None:
        moves = (batch.flow.abs().amax(1) * batch.valid).flatten(1).amax(1) >= STILL
        still = int((~moves).sum())
        self.still += still
        self.seen += len(batch)
        self.empty += still == len(batch)

    def total(self) -> tuple[int, int, int]:
        """Return still, seen and empty, of all processes together (all have to call it)."""
        own = torch.tensor([self.still, self.seen, self.empty])
        still, seen, empty = summed(own).tolist()
        return still, seen, empty

    def facts(self) -> dict[str, str]:
        """Say what stood still, if anything did (all processes have to call it)."""
        still, seen, empty = self.total()
        if not still:
            return {}
        whole = f"; {empty} batches had nothing else" if empty else ""
        return {"nothing moves in": f"{still} of {seen} pairs that were shown{whole}"}


class _Passed:
    """A batch that Fabric hands on as it is: in mixed precision it refuses frozen dataclasses."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)


def own_share() -> tuple[int, int]:
    """Return (rank, ranks)."""
    return rank(), ranks()
