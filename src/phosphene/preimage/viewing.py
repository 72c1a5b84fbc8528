"""How large an image units are shown, and where on the layer's map they stand."""

from __future__ import annotations

import math
from dataclasses import dataclass

from phosphene.core.network import Network
from phosphene.core.receptive_field import ReceptiveField
from phosphene.core.shapes import output_shape
from phosphene.errors import NetworkError
from phosphene.preimage.phi import cut_at


@dataclass(frozen=True)
class Tiles:
    """A square of tiles, row by row, for units that share one image.

    Attributes:
        count: How many there are.
    """

    count: int

    @property
    def side(self) -> int:
        """Tiles along a side of the square."""
        return math.ceil(math.sqrt(self.count))

    def centre(self, number: int, view: View) -> tuple[int, int]:
        """Return row and column of the middle of a tile on the layer's map."""
        rows, columns = (max(1, n // self.side) for n in view.sites)
        row, column = divmod(number, self.side)
        return row * rows + (rows - 1) // 2, column * columns + (columns - 1) // 2


@dataclass(frozen=True)
class View:
    """How large an image a unit is shown, and how large a map the layer makes of it.

    Attributes:
        size: (h, w) of the image.
        sites: (rows, columns) of the layer's map.
    """

    size: tuple[int, int]
    sites: tuple[int, int]

    @classmethod
    def of(cls, net: Network, layer: str, size: tuple[int, int]) -> View:
        """Find the map of an image size."""
        return cls(size, _map(net, layer, size))


def size_for(net: Network, layer: str, field: ReceptiveField | None, tiles: int = 1) -> View:
    """Find the image that units of a layer are maximised on.

    The largest square whose map is no larger than `round(1.1 rho / stride)` sites, made odd
    (authors' code). Networks whose fully connected layers take one size only, and layers without
    a receptive field of their own, get the size the network was made for.

    Args:
        net: The network.
        layer: The layer.
        field: Its receptive field.
        tiles: How many units stand side by side in one image.
    """
    native = net.preprocessing.input_size
    if field is None or min(field.stride) <= 0:
        return View.of(net, layer, native)
    stride, rho = max(field.stride), max(field.size)
    sites = round(1.1 * rho / stride)
    sites = max(sites, 4) if tiles > 1 else sites
    sites = (sites + 1 - sites % 2) * tiles
    low, high = 1, int(rho + (sites + 2) * stride)
    if _sites(net, layer, high) is None:
        return View.of(net, layer, native)
    # The map grows with the image: bisect for the last size that is not too large.
    while low < high:
        middle = (low + high + 1) // 2
        made = _sites(net, layer, middle)
        low, high = (middle, high) if made is None or made <= sites else (low, middle - 1)
    return View.of(net, layer, (low, low))


def _sites(net: Network, layer: str, side: int) -> int | None:
    try:
        return max(_map(net, layer, (side, side)))
    except NetworkError:
        return None  # too small an image for the layers in front


def _map(net: Network, layer: str, size: tuple[int, int]) -> tuple[int, int]:
    shape = output_shape(cut_at(net, layer), size)
    rows, columns = (*shape[2:], 1, 1)[:2]
    return rows, columns
