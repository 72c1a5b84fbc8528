"""Regions in which few lengths of flow occur. Section 4.3.1, equations 4.9 to 4.11."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from phosphene.errors import SettingError
from phosphene.pretext.grouping.regions import Grouped

BINS = 16
LARGEST = 50.0


class EntropyLoss(nn.Module):
    """Entropy of the histograms of flow of the regions, weighted by their sizes.

    With lengths |f| normalized by min(1, ln(|f| + 1) / ln(M + 1)) (4.10) and put into B bins,

        sum_l w_l H(p_l) / n,  w_l = sum_u m_l(u),  p_l(b) = sum_u m_l(u) [f_u in b] / w_l   (4.11),

    over the number of pixels n, in nats: 0 where each region has one bin, ln B at most. The paper
    does not give B.

    Args:
        bins: B.
        largest: M in pixels.

    Raises:
        SettingError: There are fewer than two bins, or M is not positive.
    """

    def __init__(self, bins: int = BINS, largest: float = LARGEST) -> None:
        super().__init__()
        if bins < 2:
            raise SettingError(f"{bins} bins tell nothing of flow apart: take 2 or more")
        if not (largest > 0 and math.isfinite(largest)):
            raise SettingError(f"a largest flow of {largest:g} pixels must be above 0")
        self.bins = bins
        self.largest = largest

    def forward(self, masks: Tensor, flow: Tensor, valid: Tensor | None = None) -> Tensor:
        """Judge regions; see `phosphene.pretext.grouping`."""
        at = Grouped.of(masks, flow, valid)
        normalized = torch.log1p(at.flow.norm(dim=2)) / math.log1p(self.largest)
        index = (normalized * self.bins).long().clamp(max=self.bins - 1)
        held = nn.functional.one_hot(index, self.bins).to(at.masks.dtype)
        counts = at.masks @ held
        # w H(p) = w log w - sum_b c log c; its derivative, -log p, is finite for the least count.
        counts = counts.clamp(min=1e-12)
        size = counts.sum(2)
        spread = (size * size.log()).sum(1) - (counts * counts.log()).sum((1, 2))
        return (spread / at.count).mean().to(masks.dtype)
