"""Photographs moved, enlarged and turned before a network sees them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from phosphene.core.network import Network

Change = Literal["translation", "scale", "rotation"]

AMOUNTS: dict[Change, tuple[float, ...]] = {
    "translation": tuple(i / 40 for i in range(-10, 11)),
    "scale": tuple(1 + i / 20 for i in range(17)),
    "rotation": tuple(float(i) for i in range(0, 360, 15)),
}
"""How far: down, as a share of the height the network sees; times as large; degrees clockwise."""
NEUTRAL: dict[Change, float] = {"translation": 0.0, "scale": 1.0, "rotation": 0.0}
UNITS: dict[Change, str] = {
    "translation": "of the height, down",
    "scale": "times as large",
    "rotation": "degrees",
}


@dataclass(frozen=True, eq=False)
class View:
    """A photograph, of which the network sees the middle.

    Attributes:
        whole: (1, c, H, W) the resized photograph, RGB in [0, 1].
        size: (h, w) that the network sees.
        outside: (1, c, 1, 1) the colour beyond the photograph: its own mean.
    """

    whole: Tensor
    size: tuple[int, int]
    outside: Tensor

    @classmethod
    def of(cls, net: Network, photo: Any) -> View:
        """Resize a photograph as a network wants it, and keep what it would crop."""
        seen, _ = net.prepare(photo)
        whole = seen if isinstance(photo, Tensor) else net.prepare(photo, whole=True)[0]
        size = (int(seen.shape[2]), int(seen.shape[3]))
        if whole.shape[2] < size[0] or whole.shape[3] < size[1]:
            whole = seen  # a stretched one has nothing around it
        return cls(whole, size, whole.mean((2, 3), keepdim=True))

    def changed(self, change: Change, amount: float) -> Tensor:
        """Return (1, c, h, w): what the network sees of the photograph after a change.

        Args:
            change: About the middle of what is seen.
            amount: See `AMOUNTS`.
        """
        height, width = self.size
        like = self.whole
        y = torch.arange(height, device=like.device, dtype=like.dtype) - (height - 1) / 2
        x = torch.arange(width, device=like.device, dtype=like.dtype) - (width - 1) / 2
        y, x = torch.meshgrid(y, x, indexing="ij")
        if change == "translation":
            y = y - amount * height
        elif change == "scale":
            y, x = y / amount, x / amount
        else:
            c, s = math.cos(math.radians(amount)), math.sin(math.radians(amount))
            y, x = c * y - s * x, s * y + c * x
        # The crop's middle need not be the photograph's, by half a pixel.
        tall, wide = self.whole.shape[2:]
        y = y + (tall - height) // 2 + (height - 1) / 2
        x = x + (wide - width) // 2 + (width - 1) / 2
        grid = torch.stack([(2 * x + 1) / wide - 1, (2 * y + 1) / tall - 1], -1)[None]
        seen = grid_sample(self.whole - self.outside, grid, "bilinear", "zeros", False)
        return seen + self.outside
