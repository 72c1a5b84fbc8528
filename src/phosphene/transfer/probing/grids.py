"""Maps of any layer, brought to about as many numbers.

A linear classifier of 9,000 numbers per layer makes layers comparable, whose maps have up to a
million. Zhang et al. take for AlexNet 10x10 positions of conv1 and pool1 (9600 numbers), 6x6 of
conv2 and pool2 (9216), 5x5 of conv3 and conv4 (9600), 6x6 of conv5 (9216) and pool5 as it is
(9216). Those are the squares whose numbers, c side^2, come nearest to 9000 and do not exceed
10,000; which is the rule here for any layer. Maps that have no more are taken as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from phosphene.errors import SettingError

NUMBERS, MOST = 9_000, 10_000
Resize = Literal["bilinear", "average", "fair"]

# Windows by channels and side of the map: kernel and stride; pool5 is taken as it is. From FAIR's
# alexnet_colorize_finetune_linear.py.
_FAIR = {
    (96, 55): (19, 4), (256, 27): (12, 3), (384, 13): (9, 1), (256, 13): (8, 1), (256, 6): (1, 1),
}  # fmt: skip


def side_of(channels: int, size: tuple[int, int]) -> tuple[int, int]:
    """Return the rows and columns that a map of a size (h, w) is brought to.

    >>> side_of(96, (55, 55)), side_of(256, (27, 27)), side_of(384, (13, 13)), side_of(256, (6, 6))
    ((10, 10), (6, 6), (5, 5), (6, 6))
    """
    if channels * size[0] * size[1] <= MOST:
        return size
    fitting = [s for s in range(1, min(size) + 1) if channels * s * s <= MOST] or [1]
    side = min(fitting, key=lambda s: abs(channels * s * s - NUMBERS))
    return side, side


@dataclass(frozen=True)
class Grid:
    """How a layer's maps are brought to their size.

    Attributes:
        channels: Of the maps.
        size: (h, w) of the maps.
        side: Rows and columns they are brought to.
        resize: How, where that is another size. Bilinear: position i of n reads the map at
            (i + 1/2) h / n - 1/2, between its four neighbours, as PyTorch and OpenCV resize
            without antialiasing. Average: over all of the map that is nearer to it, by PyTorch's
            adaptive windows. The rule of Zhang et al.'s own Caffe layer for where a position lies
            is not published with their networks.
        window: Kernel and stride, for FAIR's.
    """

    channels: int
    size: tuple[int, int]
    side: tuple[int, int]
    resize: Resize
    window: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, layer: str, values: Tensor, resize: Resize) -> Grid:
        """Find the grid of a layer that puts out (b, c, h, w), or (b, c).

        Raises:
            SettingError: It puts out something else; FAIR's windows are asked for a layer that
                their AlexNet does not have.
        """
        if values.ndim not in (2, 4):
            raise SettingError(
                f"layer {layer!r} puts out {tuple(values.shape)}, which are no maps: probe "
                "convolutions, activations, pools or fully connected layers"
            )
        channels = values.shape[1]
        size = (values.shape[2], values.shape[3]) if values.ndim == 4 else (1, 1)
        if resize != "fair":
            return cls(channels, size, side_of(channels, size), resize)
        window = _FAIR.get((channels, size[0])) if size[0] == size[1] else None
        if window is None:
            raise SettingError(
                f"resize='fair' knows AlexNet's layers, and {layer!r} puts out {channels} maps of "
                f"{size[0]}x{size[1]}: take 'average' or 'bilinear'"
            )
        side = (size[0] - window[0]) // window[1] + 1
        return cls(channels, size, (side, side), resize, window)

    @property
    def numbers(self) -> int:
        """How many numbers there are of an image."""
        return self.channels * self.side[0] * self.side[1]

    @property
    def way(self) -> str:
        """How the size is reached, in words."""
        if self.side == self.size:
            return "as it is"
        if self.resize == "fair":
            return f"average over {self.window[0]}x{self.window[0]} every {self.window[1]}"
        return self.resize

    def __call__(self, values: Tensor) -> Tensor:
        """Resize (b, c, h, w) to (b, rows, columns, c), which lies in memory as it may."""
        if values.ndim == 2:
            values = values[:, :, None, None]
        if tuple(values.shape[1:]) != (self.channels, *self.size):
            raise SettingError(
                f"maps {tuple(values.shape[1:])} do not fit a grid of "
                f"{(self.channels, *self.size)}: show a network images of one size"
            )
        if self.side != self.size:
            match self.resize:
                case "bilinear":
                    values = F.interpolate(values, self.side, mode="bilinear", align_corners=False)
                case "average":
                    values = F.adaptive_avg_pool2d(values, self.side)
                case "fair":
                    values = F.avg_pool2d(values, *self.window)
        return values.permute(0, 2, 3, 1)
