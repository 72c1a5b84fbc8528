"""What a training run learns from: batches, the same ones whenever an epoch is asked for again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor

from phosphene.errors import SettingError
from phosphene.training.seeds import seeded


class Batches(Protocol):
    """Batches in an order that hangs on the number of the epoch alone.

    That is what lets a run that was stopped go on as if it had not been: it asks for the rest of
    the epoch it was in.
    """

    def __len__(self) -> int:
        """Return how many batches an epoch has."""

    def epoch(self, number: int, start: int = 0) -> Iterator[Any]:
        """Yield the batches of an epoch.

        Args:
            number: Of the epoch, from 0 on.
            start: How many batches to leave out at its beginning.
        """


class Shuffled:
    """Tensors that stay in memory, in another order every epoch.

    Args:
        tensors: (n, ...) each, as many rows in all of them.
        size: Rows of a batch, of all processes together. What is left over at the end of an epoch
            is left out; other rows each time.
        seed: Of the orders.
        share: (rank, ranks) of the process: of every batch it gets each `ranks`-th row.

    Raises:
        SettingError: There are fewer rows than a batch has, or other numbers of them; or a batch
            cannot be shared evenly.
    """

    def __init__(
        self, *tensors: Tensor, size: int, seed: int = 0, share: tuple[int, int] = (0, 1)
    ) -> None:
        counts = {len(tensor) for tensor in tensors}
        if len(counts) != 1:
            raise SettingError(
                f"tensors of {sorted(counts)} rows cannot be shuffled together: give as many rows "
                "in all of them"
            )
        self._count = counts.pop()
        if size < 1 or self._count < size:
            raise SettingError(
                f"{self._count} images do not fill a batch of {size}: give more images, or a "
                "smaller batch"
            )
        if size % share[1]:
            raise SettingError(
                f"a batch of {size} cannot be shared evenly by {share[1]} processes: give a "
                "multiple of their number"
            )
        self._tensors, self._size, self._seed, self._share = tensors, size, seed, share

    def __len__(self) -> int:
        """Return how many batches an epoch has."""
        return self._count // self._size

    def epoch(self, number: int, start: int = 0) -> Iterator[tuple[Tensor, ...]]:
        """Yield the batches of an epoch: a row of each tensor, by the order of this epoch."""
        order = torch.randperm(self._count, generator=seeded(self._seed, number))
        for index in range(start, len(self)):
            rows = order[index * self._size : (index + 1) * self._size]
            rows = rows[self._share[0] :: self._share[1]]
            yield tuple(tensor[rows] for tensor in self._tensors)
