"""Regions of constant flow: the example the thesis begins with (section 4.3)."""

from __future__ import annotations

from torch import Tensor, nn

from phosphene.pretext.grouping.regions import Grouped


class ConstantLoss(nn.Module):
    """How much the flow varies inside of regions.

    sum_l min_theta sum_u m_l(u) |f_u - theta|^2, the variance of a region times its size, over the
    number of pixels; in pixels squared. The minimum is at the mean.

    Args:
        magnitude: Of the length of the flow, as the paper's example, or of its two components.
    """

    def __init__(self, magnitude: bool = False) -> None:
        super().__init__()
        self.magnitude = magnitude

    def forward(self, masks: Tensor, flow: Tensor, valid: Tensor | None = None) -> Tensor:
        """Judge regions; see `phosphene.pretext.grouping`."""
        at = Grouped.of(masks, flow, valid)
        f = at.flow.norm(dim=2, keepdim=True) if self.magnitude else at.flow
        size = at.masks.sum(2, keepdim=True)
        mean = at.masks @ f / size.clamp(min=1e-12)
        apart = (f[:, None] - mean[:, :, None]).square().sum(3)
        return at.mean((at.masks * apart).sum(1)).to(masks.dtype)
