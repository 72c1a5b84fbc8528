"""Fully convolutional networks for segmentation, on any network.

Long, Shelhamer & Darrell (CVPR 2015). Layers are scored by 1x1 convolutions; the scores of the
deepest are brought to the places of the next shallower layer by bilinear interpolation and added to
its own, and so on, and last to the pixels. Where a layer's positions look is read off the network
(`core.receptive_field`); for the authors' own FCN-8s this comes to their fixed deconvolutions and
their crops by 5, 9 and 31 pixels.

    FCN-8s on VGG-16: pool3, pool4, fc7;   FCN-32s: fc7 alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from phosphene.core.maps import fields_of
from phosphene.core.network import Network
from phosphene.core.receptive_field import ReceptiveField
from phosphene.core.record import record
from phosphene.errors import SettingError

VGG_LAYERS = ("pool3", "pool4", "relu7")
# The authors' "at once" training scales what enters the scores of shallow layers.
AT_ONCE: Mapping[str, float] = {"pool3": 1e-4, "pool4": 1e-2}
PADDING = 100


class Fcn(nn.Module):
    """A network that scores every pixel.

    Attributes:
        trunk: The network's module.
        layers: The layers that are scored, shallow ones first.
        scores: The 1x1 convolutions, by the place of the layer.

    Args:
        net: The network.
        layers: Names of layers with maps, in the order they run.
        outputs: How many scores a pixel gets.
        scales: What to multiply layers with before they are scored; 1 if not given.
        deviation: Of the scores' initial weights, normal with mean 0. The authors begin with 0,
            which serves for classes; regions that nobody names would stay alike for ever.
        seed: Of these weights.

    Raises:
        UnknownLayer: A layer has no map.
        SettingError: There are no layers.
    """

    def __init__(
        self,
        net: Network,
        layers: Sequence[str],
        outputs: int,
        scales: Mapping[str, float] | None = None,
        *,
        deviation: float = 0.01,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not layers:
            raise SettingError("no layers were given to be scored: name one or more")
        self.trunk = net.module
        self.layers = tuple(layers)
        self.scales = tuple((scales or {}).get(layer, 1.0) for layer in self.layers)
        self._addresses = [net.address(layer) for layer in self.layers]
        _, codes = net.record(net.blank(), self.layers)
        self._fields = fields_of(net, self.layers, codes)
        generator = torch.Generator().manual_seed(seed)
        self.scores = nn.ModuleList()
        for layer in self.layers:
            convolution = nn.Conv2d(codes[layer].shape[1], outputs, 1)
            nn.init.normal_(convolution.weight, std=deviation, generator=generator)
            assert convolution.bias is not None
            nn.init.zeros_(convolution.bias)
            self.scores.append(convolution)

    def forward(self, x: Tensor) -> Tensor:
        """Score pixels.

        Args:
            x: (b, c, h, w), the network's input.

        Returns:
            (b, outputs, h, w).
        """
        _, captures = record(self.trunk, x, self._addresses, stop=True, live=True)
        made: Tensor | None = None
        field: ReceptiveField | None = None
        for place in reversed(range(len(self.layers))):
            code = captures[self._addresses[place]].value
            assert code is not None
            own: Tensor = self.scores[place](code * self.scales[place])
            if made is not None and field is not None:
                own = own + moved(made, field, self._fields[place], _size(own))
            made, field = own, self._fields[place]
        assert made is not None
        assert field is not None
        return moved(made, field, _PIXELS, _size(x))


_PIXELS = ReceptiveField((1.0, 1.0), (1.0, 1.0), (0.0, 0.0))


def moved(
    values: Tensor, field: ReceptiveField, to: ReceptiveField, size: tuple[int, int]
) -> Tensor:
    """Read maps at the positions of another layer, bilinearly; beyond their rim, on it.

    Args:
        values: (b, k, h, w).
        field: Where their positions look.
        to: Where those of the other layer look.
        size: (h', w') of the other layer.

    Returns:
        (b, k, h', w').
    """
    down, across = (
        _interpolation(int(values.shape[2 + axis]), size[axis], axis, field, to, values)
        for axis in (0, 1)
    )
    return down @ values @ across.mT


def _interpolation(
    source: int,
    count: int,
    axis: int,
    field: ReceptiveField,
    to: ReceptiveField,
    like: Tensor,
) -> Tensor:
    """Return the matrix (count, source) that interpolates linearly along an axis."""
    places = to.centre[axis] + torch.arange(count, dtype=torch.float64) * to.stride[axis]
    at = ((places - field.centre[axis]) / field.stride[axis]).clamp(0, source - 1)
    sites = torch.arange(source, dtype=torch.float64)
    matrix = (1 - (at[:, None] - sites).abs()).clamp(min=0)
    return matrix.to(like)


def _size(x: Tensor) -> tuple[int, int]:
    return int(x.shape[2]), int(x.shape[3])


def pad_first(module: nn.Module, padding: int = PADDING) -> None:
    """Pad the first convolution of a network by so many pixels, in place.

    The authors pad VGG-16's by 100, so that fc7 has a map that covers the image.

    Raises:
        SettingError: The network has no convolution.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            layer.padding = (padding, padding)
            # What PyTorch keeps ready for padding that is not by zeros.
            layer._reversed_padding_repeated_twice = [padding] * 4
            return
    raise SettingError("the network has no convolution whose padding could be changed")
