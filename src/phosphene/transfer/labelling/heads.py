"""What tells the classes of pixels: a hypercolumn with a perceptron, or one layer's scores.

The dense answer of the perceptron is made without a hypercolumn for every pixel. Its first layer
and the interpolation of maps between their positions are both linear, W (sum_k a_k h_k) =
sum_k a_k (W h_k): deep layers, of few positions and many channels, are multiplied at their own
positions, and what comes of it is interpolated.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.maps import fields_of
from phosphene.core.network import Network
from phosphene.core.receptive_field import ReceptiveField
from phosphene.pretext.hypercolumn import Hypercolumn
from phosphene.transfer.labelling.settings import LabellingSetting
from phosphene.zoo.fcn import Fcn, moved

_ONE = (1.0, 1.0)
_PIXELS = ReceptiveField(_ONE, _ONE, (0.0, 0.0))
# Numbers of the hidden layer that are held at a time.
_AT_ONCE = 1 << 25
# Of the deviation of a layer's units, the least that one is divided by.
_LEAST = 0.1


class ColumnHead(nn.Module):
    """A sparse hypercolumn, and a perceptron with one hidden layer and dropout (Larsson et al.).

    Attributes:
        column: The hypercolumn.
        hidden: The perceptron's first layer.
        scores: Its second.
        mean: (d,) of the hypercolumn's numbers, subtracted first; zeros unless `standardize`.
        scale: (d,) what they are multiplied with then; ones unless `standardize`.

    Args:
        net: The network.
        layers: Names of layers of maps.
        classes: How many there are.
        setting: The protocol.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self, net: Network, layers: tuple[str, ...], classes: int, setting: LabellingSetting
    ) -> None:
        super().__init__()
        self.column = Hypercolumn(net, layers, setting.offset)
        _, codes = net.record(net.blank(), layers)
        fields = fields_of(net, layers, codes)
        zero = setting.offset == "zero"
        self._fields = [replace(f, centre=(0.0, 0.0)) if zero else f for f in fields]
        self.hidden = nn.Linear(self.column.channels, setting.hidden)
        self.dropout = nn.Dropout(setting.dropout)
        self.scores = nn.Linear(setting.hidden, classes)
        self.register_buffer("mean", torch.zeros(self.column.channels))
        self.register_buffer("scale", torch.ones(self.column.channels))
        generator = torch.Generator().manual_seed(setting.seed)
        nn.init.normal_(self.hidden.weight, std=setting.deviation, generator=generator)
        nn.init.kaiming_normal_(self.scores.weight, nonlinearity="relu", generator=generator)
        nn.init.zeros_(self.hidden.bias)
        nn.init.zeros_(self.scores.bias)

    def forward(self, x: Tensor, points: Tensor) -> Tensor:
        """Score (b, n, 2) pixels of (b, c, h, w), the network's input: (b, classes, n)."""
        columns = (self.column(x, points) - self.mean) * self.scale
        made: Tensor = self.scores(self.dropout(self.hidden(columns).relu()))
        return made.mT

    def dense(self, x: Tensor, box: tuple[int, int, int, int], every: int) -> Tensor:
        """Score all pixels of a part of an input, looking at every so many.

        Args:
            x: (1, c, h, w), the network's input.
            box: (top, left, height, width) of the part.
            every: Pixels between those that are looked at; between them scores are interpolated.

        Returns:
            (classes, height, width).
        """
        top, left, height, width = box
        rows, across = -(-(height - 1) // every) + 1, -(-(width - 1) // every) + 1
        weight = self.hidden.weight * self.scale
        bias = (self.hidden.bias - weight @ self.mean)[None, :, None, None]
        split = torch.split(weight[:, :, None, None], list(self.column.widths), dim=1)
        made: list[tuple[Tensor, Tensor | None, ReceptiveField]] = []
        for values, part, field in zip(self.column.maps(x), split, self._fields, strict=True):
            few = values.shape[2] * values.shape[3] < rows * across
            made.append((F.conv2d(values, part), None, field) if few else (values, part, field))
        some = max(1, _AT_ONCE // (len(weight) * across))
        parts = []
        for first in range(0, rows, some):
            at = (float(top + first * every), float(left))
            grid = ReceptiveField(_ONE, (float(every),) * 2, at)
            sites, total = (min(some, rows - first), across), bias
            for values, kernel, field in made:
                read = moved(values, field, grid, sites)
                total = total + (read if kernel is None else F.conv2d(read, kernel))
            last = self.scores.weight[:, :, None, None]
            parts.append(F.conv2d(total.relu(), last, self.scores.bias))
        whole = ReceptiveField(_ONE, (float(every),) * 2, (0.0, 0.0))
        return moved(torch.cat(parts, 2), whole, _PIXELS, (height, width))[0]

    @torch.no_grad()
    def measure(self, columns: Tensor) -> None:
        """Set `mean` and `scale` by (n, d) hypercolumns.

        Units that hardly vary there are brought to less than a variance of 1: one that was all but
        silent would be multiplied without bounds, and drown the others where it is not.
        """
        deviation = columns.std(0, correction=0)
        self.mean.copy_(columns.mean(0))
        widths = list(self.column.widths)
        usual = [part.square().mean().sqrt() for part in torch.split(deviation, widths)]
        least = [_LEAST * one.expand(n) for one, n in zip(usual, widths, strict=True)]
        floor = torch.cat(least).clamp(min=1e-6)
        self.scale.copy_(torch.where(deviation > 1e-6, 1 / deviation.maximum(floor), 0.0))


class FcnHead(nn.Module):
    """FCN-32s: scores of one layer, enlarged bilinearly (Long et al., CVPR 2015).

    Attributes:
        fcn: The network.

    Args:
        net: The network.
        layers: Names of layers; the last is scored.
        classes: How many there are.
        setting: The protocol.
    """

    def __init__(
        self, net: Network, layers: tuple[str, ...], classes: int, setting: LabellingSetting
    ) -> None:
        super().__init__()
        # The authors' scores begin at 0.
        self.fcn = Fcn(net, layers[-1:], classes, deviation=0.0, seed=setting.seed)

    def forward(self, x: Tensor, points: Tensor) -> Tensor:
        """Score all pixels of (b, c, h, w), the network's input: (b, classes, h, w)."""
        made: Tensor = self.fcn(x)
        return made

    def dense(self, x: Tensor, box: tuple[int, int, int, int], every: int) -> Tensor:
        """Score all pixels of a part of an input, as `ColumnHead.dense`; of all are looked at."""
        top, left, height, width = box
        made: Tensor = self.fcn(x)[0, :, top : top + height, left : left + width]
        return made
