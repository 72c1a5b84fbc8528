"""Flow, or what is in front, as a network says it of single frames, beside what is the case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from phosphene.errors import SettingError
from phosphene.motion.dataset.sample import Batch
from phosphene.motion.endpoint_error import endpoint_error
from phosphene.motion.normalization import denormalized
from phosphene.motion.tiles import flow_tile, heat_tile, longest
from phosphene.panel import Panel, Shows, Tile
from phosphene.pretext.flow_targets import FlowClassLoss, FlowRegressionLoss, ForegroundLoss
from phosphene.pretext.foreground import foreground
from phosphene.pretext.learners import PixelLearner
from phosphene.pretext.pictures.looked_at import (
    as_flow,
    at_rest,
    dense,
    first_of,
    flow_in,
    frame_tile,
)

EVERY = 4


@dataclass(frozen=True, eq=False)
class Predictions(Shows):
    """What a network says of frames.

    Attributes:
        batch: The frames.
        said: (b, 2, h, w) flow in pixels, or (b, 1, h, w) the probability of being in front.
        facts: How it was found.
    """

    batch: Batch
    said: Tensor
    facts: Mapping[str, str] = field(default_factory=dict)

    def panel(self) -> Panel:
        """Show frames, what is said of them, and what is the case."""
        tiles = [
            (frame_tile(self.batch, place), *self._tiles(place)) for place in range(len(self.batch))
        ]
        rows = tuple(("", tuple(row)) for row in zip(*tiles, strict=True))
        title = "Predicted flow" if self.said.shape[1] == 2 else "Predicted foreground"
        return Panel(title, rows, self.facts)

    def _tiles(self, place: int) -> tuple[Tile, Tile]:
        flow = flow_in(self.batch, place)
        if self.said.shape[1] == 2:
            said = as_flow(self.said[place])
            most = longest(flow)
            error = endpoint_error(said, flow) if flow.valid.any() else None
            caption = f"predicted, {error.mean:.2f} px off" if error else "predicted"
            return flow_tile(said, most, caption), flow_tile(flow, most, f"flow, to {most:.1f} px")
        front = foreground(flow)
        said_ = self.said[place, 0].float().cpu().numpy()
        both, either = ((said_ > 0.5) & front).sum(), ((said_ > 0.5) | front).sum()
        caption = f"predicted, IoU {both / either:.2f}" if either else "predicted: nothing"
        shown = np.where(flow.valid, front.astype(np.float32), np.nan)
        return heat_tile(said_, 1.0, caption), heat_tile(shown, 1.0, "in front, by motion")


def predictions(
    learner: PixelLearner, batch: Batch, count: int = 4, *, every: int = EVERY
) -> Predictions:
    """Show what a learner predicts of frames.

    Of classes of flow that is the mean of their middles by their probabilities, component by
    component: where a network cannot tell left from right, it is short. Normalization (3.8) is
    undone.

    Args:
        learner: One that learns by classes of flow, its regression, or foreground.
        batch: Frames with their flow.
        count: How many of them to show.
        every: At every how many pixels the network is read.

    Raises:
        SettingError: It learns by a loss of another kind.
    """
    loss = learner.loss
    if not isinstance(loss, FlowClassLoss | FlowRegressionLoss | ForegroundLoss):
        raise SettingError(
            f"{type(loss).__name__} predicts neither flow nor foreground: show its embeddings"
        )
    some = first_of(batch, count, learner)
    with at_rest(learner):
        x = learner.preprocessing.normalize(some.image)
        made = dense(learner.network, x, every).float()
    if isinstance(loss, ForegroundLoss):
        return Predictions(some, made.sigmoid(), {"shown": "the probability of being in front"})
    if isinstance(loss, FlowRegressionLoss):
        return Predictions(some, denormalized(made), {"shown": "regressed flow"})
    share = made.reshape(len(made), 2, loss.bins, *made.shape[2:]).softmax(2)
    middles = (torch.arange(loss.bins, device=made.device) + 0.5) * (2 / loss.bins) - 1
    mean = torch.einsum("bckhw,k->bchw", share, middles)
    # With classes of an even number none is centred at 0.
    least = float(denormalized(middles.abs().min()))
    facts = {
        "shown": f"means of {loss.bins} classes an axis",
        "finest": f"the class of least motion is centred at {least:.2f} px",
    }
    return Predictions(some, denormalized(mean), facts)
