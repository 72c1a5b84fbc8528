"""Batches that a detector learns from, and its loss.

For each region with class u (0 for ground), scores p and offsets t to its object,

    L = -log p_u + [u >= 1] sum_{x, y, w, h} smooth_L1(t'_u - t),

summed over the regions of a batch and divided by their number; t is less its class's mean and over
its deviation, and smooth_L1(d) = d^2 / 2 for |d| < 1, else |d| - 1/2 (Girshick, ICCV 2015).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.training.processes import shared_mean
from phosphene.transfer.benchmarks.records import Boxed
from phosphene.transfer.detection.boxes import mirrored
from phosphene.transfer.detection.proposals import Proposals
from phosphene.transfer.detection.regions import (
    OffsetScale,
    Prospect,
    drawn_regions,
    regions_of,
)
from phosphene.transfer.detection.settings import DetectionSetting
from phosphene.transfer.detection.sizes import pixels_of, resized, scaled_size


@dataclass(frozen=True, eq=False)
class Example:
    """A photograph with some of its regions.

    Attributes:
        name: What it is called.
        image: (3, h, w), RGB in [0, 1], resized.
        rois: (n, 4): x and y of the first and of the last pixel inside.
        classes: (n,) int64, 0 for ground.
        offsets: (n, 4), normalized; 0 for ground.
    """

    name: str
    image: Tensor
    rois: Tensor
    classes: Tensor
    offsets: Tensor


class Batch(list[Example]):
    """Examples that are learned from together."""

    @property
    def names(self) -> list[str]:
        """What they are called."""
        return [example.name for example in self]


class Examples:
    """Makes examples of their numbers, here or in another process.

    Args:
        train: The set.
        proposals: Boxes.
        found: What the set comes to.
        setting: How photographs are resized and mirrored, and which regions are drawn.
    """

    def __init__(
        self, train: Boxed, proposals: Proposals, found: Prospect, setting: DetectionSetting
    ) -> None:
        self._train, self._proposals, self._setting = train, proposals, setting
        self._usable, self._scale = found.usable, found.scale

    def __len__(self) -> int:
        """Return how many photographs there are."""
        return len(self._usable)

    def __call__(self, number: int, rng: np.random.Generator) -> Example:
        """Make an example.

        Args:
            number: From 0 on.
            rng: Draws its scale, whether it is mirrored, and its regions.

        Raises:
            ImageError: The photograph cannot be read.
        """
        index, setting = self._usable[number], self._setting
        scale = int(rng.choice(setting.scales))
        flip = bool(setting.flips and rng.random() < 0.5)
        image = self._train.image(index)
        own = regions_of(self._train, self._proposals, index, setting, image.size)
        chosen, classes = drawn_regions(own, setting, rng)
        corners, goals = own.corners[chosen], np.zeros((len(chosen), 4))
        objects = classes > 0
        if objects.any():
            goals[objects] = own.to_goals(chosen[objects])
        if flip:
            corners = mirrored(corners, image.width)
            goals[:, 0] *= -1
        goals[objects] = _normalized(goals[objects], classes[objects], self._scale)
        factor, _ = scaled_size(image.size, scale, setting.longest)
        return Example(
            self._train.name(index),
            resized(image, scale, setting.longest, flip),
            torch.from_numpy(pixels_of(corners, factor)).float(),
            torch.from_numpy(classes),
            torch.from_numpy(goals).float(),
        )


def detection_loss(module: nn.Module, batch: Any) -> Tensor:
    """Return the loss of a batch.

    Args:
        module: A `FastRcnn`.
        batch: Examples.

    Returns:
        A scalar: the mean over regions, of all processes together.
    """
    like = next(module.parameters())
    images = [example.image.to(like) for example in batch]
    rois = [example.rois.to(like) for example in batch]
    classes = torch.cat([example.classes for example in batch]).to(like.device)
    goals = torch.cat([example.offsets for example in batch]).to(like.device)
    scores, moves = module(images, rois)
    objects = classes.nonzero()[:, 0]
    named = F.cross_entropy(scores.float(), classes, reduction="sum")
    own = moves[objects, classes[objects]].float()
    placed = F.smooth_l1_loss(own, goals[objects], reduction="sum")
    return shared_mean(named + placed, torch.tensor(len(classes), device=like.device))


def _normalized(
    goals: np.ndarray[Any, Any], classes: np.ndarray[Any, Any], scale: OffsetScale
) -> np.ndarray[Any, Any]:
    made: np.ndarray[Any, Any] = (goals - scale.means[classes]) / scale.deviations[classes]
    return made
