"""Sets of pairs: what can be counted, named, and read one by one, in any order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import SettingError
from phosphene.motion.flow import Flow
from phosphene.motion.pair import Pair
from phosphene.worlds.instant import Instant

Labels = NDArray[np.int32]


class PairSet(Protocol):
    """Pairs by their numbers, from 0.

    A set can be pickled, and read from in many processes at once.
    """

    @property
    def parts(self) -> Sequence[int]:
        """How many pairs lie together, part by part (shard by shard); their sum is the length."""

    @property
    def skipped(self) -> Sequence[str]:
        """What was left out when the set was opened, and why, a sentence each."""

    def __len__(self) -> int:
        """Return how many pairs there are."""

    def __getitem__(self, index: int) -> Pair:
        """Read a pair.

        Raises:
            IndexError: There is no such number.
            FlowError: Its flow cannot be read, or does not fit its frame.
            ImageError: Its frame cannot be read.
        """

    def name(self, index: int) -> str:
        """Say what to call a pair, without reading it."""

    def labels(self, index: int) -> Labels | None:
        """Read which object is seen at each pixel of the first frame.

        Returns:
            (h, w) int32, 0 the ground; `None` where the set does not know.

        Raises:
            ImageError: It should be known, but cannot be read.
        """


class MemoryPairs:
    """Pairs held in memory, as of a small set for validation or of a world just made.

    Args:
        pairs: The pairs.
        labels: (h, w) of each, whose every pixel is; none where `None`.

    Raises:
        SettingError: There are labels, but not as many as pairs.
    """

    def __init__(self, pairs: Iterable[Pair], labels: Iterable[Labels] | None = None) -> None:
        self._pairs = list(pairs)
        self._labels = None if labels is None else list(labels)
        if self._labels is not None and len(self._labels) != len(self._pairs):
            raise SettingError(
                f"{len(self._pairs)} pairs with {len(self._labels)} label maps: give one each"
            )
        self.parts: tuple[int, ...] = (len(self._pairs),) if self._pairs else ()
        self.skipped: tuple[str, ...] = ()

    @classmethod
    def of_world(
        cls, instants: Iterable[Instant], name: str = "world", parts: bool = False
    ) -> MemoryPairs:
        """Take a world's moments, each with its exact flow and objects; nothing is not valid.

        Args:
            instants: As `phosphene.worlds` makes them. The last has a flow too, and counts.
            name: What to call the world.
            parts: Whether labels are of parts (faces), not of objects.
        """
        moments = list(instants)
        seconds = [later.image for _, later in pairwise(moments)] + [None]
        pairs = [
            Pair(moment.image, Flow.of(moment.flow), f"{name} {number}", second)
            for number, (moment, second) in enumerate(zip(moments, seconds, strict=False))
        ]
        return cls(pairs, [moment.parts if parts else moment.objects for moment in moments])

    def __len__(self) -> int:
        """Return how many pairs there are."""
        return len(self._pairs)

    def __getitem__(self, index: int) -> Pair:
        """Return a pair."""
        return self._pairs[index]

    def name(self, index: int) -> str:
        """Say what to call a pair."""
        return self._pairs[index].name or f"pair {index}"

    def labels(self, index: int) -> Labels | None:
        """Return which object is seen at each pixel, (h, w), if that was given."""
        return None if self._labels is None else self._labels[index]


def materialised(pairs: PairSet, most: int = 10_000) -> MemoryPairs:
    """Read a whole set into memory, so that an estimated flow is estimated once.

    Args:
        pairs: The set. What cannot be read raises.
        most: Of larger sets nothing is read.

    Raises:
        SettingError: The set is larger.
    """
    if len(pairs) > most:
        raise SettingError(
            f"{len(pairs)} pairs are more than {most}: leave them on the disk, or raise most"
        )
    labels = [pairs.labels(i) for i in range(len(pairs))]
    known = [each for each in labels if each is not None]
    read = (pairs[i] for i in range(len(pairs)))
    return MemoryPairs(read, known if known and len(known) == len(labels) else None)
