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


class Bottleneck(nn.Module):
    """ResNet's bottleneck: 1x1, 3x3 (strided), 1x1, and a shortcut."""

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        out = 4 * width
        self.conv1, self.bn1 = nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, out, 1, bias=False), nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut: nn.Module = nn.Identity()
        if channels != out or stride > 1:
            convolution = nn.Conv2d(channels, out, 1, stride, bias=False)
            self.shortcut = nn.Sequential(convolution, nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        """Return (b, 4 width, h / stride, w / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += self.shortcut(x)
        return self.relu(y)


def resnet152() -> nn.Module:
    """ResNet-152, the stride in the 3x3 convolutions."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
    ]  # fmt: skip
    channels = 64
    for width, depth, stride in ((64, 3, 1), (128, 8, 2), (256, 36, 2), (512, 3, 2)):
        for block in range(depth):
            layers.append(Bottleneck(channels, width, stride if block == 0 else 1))
            channels = 4 * width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000)]
    return nn.Sequential(*layers).eval()
