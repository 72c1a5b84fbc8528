"""Regions to learn from: which are objects, which are ground, and how boxes are to be moved.

An object's own box is a region like the proposed ones. A region whose overlap with an object is
`object_overlap` or more is an object of the class it overlaps most; one whose largest overlap lies
in [ground_overlap) is ground; the others are not learned from. Objects marked difficult are not
learned from either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import SettingError
from phosphene.transfer.benchmarks.records import Boxed
from phosphene.transfer.detection.boxes import clipped, kept, offsets
from phosphene.transfer.detection.proposals import Proposals
from phosphene.transfer.detection.settings import DetectionSetting
from phosphene.transfer.scores.detections import overlaps

FIXED = (0.1, 0.1, 0.2, 0.2)
"""Deviations of offsets where they are not taken from data (Faster R-CNN's)."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Regions:
    """The regions of a photograph.

    Attributes:
        corners: (n, 4), those of objects first.
        overlap: (n,), the largest overlap with an object.
        nearest: (n,), which object that is; 0 if there are none.
        goals: (m, 4), the objects' boxes.
        classes: (m,), their classes counted from 1, as 0 is the ground.
    """

    corners: Floats
    overlap: Floats
    nearest: NDArray[np.int64]
    goals: Floats
    classes: NDArray[np.int64]

    def objects(self, setting: DetectionSetting) -> NDArray[np.int64]:
        """Return which regions are objects."""
        return np.flatnonzero(self.overlap >= setting.object_overlap)

    def ground(self, setting: DetectionSetting) -> NDArray[np.int64]:
        """Return which regions are ground."""
        low, high = setting.ground_overlap
        is_object = self.overlap >= setting.object_overlap
        return np.flatnonzero((self.overlap >= low) & (self.overlap < high) & ~is_object)

    def to_goals(self, which: NDArray[np.int64]) -> Floats:
        """Return the offsets from some regions to the objects they overlap most."""
        return offsets(self.corners[which], self.goals[self.nearest[which]])


@dataclass(frozen=True, eq=False)
class OffsetScale:
    """By what offsets are normalized, class by class.

    Attributes:
        means: (classes + 1, 4).
        deviations: (classes + 1, 4).
    """

    means: Floats
    deviations: Floats

    @classmethod
    def fixed(cls, classes: int) -> OffsetScale:
        """Return Faster R-CNN's, alike for all classes."""
        return cls(np.zeros((classes + 1, 4)), np.tile(np.array(FIXED), (classes + 1, 1)))


def regions_of(
    train: Boxed,
    proposals: Proposals,
    index: int,
    setting: DetectionSetting,
    size: tuple[int, int] | None = None,
) -> Regions:
    """Collect the regions of a photograph.

    Args:
        train: The set.
        proposals: Boxes.
        index: Which photograph.
        setting: What objects and ground are.
        size: (width, height) of the photograph, beyond which boxes are cut off; they stay as they
            are if `None`.
    """
    known = train.boxes(index)
    goals, classes = known.corners[~known.difficult], known.classes[~known.difficult]
    proposed = proposals.of(train.name(index))
    if size is not None:
        goals, proposed = clipped(goals, *size), clipped(proposed, *size)
    # What lies outside of the photograph shows nothing.
    whole = (goals[:, 2:] > goals[:, :2]).all(1)
    goals, classes = goals[whole], classes[whole]
    corners = np.concatenate([goals, proposed[kept(proposed, setting.smallest)]])
    if not len(goals):
        none = np.zeros(len(corners))
        return Regions(corners, none, none.astype(np.int64), goals, classes)
    shared = overlaps(corners, goals)
    return Regions(corners, shared.max(1), shared.argmax(1), goals, classes + 1)


@dataclass(frozen=True, eq=False)
class Prospect:
    """What a training set comes to.

    Attributes:
        usable: Numbers of the photographs with regions to learn from.
        scale: Of offsets.
        notes: What a person should know.
    """

    usable: tuple[int, ...]
    scale: OffsetScale
    notes: tuple[str, ...] = ()


def prospect(
    train: Boxed,
    proposals: Proposals,
    setting: DetectionSetting,
    tick: Callable[[int, int, str], None] | None = None,
) -> Prospect:
    """Go through a training set: what can be learned from, and how far boxes are from objects.

    The means and deviations of offsets are over the regions that are objects, class by class. Where
    a class has too few of them to say, Faster R-CNN's fixed ones stand in.

    Args:
        train: The set.
        proposals: Boxes.
        setting: What objects and ground are.
        tick: Called with the photographs done and their number.

    Raises:
        SettingError: There is nothing to learn from.
    """
    count = len(train.classes)
    usable, bare = [], 0
    number, total, squares = np.zeros(count + 1), np.zeros((count + 1, 4)), np.zeros((count + 1, 4))
    for index in range(len(train)):
        own = regions_of(train, proposals, index, setting)
        bare += train.name(index) not in proposals
        objects = own.objects(setting)
        if len(objects) or len(own.ground(setting)):
            usable.append(index)
        if len(objects):
            by, of = own.to_goals(objects), own.classes[own.nearest[objects]]
            np.add.at(number, of, 1)
            np.add.at(total, of, by)
            np.add.at(squares, of, by**2)
        if tick is not None:
            tick(index + 1, len(train), "regions")
    if not number.any():
        raise SettingError(
            f"none of the {len(train)} photographs to learn from has an object that is not "
            "difficult: give photographs with boxes around objects"
        )
    if bare == len(train):
        raise SettingError(
            f"boxes are proposed for none of the {len(train)} photographs to learn from, whose "
            f"names are like {train.name(0)!r}: give the file of this set"
        )
    notes = []
    if bare:
        notes.append(f"no boxes are proposed for {bare} of {len(train)} photographs to learn from")
    if len(usable) < len(train):
        notes.append(
            f"{len(train) - len(usable)} of {len(train)} photographs have no regions to learn from "
            "and are left out"
        )
    missing = [name for name, n in zip(train.classes, number[1:], strict=True) if not n]
    if missing:
        notes.append(f"there is nothing to learn from of {', '.join(missing)}")
    return Prospect(tuple(usable), _scale(setting, number, total, squares), tuple(notes))


def _scale(
    setting: DetectionSetting, number: Floats, total: Floats, squares: Floats
) -> OffsetScale:
    fixed = OffsetScale.fixed(len(number) - 1)
    if setting.box_targets == "fixed":
        return fixed
    means = total / number.clip(1)[:, None]
    deviations = np.sqrt((squares / number.clip(1)[:, None] - means**2).clip(0))
    # A box that coincides with its object says nothing of how far boxes are from objects.
    few = (deviations < 1e-3).any(1)
    means[few], deviations[few] = fixed.means[few], fixed.deviations[few]
    return OffsetScale(means, deviations)


def drawn_regions(
    regions: Regions, setting: DetectionSetting, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw the regions of a photograph for a batch.

    A quarter (`foreground`) are objects, or as many as there are, and the rest is ground; there are
    fewer in all where there is too little ground.

    Args:
        regions: All of them.
        setting: How many.
        rng: What draws.

    Returns:
        Which, objects first, and the class of each, 0 for ground.
    """
    objects, ground = regions.objects(setting), regions.ground(setting)
    most = round(setting.foreground * setting.regions)
    objects = _some(objects, most, rng)
    ground = _some(ground, setting.regions - len(objects), rng)
    classes = np.zeros(len(objects) + len(ground), np.int64)
    classes[: len(objects)] = regions.classes[regions.nearest[objects]]
    return np.concatenate([objects, ground]), classes


def _some(which: NDArray[np.int64], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return which if len(which) <= most else rng.choice(which, most, replace=False)
