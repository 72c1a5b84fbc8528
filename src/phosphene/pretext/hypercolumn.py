"""Hypercolumns: what all depths of a network have to say about one pixel.

Hariharan et al. (CVPR 2015); sparse ones after Larsson et al. (ECCV 2016), as section 3.2.3 of
Mahendran's thesis (2018) takes them. The maps of some layers are read at a pixel, between their
positions by bilinear interpolation, and put behind each other. A layer's position (i, j) looks at
the pixel in the middle of its receptive field, y = c + i s, so that a pixel (x, y) lies at

    i = (y - c_y) / s_y,   j = (x - c_x) / s_x,

and where that is off the map, on its rim. Larsson's code leaves c out, which for a layer as deep as
fc7 shifts its map by 30 pixels; that is here by name (`offset="zero"`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.maps import fields_of
from phosphene.core.network import Network
from phosphene.core.receptive_field import ReceptiveField
from phosphene.core.record import Capture, record
from phosphene.core.recording import Recorder
from phosphene.errors import SettingError

Offset = Literal["centre", "zero"]


class Hypercolumn(nn.Module):
    """A network that answers with the hypercolumns of pixels.

    It learns: gradients flow from hypercolumns to the network's weights. Layers behind the last one
    that is read are not run.

    Attributes:
        trunk: The network's module.
        layers: The layers that are read.
        widths: How many channels each has.
        offset: Where their positions look.

    Args:
        net: The network.
        layers: Names of layers whose outputs are maps.
        offset: `"centre"` for the middles of receptive fields, `"zero"` for Larsson's.

    Raises:
        UnknownLayer: A layer has no map, or no receptive field.
        SettingError: No layers, or an unknown offset.
    """

    def __init__(self, net: Network, layers: Sequence[str], offset: Offset = "centre") -> None:
        super().__init__()
        if not layers:
            raise SettingError("a hypercolumn of no layers was asked for: name one or more")
        if offset not in get_args(Offset):
            raise SettingError(f"offset {offset!r} is none of {', '.join(get_args(Offset))}")
        self.trunk = net.module
        self.layers = tuple(layers)
        self.offset = offset
        self._addresses = [net.address(layer) for layer in self.layers]
        recorder = Recorder(net, self.layers)
        codes = recorder(net.blank())
        self._fields = fields_of(net, self.layers, codes)
        self.widths = tuple(codes[layer].shape[1] for layer in self.layers)
        self._copied = frozenset(net.address(layer) for layer in recorder.copied)

    @property
    def channels(self) -> int:
        """How long a hypercolumn is."""
        return sum(self.widths)

    def maps(self, x: Tensor) -> list[Tensor]:
        """Return what the layers make of (b, c, h, w), the network's input: (b, k, h', w') each."""
        captures = self._captures(x, self._copied)
        if not all(capture.intact for capture in captures):
            captures = self._captures(x, None)
        maps = [capture.value for capture in captures]
        assert all(value is not None for value in maps)
        return [value for value in maps if value is not None]

    def forward(self, x: Tensor, points: Tensor) -> Tensor:
        """Read hypercolumns.

        Args:
            x: (b, c, h, w), the network's input: images as its preprocessing makes them.
            points: (b, n, 2), pixels of it as (x, y), whole numbers or between them.

        Returns:
            (b, n, channels).
        """
        return self.read(self.maps(x), points)

    def read(self, maps: Sequence[Tensor], points: Tensor) -> Tensor:
        """Read the hypercolumns of points, (b, n, 2), off maps that were made before."""
        read = (
            lookup(values, points, field, self.offset)
            for values, field in zip(maps, self._fields, strict=True)
        )
        return torch.cat(list(read), dim=2)

    def _captures(self, x: Tensor, copied: frozenset[object] | None) -> list[Capture]:
        _, captures = record(
            self.trunk, x, self._addresses, stop=True, live=True, copied=copied  # type: ignore[arg-type]
        )  # fmt: skip
        return [captures[address] for address in self._addresses]


def lookup(
    values: Tensor, points: Tensor, field: ReceptiveField, offset: Offset = "centre"
) -> Tensor:
    """Read a layer's maps at pixels of the input, bilinearly.

    Args:
        values: (b, k, h, w), the maps.
        points: (b, n, 2), pixels as (x, y).
        field: The layer's receptive field.
        offset: See `Hypercolumn`.

    Returns:
        (b, n, k).
    """
    h, w = values.shape[2:]
    size = points.new_tensor((w, h))
    stride = points.new_tensor((field.stride[1], field.stride[0]))
    centre = points.new_tensor((field.centre[1], field.centre[0]))
    at = (points - centre * (offset == "centre")) / stride
    # grid_sample counts from -1 to 1; its "border" is the clamping to the rim.
    grid = (2 * at / (size - 1).clamp(min=1) - 1)[:, :, None].to(values.dtype)
    read = F.grid_sample(values, grid, padding_mode="border", align_corners=True)
    return read[:, :, :, 0].mT


def pixel_grid(size: tuple[int, int], every: int = 1) -> Tensor:
    """List pixels of an image of size (h, w), row by row: (n, 2) floats, (x, y)."""
    y, x = torch.meshgrid(
        torch.arange(0, size[0], every), torch.arange(0, size[1], every), indexing="ij"
    )
    return torch.stack((x.flatten(), y.flatten()), dim=1).float()
