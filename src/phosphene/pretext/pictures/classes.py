"""What frames are taken for by learners that tell classes: which way up, or what they show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from phosphene.image import to_image
from phosphene.motion.dataset.sample import Batch
from phosphene.panel import Panel, Shows, Tile
from phosphene.pretext.learners import RotationLearner, SupervisedLearner
from phosphene.pretext.pictures.looked_at import at_rest, first_of
from phosphene.pretext.rotation import TURNS, rotated


@dataclass(frozen=True, eq=False)
class TakenFor(Shows):
    """Images and what they are taken for.

    Attributes:
        images: (n, 3, h, w) RGB in [0, 1].
        probability: (n, classes).
        truth: (n,) classes.
        classes: What to call them.
        across: How many stand in a row.
        facts: What was asked.
    """

    images: Tensor
    probability: Tensor
    truth: Tensor
    classes: tuple[str, ...]
    across: int
    facts: Mapping[str, str] = field(default_factory=dict)

    def panel(self) -> Panel:
        """Show every image with what it is taken for, and what it is where that is wrong."""
        best, said = self.probability.max(1)
        tiles = []
        for image, p, k, true in zip(
            self.images, best.tolist(), said.tolist(), self.truth.tolist(), strict=True
        ):
            is_ = "" if k == true else f", is {self.classes[true]}"
            tiles.append(Tile(to_image(image), f"{self.classes[k]} ({p:.2f}){is_}"))
        starts = range(0, len(tiles), self.across)
        rows = tuple(("", tuple(tiles[start : start + self.across])) for start in starts)
        right = int((said == self.truth).sum())
        return Panel("Taken for", rows, {**self.facts, "right": f"{right} of {len(tiles)}"})


def taken_for(
    learner: RotationLearner | SupervisedLearner, batch: Batch, count: int = 4
) -> TakenFor:
    """Show what a learner takes frames for.

    Args:
        learner: One that tells which way up frames are, or the classes of photographs.
        batch: Frames; square ones where they are turned.
        count: How many of them to show, each in four rotations where it tells these.
    """
    some = first_of(batch, count, learner)
    images, across = some.image, max(1, len(some))
    if isinstance(learner, RotationLearner):
        images, truth = rotated(images)
        across = TURNS
        names = tuple(f"{360 // TURNS * k} degrees" for k in range(TURNS))
        asked = "how far each frame is turned, counterclockwise"
    else:
        truth = learner.class_of[some.indices.cpu()]
        names = tuple(f"class {k}" for k in range(int(learner.class_of.max()) + 1))
        asked = "the class of each photograph"
    with at_rest(learner):
        scores = learner.network(learner.preprocessing.normalize(images)).float()
    found = torch.softmax(scores, 1).cpu()
    return TakenFor(images, found, truth.cpu(), names, across, {"asked": asked})
