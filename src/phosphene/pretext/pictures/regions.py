"""Regions as colours over their frames, and the flow they explain: figures 4.2 to 4.4."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor

from phosphene.image import to_image
from phosphene.motion.dataset.sample import Batch
from phosphene.motion.tiles import errors, flow_tile, heat_tile, longest
from phosphene.panel import Panel, Shows, Tile
from phosphene.pretext.grouping.affine import reconstructed
from phosphene.pretext.learners import GroupingLearner
from phosphene.pretext.pictures.looked_at import as_flow, at_rest, first_of, flow_in, frame_tile
from phosphene.pretext.region_scores import PlaceBinding, matched_iou, overlaps

# Told apart by lightness as well as by hue, neighbours most of all.
_COLORS = (
    (0.00, 0.42, 0.64), (1.00, 0.74, 0.24), (0.10, 0.62, 0.36), (0.86, 0.20, 0.28),
    (0.56, 0.82, 0.96), (0.48, 0.20, 0.56), (0.98, 0.55, 0.68), (0.45, 0.30, 0.12),
    (0.72, 0.88, 0.38), (0.08, 0.10, 0.30), (0.97, 0.47, 0.10), (0.30, 0.78, 0.76),
)  # fmt: skip
_NONE = (0.5, 0.5, 0.5)
_COVER = 0.6
_GOLDEN = 0.618033988749895


@dataclass(frozen=True, eq=False)
class RegionPictures(Shows):
    """Frames, their regions, and the flow that affine models of the regions make.

    Attributes:
        batch: The frames.
        masks: (b, L, h, w), weights of regions.
        flow: (b, 2, h, w) in pixels: an affine model of each region, mixed by the weights.
        facts: How they were made.
    """

    batch: Batch
    masks: Tensor
    flow: Tensor
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def hard(self) -> Tensor:
        """(b, h, w) int64: the region of most weight at every pixel."""
        return self.masks.argmax(1)

    def iou(self, place: int) -> float | None:
        """Return the matched IoU of a frame's regions; `None` where no labels are known."""
        labels = self._labels(place)
        if labels is None or not (labels >= 0).any():
            return None
        return matched_iou(self.hard[place].cpu().numpy(), labels)

    def panel(self) -> Panel:
        """Show a row for each frame."""
        rows = tuple(("", tuple(self._tiles(place))) for place in range(len(self.batch)))
        binding = PlaceBinding()
        binding.see(self.masks)
        bound, entropy = binding.information()
        scores = [iou for place in range(len(self.batch)) if (iou := self.iou(place)) is not None]
        facts = {
            **self.facts,
            "flow by regions": "an affine model of each, mixed by their weights",
            "place tells of region": f"{bound:.3f} of {entropy:.3f} nats",
        }
        if scores:
            facts["matched IoU"] = f"{np.mean(scores):.3f} over {len(scores)} frames"
        return Panel("Regions by motion", rows, facts)

    def _tiles(self, place: int) -> list[Tile]:
        masks, hard = self.masks[place], self.hard[place]
        used = len(torch.unique(hard))
        iou = self.iou(place)
        told = "" if iou is None else f", matched IoU {iou:.2f}"
        colors = region_colors(len(masks)).to(masks)
        soft = torch.einsum("lhw,lc->chw", masks, colors)
        flow, made = flow_in(self.batch, place), as_flow(self.flow[place])
        most = longest(flow)
        off = errors(made, flow)
        mean = f"{np.nanmean(off):.2f} px" if flow.valid.any() else "unknown"
        tiles = [
            frame_tile(self.batch, place),
            Tile(self._over(place, colors[hard]), f"{used} of {len(masks)} regions{told}"),
            Tile(to_image(soft), "weights, as mixed colours"),
        ]
        labels = self._labels(place)
        if labels is not None:
            tiles.append(Tile(self._over(place, self._matched(place, labels)), "truth"))
        return [
            *tiles,
            flow_tile(flow, most, f"flow, to {most:.1f} px"),
            flow_tile(made, most, "flow by regions"),
            heat_tile(off, most / 2, f"off by {mean}, yellow {most / 2:.1f}"),
        ]

    def _over(self, place: int, colors: Tensor) -> Image:
        """Lay colours, (h, w, 3), over a gray frame."""
        gray = self.batch.image[place].mean(0, keepdim=True)
        return to_image(gray * (1 - _COVER) + colors.to(gray).movedim(2, 0) * _COVER)

    def _labels(self, place: int) -> NDArray[np.int32] | None:
        return None if self.batch.labels is None else self.batch.labels[place].cpu().numpy()

    def _matched(self, place: int, labels: NDArray[np.int32]) -> Tensor:
        """Colour true regions as the regions that were assigned to them."""
        from scipy.optimize import linear_sum_assignment

        iou = overlaps(self.hard[place].cpu().numpy(), labels)
        occurs = [k for k in range(iou.shape[1]) if bool((labels == k).any())]
        found, true = linear_sum_assignment(-iou[:, occurs])
        palette = torch.tensor(_NONE).repeat(iou.shape[1] + 1, 1)
        colors = region_colors(self.masks.shape[1])
        for region, column in zip(found, true, strict=True):
            if iou[region, occurs[column]] > 0:
                palette[occurs[column]] = colors[region]
        # What is not known (-1) is the last one's gray.
        return palette[torch.from_numpy(labels.astype(np.int64))]


def region_pictures(learner: GroupingLearner, batch: Batch, count: int = 4) -> RegionPictures:
    """Show how a learner divides frames.

    Colours belong to indices of regions, so that a region that is always at one place shows; true
    regions, where the batch has labels, take the colour of what was assigned to them.

    Args:
        learner: Whose network divides.
        batch: Frames with their flow, and labels if they are to be held against regions.
        count: How many of them to show.
    """
    some = first_of(batch, count, learner)
    with at_rest(learner):
        masks = learner.masks(some.image)
        flow = reconstructed(masks, some.flow, some.valid)
    facts = {
        "regions": f"{masks.shape[1]}, beta {learner.beta:g}",
        "loss": type(learner.loss).__name__,
    }
    return RegionPictures(some, masks, flow, facts)


def region_colors(count: int) -> Tensor:
    """List the colours of so many regions, (count, 3) RGB in [0, 1], each index always the same."""
    more = [
        colorsys.hls_to_rgb((k * _GOLDEN) % 1, (0.35, 0.75, 0.55)[k % 3], 0.7)
        for k in range(count - len(_COLORS))
    ]
    return torch.tensor([*_COLORS, *more][:count])
