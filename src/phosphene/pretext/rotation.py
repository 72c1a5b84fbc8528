"""Which way is up: the pretext of Gidaris et al. (ICLR 2018).

Every image is shown in four rotations, and the network says which: a softmax over 4 classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.network import Network
from phosphene.core.record import record
from phosphene.errors import SettingError

TURNS = 4


def rotated(images: Tensor) -> tuple[Tensor, Tensor]:
    """Turn square images (b, c, s, s) by 0, 90, 180 and 270 degrees, counterclockwise.

    Returns:
        (4 b, c, s, s), all turns of the first image, then of the second; and their classes, (4 b,).

    Raises:
        SettingError: They are not square.
    """
    if images.shape[2] != images.shape[3]:
        raise SettingError(
            f"images of {images.shape[2]}x{images.shape[3]} change their shape when turned: give "
            "square crops"
        )
    turned = torch.stack([torch.rot90(images, k, (2, 3)) for k in range(TURNS)], dim=1)
    return turned.flatten(0, 1), torch.arange(TURNS, device=images.device).repeat(len(images))


class Classifier(nn.Module):
    """A network's layer, averaged over its map, and a linear layer behind it.

    Args:
        net: The network.
        layer: The layer that is classified by.
        classes: How many.
        seed: Of the linear layer's weights.
    """

    def __init__(self, net: Network, layer: str, classes: int, seed: int = 0) -> None:
        super().__init__()
        self.trunk = net.module
        self._address = net.address(layer)
        width = net[layer](net.blank()).shape[1]
        self.scores = nn.Linear(width, classes)
        generator = torch.Generator().manual_seed(seed)
        nn.init.normal_(self.scores.weight, std=0.01, generator=generator)
        nn.init.zeros_(self.scores.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores, (b, classes), of (b, c, h, w), the network's input."""
        _, captures = record(self.trunk, x, [self._address], stop=True, live=True)
        code = captures[self._address].value
        assert code is not None
        pooled = code.flatten(2).mean(2) if code.ndim > 2 else code
        scores: Tensor = self.scores(pooled)
        return scores


class RotationLoss(nn.Module):
    """Cross entropy of how images are turned."""

    def forward(self, scores: Tensor, turn: Tensor) -> Tensor:
        """Compare scores, (b, 4), with classes, (b,)."""
        return F.cross_entropy(scores.float(), turn)
