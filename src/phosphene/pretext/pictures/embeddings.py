"""Embeddings of pixels as colours: what lies together has one colour. Figure 3.4 of the thesis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from phosphene.errors import SettingError
from phosphene.image import to_image
from phosphene.motion.dataset.sample import Batch
from phosphene.motion.tiles import flow_tile, longest
from phosphene.panel import Panel, Shows, Tile
from phosphene.pretext.learners import PixelLearner
from phosphene.pretext.pictures.looked_at import at_rest, dense, first_of, flow_in, frame_tile

EVERY = 4


@dataclass(frozen=True, eq=False)
class Embeddings(Shows):
    """Frames, their embeddings in colours, and their flow.

    Attributes:
        batch: The frames.
        colors: (b, 3, h, w) RGB in [0, 1].
        facts: How they were made.
    """

    batch: Batch
    colors: Tensor
    facts: Mapping[str, str] = field(default_factory=dict)

    def panel(self) -> Panel:
        """Show frames in the first row, as the thesis, embeddings and flow below."""
        frames, colors, flows = [], [], []
        for place in range(len(self.batch)):
            flow = flow_in(self.batch, place)
            most = longest(flow)
            frames.append(frame_tile(self.batch, place))
            colors.append(Tile(to_image(self.colors[place]), "embedding"))
            flows.append(flow_tile(flow, most, f"flow, to {most:.1f} px"))
        rows = (("", tuple(frames)), ("", tuple(colors)), ("", tuple(flows)))
        return Panel("Embeddings of pixels", rows, self.facts)


def embeddings(
    learner: PixelLearner, batch: Batch, count: int = 4, *, every: int = EVERY, seed: int = 0
) -> Embeddings:
    """Show what pixels of frames are embedded as.

    Embeddings are read at every so many pixels, at length 1, as they are compared; between these
    they are interpolated.

    Args:
        learner: Whose network embeds.
        batch: Frames with their flow.
        count: How many of them to show.
        every: Pixels from one reading to the next.
        seed: Of the projection to colours (`projected`).

    Raises:
        SettingError: The count or the distance is not positive.
    """
    some = first_of(batch, count, learner)
    made = embedded(learner, some, every)
    facts = {
        "embedding": f"{made.shape[1]} dimensions at every {every} px, length 1",
        "colours": f"a random projection to 3 (seed {seed}), stretched in every frame",
    }
    return Embeddings(some, projected(made, seed), facts)


def embedded(learner: PixelLearner, batch: Batch, every: int) -> Tensor:
    """Embed all pixels of frames: (b, d, h, w), of length 1 at every so many of them.

    Raises:
        SettingError: The distance is not positive.
    """
    if every < 1:
        raise SettingError(f"embeddings cannot be read at every {every} pixels: give 1 or more")
    with at_rest(learner):
        x = learner.preprocessing.normalize(batch.image)
        return dense(learner.network, x, every, unit=True)


def projected(values: Tensor, seed: int = 0) -> Tensor:
    """Turn what pixels say into colours.

    The matrix (3, d) is normal at random, but the same whenever d and the seed are, so that colours
    of two moments of training can be compared. Each channel of each image is then stretched from
    its least to its largest value.

    Args:
        values: (b, d, h, w).
        seed: Of the matrix.

    Returns:
        (b, 3, h, w) RGB in [0, 1]; where all pixels say the same, gray.
    """
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(3, values.shape[1], generator=generator).to(values)
    mixed = torch.einsum("cd,bdhw->bchw", matrix, values)
    low, high = mixed.amin((2, 3), keepdim=True), mixed.amax((2, 3), keepdim=True)
    # Differences that are rounding alone are none.
    same = high - low <= 1e-5 * torch.maximum(high.abs(), low.abs())
    spread = torch.where(same, 1, high - low)
    return torch.where(same, 0.5, (mixed - low) / spread)
