"""A network that says something about single pixels: a hypercolumn, and a perceptron behind it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.pretext.hypercolumn import Hypercolumn, pixel_grid
from phosphene.training.free_norm import FreeNorm

HIDDEN = 1024
_AT_ONCE = 1 << 14


class PixelNetwork(nn.Module):
    """A hypercolumn and a perceptron with one hidden layer, as section 3.3.1 of the thesis has it.

    Attributes:
        column: The hypercolumn.
        project: Projections of wide layers before they enter, by the place of the layer; the
            thesis's VGG-16 takes its fc7 to 256 channels by a 1x1 convolution. As both it and the
            reading are linear, it is done at the pixels that are read.
        head: The perceptron.

    Args:
        column: The hypercolumn.
        outputs: How many numbers a pixel gets: 16 for embeddings.
        hidden: Width of the hidden layer.
        narrow: Layers that are projected first, by name, and to how many channels.
        normalized: Whether the hidden layer is followed by batch normalization.
        seed: Of the weights; He's normal distribution, the last layer's a tenth of it.
    """

    def __init__(
        self,
        column: Hypercolumn,
        outputs: int,
        hidden: int = HIDDEN,
        narrow: dict[str, int] | None = None,
        *,
        normalized: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.column = column
        self.project = nn.ModuleDict()
        widths = []
        for place, (layer, width) in enumerate(zip(column.layers, column.widths, strict=True)):
            if layer in (narrow or {}):
                self.project[str(place)] = nn.Linear(width, (narrow or {})[layer])
            widths.append((narrow or {}).get(layer, width))
        middle = [FreeNorm(hidden)] if normalized else []
        last = nn.Linear(hidden, outputs)
        self.head = nn.Sequential(nn.Linear(sum(widths), hidden), *middle, nn.ReLU(), last)
        generator = torch.Generator().manual_seed(seed)
        for layer_ in [*self.project.values(), *self.head]:
            if isinstance(layer_, nn.Linear):
                nn.init.kaiming_normal_(layer_.weight, nonlinearity="relu", generator=generator)
                nn.init.zeros_(layer_.bias)
        with torch.no_grad():
            last.weight.mul_(0.1)

    def forward(self, x: Tensor, points: Tensor) -> Tensor:
        """Say something about pixels.

        Args:
            x: (b, c, h, w), the network's input.
            points: (b, n, 2), pixels as (x, y).

        Returns:
            (b, n, outputs).
        """
        return self.read(self.column.maps(x), points)

    def read(self, maps: list[Tensor], points: Tensor) -> Tensor:
        """Do the same with maps that were made before."""
        columns = self.column.read(maps, points)
        if self.project:
            parts = list(torch.split(columns, list(self.column.widths), dim=2))
            for place, layer in self.project.items():
                parts[int(place)] = layer(parts[int(place)])
            columns = torch.cat(parts, dim=2)
        made: Tensor = self.head(columns.flatten(0, 1))
        return made.unflatten(0, columns.shape[:2])  # type: ignore[no-untyped-call, no-any-return]

    @torch.no_grad()
    def dense(self, x: Tensor, every: int = 1, unit: bool = False) -> Tensor:
        """Say it about all pixels of images, in parts that memory holds.

        Args:
            x: (b, c, h, w), the network's input.
            every: Every how many pixels.
            unit: Whether to bring the outputs to length 1, as embeddings are compared.

        Returns:
            (b, outputs, h', w').
        """
        size = int(x.shape[2]), int(x.shape[3])
        points = pixel_grid(size, every).to(x.device)
        maps = self.column.maps(x)
        some = max(1, _AT_ONCE // len(x))
        made = torch.cat(
            [self.read(maps, part.expand(len(x), -1, -1)) for part in torch.split(points, some)],
            dim=1,
        )
        if unit:
            made = F.normalize(made, dim=2)
        rows = len(range(0, size[0], every))
        return made.mT.reshape(len(x), made.shape[2], rows, -1)
