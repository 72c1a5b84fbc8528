"""Krizhevsky's response normalization, fast enough to train with on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FastNorm(nn.Module):
    """`nn.LocalResponseNorm` with beta 0.75, as a product with a band matrix.

    Equal but for rounding; PyTorch's own is written with a three-dimensional pool that takes four
    fifths of a small network's training time on a CPU. It has no weights, so the two can be
    exchanged.

    Args:
        channels: Of its input.
        norm: What it stands in for.
    """

    def __init__(self, channels: int, norm: nn.LocalResponseNorm) -> None:
        super().__init__()
        assert norm.beta == 0.75
        index = torch.arange(channels)
        away = index[:, None] - index[None, :]
        low, high = norm.size // 2, (norm.size - 1) // 2
        band = ((away <= low) & (away >= -high)).float()[:, :, None, None]
        self.register_buffer("band", band * (norm.alpha / norm.size), persistent=False)
        self.k = norm.k

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (b, c, h, w)."""
        root = (self.k + F.conv2d(x * x, self.get_buffer("band"))).rsqrt()
        return x * root * root.sqrt()
