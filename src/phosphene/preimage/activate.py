"""Activation maximisation: which image excites a unit most?

The unit sits in the middle of a map a little larger than its receptive field, on an image just
large enough for that map; its activation is weighed by `w = 1e4 / (rho^2 M)`, with rho the side of
the receptive field and M its largest activation on real images, which brings units of all layers
to one scale.

*Reference.* Mahendran & Vedaldi, IJCV 2016, section 6; thesis 2018, section 5.4. *Departures.* IJCV
prints the weight upside down and the thesis without the 1e4 of the authors' code; the code gives
all units of a mosaic the M of one of them, and optimises them in one image: here each has its own
M and its own image, in one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from phosphene.core.network import Network
from phosphene.core.receptive_field import ReceptiveField
from phosphene.core.seed import as_maps
from phosphene.core.shapes import output_shape
from phosphene.errors import NetworkError, UnitError
from phosphene.preimage.canvas import PixelSpace
from phosphene.preimage.descent import Settings
from phosphene.preimage.energy import Energy, Prior
from phosphene.preimage.maxima import Maxima
from phosphene.preimage.objectives import Maximize
from phosphene.preimage.priors import NATURAL
from phosphene.preimage.result import PreImage
from phosphene.preimage.solve import canvas_for, facts_of, solve, sum_of


def activate(
    net: Network,
    units: int | Sequence[int],
    layer: str,
    maxima: Maxima,
    *,
    strength: float = 1.0,
    repeats: int = 1,
    size: tuple[int, int] | None = None,
    priors: Sequence[Prior] | Energy = NATURAL,
    jitter: int | None = None,
    settings: Settings | None = None,
    seed: int = 0,
) -> PreImage:
    """Find images that excite units most.

    Args:
        net: The network.
        units: Channels of the layer.
        layer: The layer.
        maxima: M of its channels, from `measure_maxima`.
        strength: C.
        repeats: How many images of each unit, from different noise.
        size: (h, w) of the image; by the receptive field if `None` (`size_for`).
        priors: Terms beside the objective.
        jitter: T; a quarter of the layer's stride if `None`.
        settings: Constants of Algorithm 1; the papers' if `None`.
        seed: Start of the random numbers; the r-th image of a unit starts from `seed + r`.

    Returns:
        The images, unit by unit.

    Raises:
        UnknownLayer: There is no such layer.
        UnitError: There is no such unit, it was never active, or the maxima are of another layer.
    """
    chosen = [units] if isinstance(units, int) else list(units)
    if maxima.layer != layer:
        raise UnitError(f"these maxima are of layer {maxima.layer!r}, and {layer!r} was asked for")
    settings = settings or Settings()
    field = net.receptive_field(layer)
    view = size_for(net, layer, field) if size is None else View(size, _map(net, layer, size))
    rho = max(field.size) if field else max(view.size)
    scale = [1e4 / (rho**2 * maxima.of(unit)) for unit in chosen]
    batch = len(chosen) * repeats
    code = output_shape(net[layer], view.size)
    blank = net.blank(view.size).detach()
    maps, back = as_maps(blank.new_zeros(batch, *code[1:]))
    row, column = view.centre
    for index in range(batch):
        maps[index, chosen[index // repeats], row, column] = scale[index // repeats]
    space = PixelSpace.of(net.preprocessing, blank)
    canvas = canvas_for(view.size, field, jitter)
    energy = sum_of(strength * Maximize(back(maps)), priors)
    x = canvas.noise([seed + i % repeats for i in range(batch)], blank.shape[1]).to(blank)
    generator = torch.Generator().manual_seed(seed)
    trace = solve(energy, net[layer].of_input, x, canvas, space, settings, generator)
    found = space.to_rgb(canvas.crop(x, canvas.middle)).clamp(0, 1)
    names = tuple(f"unit {unit}" for unit in chosen for _ in range(repeats))
    over = f"over {maxima.count} images"
    facts = facts_of(net, layer, energy, canvas, settings, seed, maxima=over)
    return PreImage(found, names, trace, net.name, layer, None, None, facts)


@dataclass(frozen=True)
class View:
    """How large an image a unit is shown, and how large a map the layer makes of it.

    Attributes:
        size: (h, w) of the image.
        sites: (rows, columns) of the layer's map.
    """

    size: tuple[int, int]
    sites: tuple[int, int]

    @property
    def centre(self) -> tuple[int, int]:
        """Row and column of the unit in the middle."""
        return (self.sites[0] - 1) // 2, (self.sites[1] - 1) // 2


def size_for(net: Network, layer: str, field: ReceptiveField | None) -> View:
    """Find the image that units of a layer are maximised on.

    The largest square whose map is no larger than `round(1.1 rho / stride)` sites, made odd
    (authors' code). Networks whose fully connected layers take one size only, and layers without
    a receptive field of their own, get the size the network was made for.

    Args:
        net: The network.
        layer: The layer.
        field: Its receptive field.
    """
    native = net.preprocessing.input_size
    if field is None or min(field.stride) <= 0:
        return View(native, _map(net, layer, native))
    stride, rho = max(field.stride), max(field.size)
    sites = round(1.1 * rho / stride)
    sites += 1 - sites % 2
    low, high = 1, int(rho + (sites + 2) * stride)
    if _sites(net, layer, high) is None:
        return View(native, _map(net, layer, native))
    # The map grows with the image: bisect for the last size that is not too large.
    while low < high:
        middle = (low + high + 1) // 2
        made = _sites(net, layer, middle)
        low, high = (middle, high) if made is None or made <= sites else (low, middle - 1)
    return View((low, low), _map(net, layer, (low, low)))


def _sites(net: Network, layer: str, side: int) -> int | None:
    try:
        return max(_map(net, layer, (side, side)))
    except NetworkError:
        return None  # too small an image for the layers in front


def _map(net: Network, layer: str, size: tuple[int, int]) -> tuple[int, int]:
    shape = output_shape(net[layer], size)
    rows, columns = (*shape[2:], 1, 1)[:2]
    return rows, columns
