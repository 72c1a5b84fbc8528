"""What is learned from, and what is validated on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from torch import Tensor

from phosphene.errors import FlowError, ImageError, SettingError
from phosphene.motion.dataset import PairSet, open_pairs
from phosphene.motion.dataset.pair_sets import Labels
from phosphene.motion.pair import Pair
from phosphene.pretext.image_folder import ImageFolder
from phosphene.pretext.pretraining.settings import Setting, Supervised

_IMAGES = "images:"
_LOOKED_AT = 16


class Selected:
    """Some pairs of a set.

    Attributes:
        indices: Their numbers in it, in rising order.

    Args:
        pairs: The set.
        indices: Which.
    """

    def __init__(self, pairs: PairSet, indices: Sequence[int]) -> None:
        self._pairs, self.indices = pairs, sorted(indices)
        self.skipped: tuple[str, ...] = ()
        ends = np.cumsum(pairs.parts)
        of_part = np.searchsorted(ends, np.array(self.indices), side="right")
        self.parts: tuple[int, ...] = tuple(len(list(some)) for _, some in groupby(of_part))

    def __len__(self) -> int:
        """Return how many pairs there are."""
        return len(self.indices)

    def __getitem__(self, index: int) -> Pair:
        """Read a pair."""
        return self._pairs[self.indices[index]]

    def name(self, index: int) -> str:
        """Say what to call a pair."""
        return self._pairs.name(self.indices[index])

    def labels(self, index: int) -> Labels | None:
        """Read whose each pixel is, where the set knows."""
        return self._pairs.labels(self.indices[index])


@dataclass(frozen=True, eq=False)
class Data:
    """Pairs, or photographs, to learn from and to validate on.

    Attributes:
        pairs: To learn from.
        validation: To validate on; `None` for nothing.
        classes: Of photographs, by name; empty for none.
        class_of: (n,) the class of each photograph that is learned from.
        validation_class_of: (n,) those of photographs to validate on.
        notes: What a person should know, a sentence each.
    """

    pairs: PairSet
    validation: PairSet | None
    classes: tuple[str, ...] = ()
    class_of: Tensor | None = None
    validation_class_of: Tensor | None = None
    notes: tuple[str, ...] = ()


def open_data(setting: Setting, size: int) -> Data:
    """Open what a setting names.

    Args:
        setting: The setting.
        size: Side of the crops; smaller frames are enlarged, and that is noted.

    Raises:
        FlowError: There are no pairs.
        ImageError: There are no photographs.
        SettingError: The share held out is all or nothing, or the data are fewer than a batch.
    """
    images = setting.data.startswith(_IMAGES)
    if isinstance(setting, Supervised) or (images and not setting.flow):
        return _photographs(setting, size)
    if images:
        raise FlowError(
            f"{setting.system} learns from flow, and {setting.data} are single photographs: give "
            "pairs (`phosphene pairs build` makes them of videos)"
        )
    pairs: PairSet = open_pairs(setting.data)
    notes = list(pairs.skipped)
    validation: PairSet | None = None
    if setting.validation:
        validation = open_pairs(setting.validation)
        notes += validation.skipped
    elif setting.held_out:
        pairs, validation, said = held_out(pairs, setting.held_out, setting.seed)
        notes.append(said)
    return _checked(setting, size, pairs, validation, notes)


def _photographs(setting: Setting, size: int) -> Data:
    told = isinstance(setting, Supervised)
    folder = ImageFolder.open(setting.data.removeprefix(_IMAGES))
    kept, left = folder, None
    if setting.validation:
        left = ImageFolder.open(setting.validation.removeprefix(_IMAGES))
        if told and left.classes != folder.classes:
            raise SettingError(
                f"{setting.validation} has other classes than {setting.data}: give folders of the "
                "same names"
            )
    elif setting.held_out:
        kept, left = folder.split(setting.held_out, setting.seed)
    found = _checked(setting, size, kept, left, [])
    if not told:
        return found
    labels = None
    if left is not None:
        chosen = found.validation
        labels = left.class_of[chosen.indices] if isinstance(chosen, Selected) else left.class_of
    return replace(
        found, classes=folder.classes, class_of=kept.class_of, validation_class_of=labels
    )


def _checked(
    setting: Setting, size: int, pairs: PairSet, validation: PairSet | None, notes: list[str]
) -> Data:
    if len(pairs) < setting.batch:
        raise SettingError(
            f"{len(pairs)} pairs of {setting.data} are left to learn from, fewer than a batch of "
            f"{setting.batch}: give a smaller batch, or more data"
        )
    small = _smallest(pairs)
    if small is not None and min(small) < size:
        notes.append(
            f"frames of {small[1]}x{small[0]} pixels are smaller than crops of {size}: they are "
            "enlarged"
        )
    if validation is not None and len(validation) > setting.validate_on:
        even = np.linspace(0, len(validation) - 1, setting.validate_on).round().astype(int)
        validation = Selected(validation, even.tolist())
    return Data(pairs, validation, notes=tuple(notes))


def _smallest(pairs: PairSet) -> tuple[int, int] | None:
    """Return (h, w) of the smallest of some frames; `None` if none can be read."""
    found = []
    for index in np.unique(np.linspace(0, len(pairs) - 1, _LOOKED_AT).astype(int)):
        try:
            found.append(pairs[int(index)].flow.size)
        except (FlowError, ImageError):
            continue  # said by who reads it in earnest
    return min(found, key=min, default=None)


def held_out(pairs: PairSet, share: float, seed: int = 0) -> tuple[PairSet, PairSet, str]:
    """Part a set so that no sequence or shard is on both sides, as frames of one are alike.

    Args:
        pairs: The set.
        share: Of the pairs, about what is held out: whole groups, one at least.
        seed: Of which.

    Returns:
        What is kept, what is held out, and a sentence about it. Groups are shards where there are
        several, else sequences (what names have before their last slash); of a single sequence
        the end is held out.

    Raises:
        SettingError: There is a single pair.
    """
    count = len(pairs)
    if count < 2:
        raise SettingError("a single pair cannot be parted: give more, or hold nothing out (0)")
    wanted = max(1, round(share * count))
    groups = _groups(pairs)
    if len(groups) < 2:
        last = list(range(count - min(wanted, count - 1), count))
        said = (
            f"the last {len(last)} of {count} pairs are held out: all are of one sequence or shard"
        )
        return Selected(pairs, list(range(last[0]))), Selected(pairs, last), said
    left: list[int] = []
    names = list(groups)
    for number in np.random.default_rng(seed).permutation(len(names))[: len(names) - 1]:
        if len(left) >= wanted:
            break
        left += groups[names[number]]
    out = set(left)
    kept = [index for index in range(count) if index not in out]
    what = "shards" if len(pairs.parts) > 1 else "sequences"
    said = f"{len(left)} of {count} pairs are held out, by {what}"
    return Selected(pairs, kept), Selected(pairs, left), said


def _groups(pairs: PairSet) -> dict[str, list[int]]:
    if len(pairs.parts) > 1:
        of_part = np.repeat(np.arange(len(pairs.parts)), pairs.parts)
        names = [str(number) for number in of_part]
    else:
        names = [pairs.name(i).rpartition("/")[0] for i in range(len(pairs))]
    groups: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        groups.setdefault(name, []).append(index)
    return groups
