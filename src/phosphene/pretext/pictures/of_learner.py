"""Which pictures belong to which learner."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from phosphene.errors import SettingError
from phosphene.motion.dataset.sample import Batch
from phosphene.panel import Panel, Shows, Tile
from phosphene.pretext.cross_pixel import CrossPixelLoss
from phosphene.pretext.learners import (
    GroupingLearner,
    PixelLearner,
    RotationLearner,
    SupervisedLearner,
)
from phosphene.pretext.pictures.classes import taken_for
from phosphene.pretext.pictures.embeddings import embeddings
from phosphene.pretext.pictures.kernels import kernel_rows
from phosphene.pretext.pictures.predictions import predictions
from phosphene.pretext.pictures.regions import region_pictures

_KERNELS_OF = 2


@dataclass(frozen=True)
class Together(Shows):
    """Several results on one page.

    Attributes:
        title: Heading.
        parts: The results; each begins with its own heading.
    """

    title: str
    parts: tuple[Shows, ...]

    def panel(self) -> Panel:
        """Show one after another."""
        rows: list[tuple[str, tuple[Tile, ...]]] = []
        facts: dict[str, str] = {}
        for panel in (part.panel() for part in self.parts):
            headings = (panel.title, *("" for _ in panel.rows[1:]))
            rows += [
                (heading or own, tiles)
                for heading, (own, tiles) in zip(headings, panel.rows, strict=True)
            ]
            facts.update(panel.facts)
        return Panel(self.title, tuple(rows), facts)


def pictures_of(learner: nn.Module, batch: Batch, count: int = 4) -> Shows:
    """Show what a learner has learned, on frames of a batch.

    The learner is run as for evaluation and then goes on as it was; the global random state is not
    touched.

    Args:
        learner: Any of `phosphene.pretext.learners`.
        batch: Frames with their flow; with labels, regions are held against them.
        count: How many frames; kernels are shown of two at most.

    Returns:
        Embeddings and rows of kernels, predictions, regions, or what frames are taken for.

    Raises:
        SettingError: It is no learner, or the count is not positive.
    """
    if isinstance(learner, GroupingLearner):
        return region_pictures(learner, batch, count)
    if isinstance(learner, RotationLearner | SupervisedLearner):
        return taken_for(learner, batch, count)
    if not isinstance(learner, PixelLearner):
        raise SettingError(
            f"{type(learner).__name__} is no learner whose pictures are known: give one of "
            "phosphene.pretext.learners"
        )
    if not isinstance(learner.loss, CrossPixelLoss):
        return predictions(learner, batch, count)
    shown = embeddings(learner, batch, count), kernel_rows(learner, batch, min(count, _KERNELS_OF))
    return Together("Pixels compared by their flow", shown)
