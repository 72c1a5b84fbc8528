"""Series of sequences, of which some are for testing and share no picture with the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from phosphene.errors import SettingError
from phosphene.worlds.moving_photographs.cutout import Cutout
from phosphene.worlds.moving_photographs.files import CutoutFile
from phosphene.worlds.moving_photographs.sequence import MovingPhotographs
from phosphene.worlds.moving_photographs.staging import SPEEDS, Speed, moving_photographs
from phosphene.worlds.moving_photographs.supply import Photo, Things

Item = TypeVar("Item")


@dataclass(frozen=True, eq=False)
class Series:
    """Sequences of moving photographs by number; may be sent to other processes.

    The last ones are for testing: they have backgrounds and things of their own. Cut-outs of one
    folder, such as the frames of a video, stay together, if there are several folders.

    Attributes:
        count: How many sequences.
        test: How many of them are for testing.
        seed: Of the series; two of different seeds have no sequence in common.
        backgrounds: Photographs; drawn grounds if `None`.
        cutouts: Of what moves, or what makes them (`DrawnThings()`); pieces of the photographs, or
            drawn things before drawn grounds, if `None`.
        frames: Of every sequence.
        size: (h, w) of a frame, in pixels.
        objects: Least and largest number of things.
        speed: Of things, in pixels a frame.

    Raises:
        SettingError: There are not so many sequences.
    """

    count: int
    test: int = 0
    seed: int = 0
    backgrounds: tuple[Photo, ...] | None = None
    cutouts: tuple[Cutout | CutoutFile, ...] | Things | None = None
    frames: int = 20
    size: tuple[int, int] = (240, 320)
    objects: tuple[int, int] = (1, 3)
    speed: Speed = SPEEDS

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise SettingError(f"the seed {self.seed} cannot be: give a whole number from 0 on")
        if not 0 <= self.test < self.count:
            raise SettingError(
                f"{self.test} of {self.count} sequences cannot be for testing: give 0 at least, "
                "and less than all"
            )

    def __len__(self) -> int:
        return self.count

    def __call__(self, index: int) -> MovingPhotographs:
        """Stage a sequence.

        Args:
            index: 0 to `count` - 1; the last `test` are for testing.
        """
        tested, given = index >= self.count - self.test, self.cutouts
        things = given if callable(given) else self._share(given, _folder, tested)
        return moving_photographs(
            self._share(self.backgrounds, lambda photo: "", tested),
            things,
            (self.seed << 32) + index,
            frames=self.frames,
            size=self.size,
            objects=self.objects,
            speed=self.speed,
        )

    def _share(
        self, given: Sequence[Item] | None, group: Callable[[Any], str], tested: bool
    ) -> Sequence[Item] | None:
        if given is None or not self.test:
            return given
        training, testing = divided(given, group, self.test / self.count, self.seed)
        return testing if tested else training


def divided(
    given: Sequence[Item], group: Callable[[Item], str], share: float, seed: int
) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Divide things at random, so that what belongs together stays together.

    Args:
        given: What to divide.
        group: Says what a thing belongs to; where all belong to one, each stands for itself.
        share: Of groups that go to the second part: one at least, but not all.
        seed: Of the order.

    Returns:
        Both parts in the order given; both are all, if there is one thing only.
    """
    keys = [group(each) for each in given]
    if len(set(keys)) == 1:
        keys = [str(i) for i in range(len(given))]
    groups = list(dict.fromkeys(keys))
    if len(groups) < 2:
        return tuple(given), tuple(given)
    count = min(max(1, round(share * len(groups))), len(groups) - 1)
    order = np.random.default_rng([seed, 3]).permutation(len(groups))
    chosen = {groups[i] for i in order[:count].tolist()}
    pairs = list(zip(given, keys, strict=True))
    return (
        tuple(each for each, key in pairs if key not in chosen),
        tuple(each for each, key in pairs if key in chosen),
    )


def _folder(cutout: Cutout | CutoutFile) -> str:
    return str(Path(cutout.image).parent) if isinstance(cutout, CutoutFile) else ""
