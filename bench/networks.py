"""Networks that the benchmarks measure on, with random weights: speed needs no trained ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Fire(nn.Module):
    """Squeeze to s channels, expand to 2 e by 1x1 and 3x3 convolutions side by side."""

    def __init__(self, channels: int, s: int, e: int):
        super().__init__()
        self.squeeze, self.relu = nn.Conv2d(channels, s, 1), nn.ReLU()
        self.left, self.relu_left = nn.Conv2d(s, e, 1), nn.ReLU()
        self.right, self.relu_right = nn.Conv2d(s, e, 3, padding=1), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return (b, 2 e, h, w)."""
        x = self.relu(self.squeeze(x))
        return torch.cat([self.relu_left(self.left(x)), self.relu_right(self.right(x))], 1)


def squeezenet() -> nn.Module:
    """SqueezeNet 1.0 up to its class scores, for 227 px."""
    return nn.Sequential(
        nn.Conv2d(3, 96, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True),
        Fire(96, 16, 64), Fire(128, 16, 64), Fire(128, 32, 128),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        Fire(256, 32, 128), Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        Fire(512, 64, 256), nn.Conv2d(512, 1000, 1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    ).eval()  # fmt: skip


def vgg16() -> nn.Module:
    """VGG-VD-16 up to its class scores, for 224 px."""
    layers: list[nn.Module] = []
    channels = 3
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2, 2))
    layers += [nn.Flatten(), nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Linear(4096, 4096)]
    return nn.Sequential(*layers, nn.ReLU(), nn.Linear(4096, 1000)).eval()


def tiny() -> nn.Module:
    """A network to warm up on, so that imports are not counted as memory."""
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(1000)).eval()


NETWORKS = {"SqueezeNet": (squeezenet, 227), "VGG-16": (vgg16, 224), "tiny": (tiny, 16)}
