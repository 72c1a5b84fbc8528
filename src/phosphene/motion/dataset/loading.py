"""Loading: pairs read, augmented and put together in batches by worker processes.

What a batch holds depends on the seed, its epoch and its position alone, not on how many workers
there are or how many processes share it (but for which slice of it falls to which).
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from phosphene.errors import FlowError, ImageError, OutOfMemory, PhospheneError, SettingError
from phosphene.motion.dataset.augmentation import Augmentation, augment
from phosphene.motion.dataset.order import ShuffledOrder, Turn, stream
from phosphene.motion.dataset.pair_sets import PairSet
from phosphene.motion.dataset.sample import Batch, Sample

_AUGMENTING = 2  # what the random numbers are for; 0 and 1 put pairs in order
_TRIES = 16
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_LOST = re.compile(r"DataLoader worker \(pid")


def loader(
    pairs: PairSet,
    augmentation: Augmentation | None,
    batch: int,
    *,
    workers: int = 0,
    seed: int = 0,
    rank: int = 0,
    ranks: int = 1,
    start: tuple[int, int] = (0, 0),
    epochs: int | None = None,
    shuffle: bool = True,
    keep_last: bool = False,
    group: int = 16,
    labels: bool = False,
    pin: bool | None = None,
    prefetch: int = 4,
    context: str | None = None,
) -> Loader:
    """Make batches of pairs, epoch after epoch.

    Args:
        pairs: The pairs.
        augmentation: What may be changed of them; `None` takes them as they are, of one size then.
        batch: Pairs in a batch, over all processes that share it.
        workers: Worker processes; 0 reads in this one.
        seed: What the order and all that is random depend on.
        rank: Which of the processes that share batches this one is, from 0.
        ranks: How many of them there are; the batch must be a multiple.
        start: Epoch and position to begin with: `Batch.state` of the last batch that was used.
        epochs: How many epochs there are, those before `start` counted; for ever if `None`.
        shuffle: Whether pairs come in random order.
        keep_last: Whether an epoch's last, short batch is kept.
        group: How many shards are mixed with each other; see `ShuffledOrder`.
        labels: Whether samples carry whose every pixel is.
        pin: Whether tensors are pinned for a graphics card; if there is one, if `None`.
        prefetch: How many batches each worker prepares ahead.
        context: How workers are started: "fork", "spawn" or "forkserver"; the platform's way if
            `None`.

    Raises:
        SettingError: There are fewer pairs than a batch needs, or a number cannot be.
    """
    if workers < 0 or prefetch < 1:
        raise SettingError(f"{workers} workers {prefetch} batches ahead cannot be: give 0, 1 or on")
    order = ShuffledOrder(pairs.parts, batch, seed, rank, ranks, group, shuffle, keep_last)
    order.at(*start)
    return Loader(
        _Reading(pairs, augmentation, seed, labels),
        order,
        start,
        epochs,
        workers,
        torch.cuda.is_available() if pin is None else pin,
        prefetch,
        context,
    )


class Loader:
    """Batches, one after another. Going through it again begins at its start again.

    Attributes:
        order: Of the pairs.
        failures: Of pairs that could not be read so far: why, by name. In the place of each comes
            the next of the set that can be read, so that batches stay of one size and the same in
            every run.
    """

    def __init__(
        self,
        reading: _Reading,
        order: ShuffledOrder,
        start: tuple[int, int],
        epochs: int | None,
        workers: int,
        pin: bool,
        prefetch: int,
        context: str | None,
    ) -> None:
        self.order = order
        self.failures: dict[str, str] = {}
        self._reading, self._start, self._epochs = reading, start, epochs
        self._workers, self._pin = workers, pin
        self._ahead: dict[str, Any] = (
            {"prefetch_factor": prefetch, "multiprocessing_context": context} if workers else {}
        )

    def __iter__(self) -> Iterator[Batch]:
        """Go through batches from the start.

        Raises:
            FlowError: Many pairs in a row cannot be read.
            SettingError: Pairs of different sizes were not augmented, or have no labels.
            OutOfMemory: A worker was killed.
        """
        turns = self.order.at(*self._start, self._epochs)
        batches = DataLoader(
            self._reading,
            sampler=_Turns(turns),
            batch_size=None,
            collate_fn=_as_it_is,
            num_workers=self._workers,
            worker_init_fn=_alone,
            pin_memory=self._pin,
            generator=torch.Generator(),  # workers' seeds come from it, not from the global state
            **self._ahead,
        )
        try:
            with _no_pool() if self._workers else nullcontext():
                begun = iter(batches)
            for batch in begun:
                if isinstance(batch, _Failed):
                    raise batch.error
                self.failures.update(batch.failures)
                yield batch
        except RuntimeError as error:
            if _LOST.search(str(error)) is None:
                raise
            raise OutOfMemory(
                f"a process that loads pairs was lost ({_reason(error)}), as happens where memory "
                "or shared memory (/dev/shm) runs out: give fewer workers or smaller batches, or "
                "load in this process (workers 0); a run can go on from its last state"
            ) from error


def _reason(error: BaseException) -> str:
    found = re.search(r"is killed by signal: [\w ]+|exited unexpectedly", str(error))
    return found[0] if found else "its end is not explained"


@dataclass
class _Failed:
    """What a worker hands over in place of a batch."""

    error: PhospheneError


class _Turns:
    """Turns as a sampler, which PyTorch goes through once."""

    def __init__(self, turns: Iterator[Turn]) -> None:
        self._turns = turns

    def __iter__(self) -> Iterator[Turn]:
        return self._turns


class _Reading(Dataset[Any]):
    """What workers do: a turn becomes a batch."""

    def __init__(
        self, pairs: PairSet, augmentation: Augmentation | None, seed: int, labels: bool
    ) -> None:
        self._pairs, self._augmentation = pairs, augmentation
        self._seed, self._labels = seed, labels

    def __getitem__(self, turn: Turn) -> Batch | _Failed:
        failures: list[tuple[str, str]] = []
        try:
            samples = [self._sample(turn.epoch, index, failures) for index in turn.indices]
            batch = Batch.of(samples)
        except PhospheneError as error:
            return _Failed(error)
        return replace(batch, epoch=turn.epoch, position=turn.position, failures=tuple(failures))

    def _sample(self, epoch: int, index: int, failures: list[tuple[str, str]]) -> Sample:
        """Read a pair, or the next that can be read."""
        count = len(self._pairs)
        for tried in range(min(_TRIES, count)):
            taken = (index + tried) % count
            try:
                return self._changed(epoch, taken)
            except (FlowError, ImageError) as error:
                failures.append((self._pairs.name(taken), str(error)))
        name, why = failures[-1]
        raise FlowError(
            f"{min(_TRIES, count)} pairs in a row cannot be read, the last of them {name} ({why}): "
            "check the set"
        )

    def _changed(self, epoch: int, index: int) -> Sample:
        pair = self._pairs[index]
        labels = self._pairs.labels(index) if self._labels else None
        if self._labels and labels is None:
            raise SettingError(
                f"{self._pairs.name(index)} has no labels: leave labels out, or take a set with "
                "masks (DAVIS, KITTI 2015, worlds)"
            )
        if self._augmentation is None:
            return Sample.of(_plain(pair.first), pair.flow, pair.name, index, labels)
        rng = stream(self._seed, _AUGMENTING, epoch, index)
        return augment(pair, rng, self._augmentation, labels, index)


def _plain(pixels: Any) -> Any:
    return pixels.astype("float32") / 255


def _as_it_is(batch: Any) -> Any:
    return batch


@contextmanager
def _no_pool() -> Iterator[None]:
    """Have OpenCV end its threads for a while.

    A process that is forked has what they waited for, but not them, and hangs when it ends them.
    """
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _alone(worker: int) -> None:
    """Let a worker take no more than its own core, and keep the memory that it needs anew."""
    import cv2

    if cv2.getNumThreads() != 1:
        cv2.setNumThreads(1)
    # Arrays of a frame's size are otherwise handed back and fetched again, page by page, several
    # times a pair: a fifth of all time at 854 x 480. C libraries but glibc have no such knob.
    with suppress(AttributeError, OSError, TypeError):
        knob = ctypes.CDLL(None).mallopt
        knob(_MMAP_THRESHOLD, 1 << 25)
        knob(_TRIM_THRESHOLD, 1 << 28)
