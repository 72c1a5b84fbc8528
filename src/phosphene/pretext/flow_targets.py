"""Predicting flow itself, pixel by pixel: what comparing pixels is held against.

Section 3.3.5 of the thesis: a softmax over 16 classes for each component of the normalized flow,
"once for each spatial dimension"; or regression, which "did not work as well in preliminary
experiments". Both begin at a learning rate of 0.01.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.errors import SettingError
from phosphene.training.processes import shared_mean

BINS = 16
LEARNING_RATE = 0.01


def flow_class(flow: Tensor, bins: int = BINS) -> Tensor:
    """Return the class of every component of normalized flow, in [-1, 1]: 0 to bins - 1.

    min(bins - 1, floor((f + 1) bins / 2)): bins of one width over [-1, 1].
    """
    return ((flow + 1) * (bins / 2)).floor().long().clamp(0, bins - 1)


class FlowClassLoss(nn.Module):
    """Cross entropies of the classes of the two components, summed; a mean over pixels.

    Attributes:
        outputs: How many numbers a pixel needs: `bins` for x, and then as many for y.

    Raises:
        SettingError: There are fewer than two bins.
    """

    def __init__(self, bins: int = BINS) -> None:
        super().__init__()
        if bins < 2:
            raise SettingError(f"{bins} classes tell no flow from another: take 2 or more")
        self.bins = bins
        self.outputs = 2 * bins

    def forward(self, outputs: Tensor, flow: Tensor, valid: Tensor | None = None) -> Tensor:
        """Compare outputs, (b, n, 2 bins), with normalized flow, (b, n, 2); `valid` is (b, n)."""
        logits = outputs.reshape(-1, self.bins).float()
        target = flow_class(flow, self.bins).flatten()
        each = F.cross_entropy(logits, target, reduction="none").reshape(flow.shape).sum(2)
        return _mean(each, valid)


class FlowRegressionLoss(nn.Module):
    """Squared distance from the normalized flow, a mean over pixels.

    Attributes:
        outputs: How many numbers a pixel needs: 2.
    """

    outputs = 2

    def forward(self, outputs: Tensor, flow: Tensor, valid: Tensor | None = None) -> Tensor:
        """Compare outputs, (b, n, 2), with normalized flow, (b, n, 2); `valid` is (b, n)."""
        return _mean((outputs.float() - flow).square().sum(2), valid)


class ForegroundLoss(nn.Module):
    """Logistic loss of what is in front, as motion tells (`foreground`); a mean over pixels.

    Attributes:
        outputs: How many numbers a pixel needs: 1.
    """

    outputs = 1

    def forward(self, outputs: Tensor, front: Tensor, valid: Tensor | None = None) -> Tensor:
        """Compare logits, (b, n, 1), with (b, n, 1), 1 for what is in front."""
        each = F.binary_cross_entropy_with_logits(outputs.float(), front.float(), reduction="none")
        return _mean(each[:, :, 0], valid)


def _mean(each: Tensor, valid: Tensor | None) -> Tensor:
    if valid is None:
        valid = torch.ones_like(each, dtype=torch.bool)
    # Not times 0, which would keep what is not finite.
    return shared_mean(torch.where(valid, each, 0).sum(), valid.sum())
