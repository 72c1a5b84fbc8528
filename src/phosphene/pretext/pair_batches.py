"""Pairs as the training loop asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from phosphene.errors import SettingError
from phosphene.motion.dataset.augmentation import Augmentation
from phosphene.motion.dataset.loading import Loader, loader
from phosphene.motion.dataset.pair_sets import PairSet
from phosphene.motion.dataset.sample import Batch


class PairBatches:
    """Batches of pairs, the same ones whenever an epoch is asked for again.

    Attributes:
        failures: Of pairs that could not be read so far: why, by name.

    Args:
        pairs: The pairs.
        augmentation: What may be changed of them.
        batch: Pairs of a batch, of all processes together.
        updates: Batches after which an epoch counts as ended, as where millions of pairs shall be
            validated more than once; those that follow are the next epoch's. All pairs if `None`.
        workers: Processes that read.
        seed: Of all that is random.
        share: (rank, ranks) of this process.
        labels: Whether batches say whose every pixel is.

    Raises:
        SettingError: There are fewer pairs than a batch has, or processes cannot share one.
    """

    def __init__(
        self,
        pairs: PairSet,
        augmentation: Augmentation,
        batch: int,
        *,
        updates: int | None = None,
        workers: int = 0,
        seed: int = 0,
        share: tuple[int, int] = (0, 1),
        labels: bool = False,
    ) -> None:
        self.pairs, self.augmentation, self.batch = pairs, augmentation, batch
        self.workers, self.seed, self.share, self.labels = workers, seed, share, labels
        self.failures: dict[str, str] = {}
        self._all = self._loader((0, 0)).order.batches
        if updates is not None and updates < 1:
            raise SettingError(f"an epoch of {updates} batches has no end: give 1 or more")
        self._updates = updates or self._all

    def __len__(self) -> int:
        """Return how many batches an epoch has."""
        return self._updates

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, the first `start` left out."""
        place = divmod(number * self._updates + start, self._all)
        load = self._loader((place[0], place[1]))
        for batch in islice(load, self._updates - start):
            self.failures.update(load.failures)
            yield batch

    def _loader(self, start: tuple[int, int]) -> Loader:
        return loader(
            self.pairs,
            self.augmentation,
            self.batch,
            workers=self.workers,
            seed=self.seed,
            rank=self.share[0],
            ranks=self.share[1],
            start=start,
            labels=self.labels,
        )
