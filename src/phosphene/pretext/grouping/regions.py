"""From scores to soft regions, and what the losses see of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from phosphene.errors import SettingError

BETA = 10.0


def regions(scores: Tensor, beta: float = BETA) -> Tensor:
    """Turn scores into soft regions.

    m = softmax(beta tanh(s / 2)), where tanh(s / 2) = 2 sigmoid(s) - 1 (section 4.3.2). The paper
    calls beta, 10 or 30, a temperature; it multiplies. Divided by it, no region would ever get more
    than 0.234 of a pixel.

    Args:
        scores: (b, L, h, w).
        beta: How sharp the regions are.

    Returns:
        (b, L, h, w) weights that sum to 1 at every pixel.

    Raises:
        SettingError: beta is not above 0.
    """
    if not beta > 0:
        raise SettingError(f"beta = {beta:g} of the regions must be above 0")
    return torch.softmax(beta * torch.tanh(scores / 2), dim=1)


@dataclass(frozen=True, eq=False)
class Grouped:
    """Regions and flow as lists of pixels, in double precision.

    Attributes:
        masks: (b, L, n), 0 at pixels that do not count.
        flow: (b, n, 2) in pixels, 0 where it is not known.
        weight: (b, n), 1 at the pixels that count.
        count: (b,) how many those are, 1 at least.
        size: (h, w), n being their product.
    """

    masks: Tensor
    flow: Tensor
    weight: Tensor
    count: Tensor
    size: tuple[int, int]

    @classmethod
    def of(cls, masks: Tensor, flow: Tensor, valid: Tensor | None) -> Grouped:
        """Take them as a network and a data set give them.

        Raises:
            SettingError: The shapes do not fit.
        """
        b, _, h, w = masks.shape
        if masks.ndim != 4 or flow.shape != (b, 2, h, w):
            raise SettingError(
                f"regions of shape {tuple(masks.shape)} and flow of {tuple(flow.shape)} do not "
                "fit: give (images, regions, height, width) and (images, 2, height, width)"
            )
        if valid is None:
            valid = torch.ones(b, h, w, dtype=torch.bool, device=masks.device)
        weight = valid.flatten(1).double()
        # Sums over all pixels of an image cancel; single precision would not hold them.
        known = torch.where(valid[:, None], flow, 0).flatten(2).mT.double()
        masks = masks.flatten(2).double() * weight[:, None]
        return cls(masks, known, weight, weight.sum(1).clamp(min=1), (h, w))

    def mean(self, values: Tensor) -> Tensor:
        """Average (b, n) over the pixels that count of every image, and then over the images."""
        return ((values * self.weight).sum(1) / self.count).mean()
