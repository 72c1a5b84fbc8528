"""The patch that hides a part of an image, and the places it is put at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from phosphene.core.incremental.engine import Windows
from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import SettingError

Sides = int | tuple[int, int]
Border = Literal["over", "inside"]
Fill = Literal["mean", "gray", "black"] | float | Sequence[float]


@dataclass(frozen=True, eq=False)
class Occluder:
    """A patch of one colour and the grid of its places.

    Attributes:
        patch: (height, width), pixels.
        stride: (down, right) from one place to the next, pixels.
        y: (rows,) centres of the patch, pixels: of a patch over rows 0 to 2 it is 1. Of a patch
            that the border cuts it is the centre it would have uncut.
        x: (columns,) likewise.
        windows: What of the patch lies on the image, for every row and column.
        color: What it shows, in [0, 1], per channel of the image; empty for the mean image of the
            preprocessing, which differs from place to place.
        name: What to call it.
        border: How places at the border are chosen.
    """

    patch: tuple[int, int]
    stride: tuple[int, int]
    y: Tensor
    x: Tensor
    windows: Windows = field(repr=False)
    color: tuple[float, ...]
    name: str
    border: Border

    @classmethod
    def of(
        cls,
        preprocessing: Preprocessing,
        image: Tensor,
        patch: Sides | None,
        stride: Sides | None,
        fill: Fill,
        border: Border,
    ) -> Occluder:
        """Make one for an image, with defaults; see `occlude`.

        Raises:
            SettingError: Patch, stride, fill or border cannot be.
        """
        size = (int(image.shape[2]), int(image.shape[3]))
        if border not in get_args(Border):
            raise SettingError(f"border={border!r} is neither 'over' nor 'inside'")
        height, width = _sides("patch", patch, max(1, round(min(size) * 50 / 224)))
        down, right = _sides("stride", stride, max(1, round(min(size) / 28)))
        if height > size[0] or width > size[1]:
            raise SettingError(
                f"a patch of {height}x{width} px is larger than the image of {size[0]}x{size[1]}: "
                "choose a smaller one"
            )
        y, rows = _places(size[0], height, down, border)
        x, columns = _places(size[1], width, right, border)
        color, name = _color(fill, preprocessing, image)
        windows = Windows(rows, columns)
        return cls((height, width), (down, right), y, x, windows, color, name, border)

    @property
    def facts(self) -> Mapping[str, str]:
        """What was done, in words."""
        (height, width), (down, right) = self.patch, self.stride
        places = f"{len(self.y)}x{len(self.x)}, {self.border} the border"
        return {
            "patch": f"{height}x{width} px, {self.name}",
            "stride": f"{down}x{right} px",
            "places": places,
        }

    def shown(self, net: Network, x: Tensor) -> Tensor:
        """Return what it shows as (1, c, h, w) of the network's own input, like `x`."""
        if not self.color:
            return torch.zeros_like(x)
        color = x.new_tensor(self.color).view(1, -1, 1, 1)
        return net.input_of(color.expand(-1, -1, *x.shape[-2:]))

    def box(self, row: int, column: int) -> tuple[slice, slice]:
        """Return the rows and columns of the image that it hides at a place."""
        return slice(*self.windows.rows[row]), slice(*self.windows.columns[column])


def _sides(name: str, given: Any, otherwise: int) -> tuple[int, int]:
    both = otherwise if given is None else given
    both = (both, both) if not isinstance(both, tuple | list) else tuple(both)
    whole = all(isinstance(n, Integral) and not isinstance(n, bool) for n in both)
    if len(both) != 2 or not whole or min(both) < 1:
        raise SettingError(f"{name}={given!r} is no number of pixels: give 1 or more, or a pair")
    return int(both[0]), int(both[1])


def _places(
    size: int, patch: int, stride: int, border: Border
) -> tuple[Tensor, tuple[tuple[int, int], ...]]:
    """Return centres, and first row and the one behind the last of what is hidden."""
    if border == "inside":
        count = 1 + math.ceil((size - patch) / stride)
        # A stride longer than the patch may step over the border: nothing would be hidden there.
        firsts = [i * stride for i in range(count) if i * stride < size]
    else:
        # Centres every stride pixels, as far from one border as from the other.
        count = math.ceil(size / stride)
        start = ((size - 1) - (count - 1) * stride - (patch - 1)) // 2
        firsts = [start + i * stride for i in range(count)]
    centers = torch.tensor([first + (patch - 1) / 2 for first in firsts])
    return centers, tuple((max(0, first), min(size, first + patch)) for first in firsts)


def _color(fill: Any, preprocessing: Preprocessing, image: Tensor) -> tuple[tuple[float, ...], str]:
    channels = int(image.shape[1])
    if isinstance(fill, str) and fill == "mean" and any(preprocessing.mean):
        if preprocessing.mean_image is not None and preprocessing.mean_image.shape[1:] == tuple(
            image.shape[-2:]
        ):
            return (), "mean image"
        count = max(len(preprocessing.mean), len(preprocessing.std))
        mean = preprocessing.denormalize(torch.zeros(1, count, 1, 1)).flatten().tolist()
        # A gray network's mean is one number, its image may have three channels.
        return tuple(mean * channels if len(mean) == 1 else mean), "mean color"
    named = {"mean": 0.5, "gray": 0.5, "black": 0.0}
    if isinstance(fill, str) and fill in named:
        return (named[fill],) * channels, "black" if fill == "black" else "mid-gray"
    numbers = list(fill) if isinstance(fill, tuple | list) else [fill]
    plain = all(isinstance(n, Real) and not isinstance(n, bool) for n in numbers)
    if not plain or len(numbers) not in (1, channels) or not all(0 <= n <= 1 for n in numbers):
        raise SettingError(
            f"fill={fill!r} is no color: give 'mean', 'gray', 'black', a number in [0, 1], or "
            f"{channels} of them"
        )
    color = tuple(map(float, numbers * (channels if len(numbers) == 1 else 1)))
    return color, f"color ({', '.join(f'{n:g}' for n in color)})"
