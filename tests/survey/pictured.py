"""A small network, and images to sweep, for patches and figures."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.survey.collector import Batch
from phosphene.survey.top_patches import TopPatches

SIZE = 32


class Gated(nn.Module):
    """Squeeze and excitation: every position sees the whole image through the gate."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.conv(x.mean((2, 3), keepdim=True)))


def network(gated: bool = False) -> Network:
    """Make a network of two convolutions and a pool, with fields of 3, 4 and 8 pixels."""
    torch.manual_seed(3)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        Gated() if gated else nn.Identity(),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(6 * (SIZE // 2) ** 2, 5),
    )
    return Network(module, Preprocessing((SIZE, SIZE), (0.4, 0.5, 0.6), (0.5, 0.25, 0.5)), name="n")


class Images:
    """An image set of random pictures."""

    def __init__(self, count: int):
        random = np.random.default_rng(0)
        self.pixels = random.integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)
        self.read_keys: list[int] = []

    def read(self, key: int) -> Image.Image:
        self.read_keys.append(key)
        return Image.fromarray(self.pixels[key])

    def name_of(self, key: int) -> str:
        return f"{key}.png"


def swept(net: Network, images: Images, layers: list[str], count: int = 9) -> TopPatches:
    """Find the strongest patches of all images."""
    top = TopPatches(layers, count)
    for key in range(len(images.pixels)):
        image, frame = net.prepare(Image.fromarray(images.pixels[key]))
        _, codes = net.record(image, layers)
        codes = {n: c if c.dim() == 4 else c[:, :, None, None] for n, c in codes.items()}
        top.see(Batch(torch.tensor([key]), image, codes, [frame], [images.name_of(key)]))
    return top
