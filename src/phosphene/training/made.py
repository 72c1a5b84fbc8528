"""Batches of examples that are made when they are asked for: read, cropped, changed at random."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from phosphene.errors import SettingError

Make = Callable[[int, np.random.Generator], Any]
Together = Callable[[list[Any]], Any]
Turn = tuple[int, int]


class Made:
    """Examples made by a function of their number and of random numbers.

    Every pass goes through all examples in an order of its own. What is drawn for an example hangs
    on the seed, the pass and its number alone: neither on how many processes read nor on where a
    run was stopped.

    Args:
        count: How many examples there are.
        make: Makes one of its number and a generator; sent to other processes if `workers`.
        size: Examples of a batch, of all processes together. What is left over at the end of a
            pass is left out.
        updates: Batches after which an epoch counts as ended; those that follow are the next
            epoch's. A pass if `None`.
        workers: Processes that make examples; 0 for none but this one.
        seed: Of all that is random.
        share: (rank, ranks) of the process: of every batch it gets each `ranks`-th example.
        together: Makes a batch of a list of examples; stacks tensors and tuples of them as PyTorch
            does, if not given.

    Raises:
        SettingError: There are fewer examples than a batch has, or processes cannot share one.
    """

    def __init__(
        self,
        count: int,
        make: Make,
        size: int,
        *,
        updates: int | None = None,
        workers: int = 0,
        seed: int = 0,
        share: tuple[int, int] = (0, 1),
        together: Together | None = None,
    ) -> None:
        if size < 1 or count < size:
            raise SettingError(
                f"{count} examples do not fill a batch of {size}: give more, or a smaller batch"
            )
        if size % share[1]:
            raise SettingError(
                f"a batch of {size} cannot be shared evenly by {share[1]} processes: give a "
                "multiple of their number"
            )
        if updates is not None and updates < 1:
            raise SettingError(f"an epoch of {updates} batches has no end: give 1 or more")
        self._count, self._size, self._seed, self._share = count, size, seed, share
        self._examples = _Examples(make, seed)
        self._workers = workers
        self._together: Together = together or default_collate
        self._updates = updates or count // size

    def __len__(self) -> int:
        """Return how many batches an epoch has."""
        return self._updates

    def epoch(self, number: int, start: int = 0) -> Iterator[Any]:
        """Yield the batches of an epoch, the first `start` left out."""
        first = number * self._updates + start
        turns = _Turns(
            self._count, self._size, self._seed, self._share, first, self._updates - start
        )
        loader = DataLoader(
            self._examples,
            batch_sampler=turns,
            num_workers=self._workers,
            collate_fn=self._together,
            # Seeds of processes come from it, not from the state that dropout draws from.
            generator=torch.Generator(),
        )
        yield from loader


class _Examples(Dataset[Any]):
    def __init__(self, make: Make, seed: int) -> None:
        self._make, self._seed = make, seed

    def __getitem__(self, turn: Turn) -> Any:
        number, index = turn
        return self._make(index, np.random.default_rng([self._seed, 1, number, index]))


class _Turns(Sampler[list[Turn]]):
    """Yield what the batches consist of: passes and numbers."""

    def __init__(
        self,
        count: int,
        size: int,
        seed: int,
        share: tuple[int, int],
        first: int,
        batches: int,
    ) -> None:
        self._count, self._size, self._seed, self._share = count, size, seed, share
        self._first, self._batches = first, batches

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[list[Turn]]:
        yield from islice(self._all(), self._batches)

    def _all(self) -> Iterator[list[Turn]]:
        each = self._count // self._size
        number, place = divmod(self._first, each)
        while True:
            order: Sequence[int] = (
                np.random.default_rng([self._seed, 0, number]).permutation(self._count).tolist()
            )
            for index in range(place, each):
                rows = order[index * self._size : (index + 1) * self._size]
                yield [(number, row) for row in rows[self._share[0] :: self._share[1]]]
            number, place = number + 1, 0


def in_turn(count: int, make: Callable[[int], Any], workers: int = 0) -> Iterator[Any]:
    """Make examples one after another, each once, as for measuring.

    Args:
        count: How many.
        make: Makes one of its number; sent to other processes if `workers`.
        workers: Processes that make them; 0 for none but this one.
    """
    if workers == 0:
        yield from map(make, range(count))
        return
    loader = DataLoader(
        _InTurn(count, make),
        batch_size=None,
        shuffle=False,
        num_workers=workers,
        generator=torch.Generator(),
    )
    yield from loader


class _InTurn(Dataset[Any]):
    def __init__(self, count: int, make: Callable[[int], Any]) -> None:
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Any:
        if index >= self._count:
            raise IndexError(index)
        return self._make(index)
