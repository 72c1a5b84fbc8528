"""Fast R-CNN: a network that judges regions of a photograph, all from the same maps.

A photograph is seen once, up to the last layer of maps. Each region is pooled from these to a fixed
size, goes through fully connected layers, and is given a score for every class and for the ground,
and for every class four numbers that say how its box is to be moved.

Reference:
    R. Girshick, *Fast R-CNN*, ICCV 2015, and the code of py-faster-rcnn.

Departures: photographs of a batch that differ in size are looked at one after another, where
py-faster-rcnn pads the smaller ones, on the right and below, by zeros behind the normalization.
Behind the first bias that padding is no longer zero, so that maps near those two borders hang on
the company a photograph was in, which is never so in testing. Padding costs, too: a batch of
600x800 and 800x600 px has a third more pixels, one of two scales as many as twice the larger. It is
there by name (`padded`). Batch normalization, which Caffe's networks do not have, keeps its
statistics.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.copies import copied
from phosphene.core.maps import fields_of
from phosphene.core.network import Network
from phosphene.core.record import record
from phosphene.errors import NetworkError, SettingError, first_line
from phosphene.transfer.detection.layout import (
    Layout,
    check_pooled,
    layers_behind,
    not_reached,
)
from phosphene.transfer.detection.roi_pool import cells_of, pool_cells

# The deviations of the initial weights of class scores and of box regression.
SCORES, MOVES = 0.01, 0.001
_BATCH_NORMS = nn.modules.batchnorm._BatchNorm


class FastRcnn(nn.Module):
    """The detector.

    Attributes:
        trunk: A copy of the network's module.
        layout: How it is parted.
        classes: How many there are, without the ground, which is class 0 here.
        padded: Whether photographs that differ in size are looked at together.
        scale: Cells of the maps per pixel.
        offset: (x, y), the pixel that cell (0, 0) stands for.

    Args:
        net: The network; it stays as it is.
        layout: See `layout.layout_of`.
        classes: How many classes there are.
        hidden: Widths of the new layers, where the network's own are not used.
        rf_offset: Whether cell (0, 0) stands for the middle of its receptive field (pixel 14 for
            the motion AlexNet), or, as Caffe has it, for pixel 0.
        freeze_conv1: Whether the first convolution keeps its weights, as in the published setup of
            CaffeNet.
        padded: Whether photographs that differ in size are padded and looked at together.
        seed: Of the new weights.

    Raises:
        UnknownLayer: The layout names layers that the network has not, or that have no maps.
        SettingError: The layout does not fit.
    """

    def __init__(
        self,
        net: Network,
        layout: Layout,
        classes: int,
        *,
        hidden: Sequence[int] = (1024, 1024),
        rf_offset: bool = False,
        freeze_conv1: bool = False,
        padded: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        _, codes = net.record(net.blank(), [layout.layer])
        (field,) = fields_of(net, [layout.layer], codes)
        check_pooled(layout, field.stride)
        self.layout, self.classes, self.padded = layout, classes, padded
        self.scale = 1 / field.stride[0]
        self.offset = (field.centre[1], field.centre[0]) if rf_offset else (0.0, 0.0)
        self._preprocessing = net.preprocessing
        self._address = net.address(layout.layer)
        with net.running(gradients=False):
            self.trunk = copied(net).module.eval().requires_grad_(True)
        blank = net.blank().detach()
        with torch.no_grad():
            outside = not_reached(self.trunk, blank, self._address)
            self._own = self._layers(net, blank)
        # What never runs has no derivative, which several processes would wait for.
        for module in outside:
            if not any(module is own for own in self._own):
                module.requires_grad_(False)
        if freeze_conv1:
            _first_convolution(self.trunk).requires_grad_(False)
        generator = torch.Generator().manual_seed(seed)
        channels = int(codes[layout.layer].shape[1])
        with torch.random.fork_rng(devices=[]):
            like = next(self.trunk.parameters())
            widths = () if self._own else hidden
            self.new = _fresh(channels * layout.pooled**2, widths, generator).to(like)
            with torch.no_grad():
                pooled = torch.zeros(1, channels, layout.pooled, layout.pooled).to(like)
                width = self._width(pooled)
            self.scores = nn.Linear(width, classes + 1)
            self.moves = nn.Linear(width, 4 * (classes + 1))
        for layer, deviation in ((self.scores, SCORES), (self.moves, MOVES)):
            nn.init.normal_(layer.weight, std=deviation, generator=generator)
            nn.init.zeros_(layer.bias)
            layer.to(like)
        self.register_buffer("means", torch.zeros(classes + 1, 4, device=like.device))
        self.register_buffer("deviations", torch.ones(classes + 1, 4, device=like.device))
        self.means: Tensor
        self.deviations: Tensor

    def train(self, mode: bool = True) -> FastRcnn:
        """Go into training mode, all but batch normalization."""
        super().train(mode)
        for module in self.trunk.modules():
            if isinstance(module, _BATCH_NORMS):
                module.eval()
        return self

    def forward(self, images: Sequence[Tensor], rois: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Judge regions.

        Args:
            images: (3, h, w) each, RGB in [0, 1], of any sizes.
            rois: (n, 4) of each: x and y of the first and of the last pixel inside.

        Returns:
            (all n, classes + 1) scores before the softmax, the ground's first, and
            (all n, classes + 1, 4) offsets, less their mean and over their deviation.
        """
        pooled = [
            self.pooled(maps, cells_of(_numbered(own), self.scale, self.offset))
            for maps, own in zip(self.maps(images), rois, strict=True)
        ]
        return self.judged(torch.cat(pooled))

    def maps(self, images: Sequence[Tensor]) -> list[Tensor]:
        """Return the maps of photographs, (1, k, h', w') each; those of one size are seen at once.

        With `padded` all are, and the maps are as large as those of the largest height and width.

        Args:
            images: As for `forward`.
        """
        if self.padded:
            tall, wide = (max(image.shape[axis] for image in images) for axis in (1, 2))
            each = [self._preprocessing.normalize(image[None]) for image in images]
            alike = [F.pad(one, (0, wide - one.shape[3], 0, tall - one.shape[2])) for one in each]
            return list(torch.split(self._mapped(torch.cat(alike)), 1))
        found: dict[int, Tensor] = {}
        sizes = [tuple(image.shape) for image in images]
        for size in dict.fromkeys(sizes):
            same = [i for i, own in enumerate(sizes) if own == size]
            x = self._preprocessing.normalize(torch.stack([images[i] for i in same]))
            found.update(zip(same, torch.split(self._mapped(x), 1), strict=True))
        return [found[i] for i in range(len(images))]

    def _mapped(self, x: Tensor) -> Tensor:
        _, captures = record(self.trunk, x, [self._address], stop=True, live=True)
        value = captures[self._address].value
        assert value is not None
        return value

    def pooled(self, maps: Tensor, cells: Tensor) -> Tensor:
        """Pool (n, 5) regions of cells from the maps of a photograph."""
        return pool_cells(maps, cells, self.layout.pooled)

    def judged(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores and offsets of pooled regions; see `forward`."""
        code = self._judged(pooled)
        return self.scores(code), self.moves(code).view(len(code), self.classes + 1, 4)

    def _judged(self, pooled: Tensor) -> Tensor:
        x = pooled
        for layer in self._own:
            x = layer(x.flatten(1) if isinstance(layer, nn.Linear) else x)
        # A fully connected layer that pads has maps still: its mean stands for the region.
        x = x.mean((2, 3)) if self._own and x.ndim == 4 else x.flatten(1)
        judged: Tensor = self.new(x)
        return judged

    def _width(self, pooled: Tensor) -> int:
        try:
            return int(self._judged(pooled).shape[1])
        except (RuntimeError, NetworkError) as error:
            first, last = self.layout.head or ("", "")
            side = self.layout.pooled
            raise SettingError(
                f"layers {first} to {last} do not take regions of {side}x{side} cells of "
                f"{self.layout.layer!r} ({first_line(error)}): pool as many as they know, or take "
                "new layers"
            ) from None

    def _layers(self, net: Network, blank: Tensor) -> tuple[nn.Module, ...]:
        # A plain tuple: these are the trunk's children, and registered there.
        if self.layout.head is None:
            return ()
        first, last = map(net.address, self.layout.head)
        return tuple(layers_behind(self.trunk, blank, first, last, self._address))


def _numbered(rois: Tensor) -> Tensor:
    return torch.cat((rois.new_zeros(len(rois), 1), rois), dim=1)


def _fresh(channels: int, widths: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """Make new fully connected layers, drawn after He et al. (ICCV 2015)."""
    layers: list[nn.Module] = []
    for width in widths:
        linear = nn.Linear(channels, width)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu", generator=generator)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU(), nn.Dropout(0.5)]
        channels = width
    return nn.Sequential(*layers)


def _first_convolution(module: nn.Module) -> nn.Module:
    for child in module.modules():
        if isinstance(child, nn.Conv2d):
            return child
    raise SettingError("the network has no convolution that could keep its weights")
