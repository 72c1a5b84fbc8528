"""From the map of a layer to the pixels of a label map: where codes lie, and what is between.

Interpolation is bilinear and constant beyond the outermost places, so that nothing it gives is
above the largest code of the map. Three ways to say where place k lies on the n' label pixels of an
image that the network saw with n pixels:

    centred    (c + k * s + 1/2) * n'/n - 1/2    c, s: centre and stride of the receptive field
    original   (c' // r) + k * (s // r)          r = round(n / n'), c' = offset + size // 2
    plain      (k + 1/2) * n'/m - 1/2            m places over the whole image

`centred` is what the original means, with pixels as squares and without its rounding to whole label
pixels; `original` is its arithmetic; `plain` is the resize of NetDissect-Lite.

Reference:
    D. Bau, B. Zhou, A. Khosla, A. Oliva and A. Torralba, *Network Dissection: Quantifying
    Interpretability of Deep Visual Representations*, CVPR 2017, section 2.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from phosphene.core.receptive_field import ReceptiveField
from phosphene.errors import SettingError

Way = Literal["centred", "original", "plain"]
WAYS: tuple[Way, ...] = ("centred", "original", "plain")
Ints = NDArray[np.int64]
# Pixels worked out together: what stays in the processor's nearer cache.
_TOGETHER = 1 << 16


@dataclass(frozen=True, eq=False)
class Upsampling:
    """How the maps of one layer are brought to the size of label maps.

    Attributes:
        rows: (sh, h) float32 weights; every row is 0 but for two neighbours that sum to 1.
        columns: (sw, w), likewise.
        way: How it was made; `"plain"` also where the layer has no receptive field to centre at.
    """

    rows: Tensor
    columns: Tensor
    way: Way

    def above(self, codes: Tensor, thresholds: Tensor) -> Tensor:
        """Tell where interpolated codes are above a threshold.

        The threshold is taken off before the interpolation. The sign of a difference is exact, and
        a mean of numbers that are not positive is not either: so no rounding lifts a pixel above a
        threshold that none of the codes around it exceeds.

        Args:
            codes: (n, h, w).
            thresholds: (n,).

        Returns:
            (n, sh, sw) booleans, on the CPU.
        """
        which, pixel = self.active(codes, thresholds)
        size = len(self.rows), len(self.columns)
        mask = torch.zeros(len(codes), size[0] * size[1], dtype=torch.bool)
        mask[torch.from_numpy(which), torch.from_numpy(pixel)] = True
        return mask.view(len(codes), *size)

    def active(self, codes: Tensor, thresholds: Tensor) -> tuple[Ints, Ints]:
        """Find the pixels of `above` one by one, which is cheap where they are few.

        Pixels lie in cells, between four codes; only cells with a code above the threshold at one
        of their corners are looked into.

        Returns:
            (m,) which map, and (m,) which of its sh * sw pixels, counted row by row; in any order.
        """
        over = (codes - thresholds[:, None, None]).contiguous().cpu().numpy()
        down, across = self._down, self._across
        high = across.between(down.between(over > 0, 1), 2)
        which, i, j = np.unravel_index(np.flatnonzero(high), high.shape)
        wide, deep, broad = len(self.columns), len(down.pixels), len(across.pixels)
        found = [(np.empty(0, np.int64), np.empty(0, np.int64))]
        step = max(1, _TOGETHER // (deep * broad))
        for start in range(0, len(which), step):
            n, y, x = (each[start : start + step] for each in (which, i, j))
            top, bottom, left, right = (
                down.first[y],
                down.second[y],
                across.first[x],
                across.second[x],
            )
            near, far = down.near[:, y], down.far[:, y]
            one = over[n, top, left] * near + over[n, bottom, left] * far
            two = over[n, top, right] * near + over[n, bottom, right] * far
            # Cells stand last, so that loops over them are long: (p, p', cells).
            value = one[:, None] * across.near[:, x]
            value += two[:, None] * across.far[:, x]
            place, cell = np.divmod(np.flatnonzero(value > 0), len(n))
            row, column = np.divmod(place, broad)
            pixel = down.pixels[row, y[cell]] * wide + across.pixels[column, x[cell]]
            found.append((n[cell], pixel))
        maps, pixels = zip(*found, strict=True)
        return np.concatenate(maps), np.concatenate(pixels)

    @cached_property
    def _down(self) -> _Cells:
        return _cells(self.rows)

    @cached_property
    def _across(self) -> _Cells:
        return _cells(self.columns)


@dataclass(frozen=True, eq=False)
class _Cells:
    """What lies between neighbouring places of one axis: m cells with at most p pixels.

    Attributes:
        places: How many places there are.
        first: (m,) the place in front.
        second: (m,) the place behind; the same where there is but one place.
        pixels: (p, m) pixels in between.
        near: (p, m) their weights at the place in front; 0 where a cell has fewer pixels.
        far: (p, m) likewise behind. So what is no pixel is never above a threshold.
    """

    places: int
    first: Ints
    second: Ints
    pixels: Ints
    near: NDArray[np.float32]
    far: NDArray[np.float32]

    def between(self, high: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
        """Tell of each cell whether either of its places is high along an axis."""
        if self.places == 1:
            return high
        high = np.moveaxis(high, axis, 0)
        either = high[:-1] | high[1:]
        if len(self.first) < len(either):  # cells without a pixel
            either = either[self.first]
        return np.moveaxis(either, 0, axis)


def _cells(weights: Tensor) -> _Cells:
    """Sort the pixels of an axis, (n', places) weights, into cells."""
    given = weights.numpy()
    places = given.shape[1]
    front = np.minimum((given > 0).argmax(1), max(0, places - 2))
    occupied, cell = np.unique(front, return_inverse=True)
    behind = np.minimum(occupied + 1, places - 1)
    each = np.arange(len(given))
    order = each - np.searchsorted(front, front)
    shape = int(order.max()) + 1, len(occupied)
    pixels = np.zeros(shape, np.int64)
    near, far = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    pixels[order, cell] = each
    near[order, cell] = given[each, front]
    if places > 1:
        far[order, cell] = given[each, behind[cell]]
    return _Cells(places, occupied, behind, pixels, near, far)


def upsampling(
    way: Way,
    shape: tuple[int, int],
    size: tuple[int, int],
    input_size: tuple[int, int],
    field: ReceptiveField | None,
) -> Upsampling:
    """Work out the weights for one layer.

    Args:
        way: One of `WAYS`.
        shape: (h, w) of the layer's map.
        size: (sh, sw) of the label maps.
        input_size: (h, w) of what the network is fed.
        field: The layer's receptive field, in pixels of that.

    Raises:
        SettingError: There is no such way, or the original's arithmetic would put all places on
            one label pixel.
    """
    if way not in WAYS:
        raise SettingError(f"{way!r} is no way of upsampling: choose one of {', '.join(WAYS)}")
    # Where every unit sees the whole image, there are no centres to tell places apart by.
    centred = field is not None and min(field.stride) > 0
    used: Way = way if centred else "plain"
    axes = []
    for axis in (0, 1):
        places = _places(used, shape[axis], size[axis], input_size[axis], field, axis)
        axes.append(torch.from_numpy(_weights(places, size[axis])))
    return Upsampling(axes[0], axes[1], used)


def _places(
    way: Way, count: int, labels: int, pixels: int, field: ReceptiveField | None, axis: int
) -> NDArray[np.float64]:
    """Return where on the label pixels each place of a map lies."""
    k = np.arange(count, dtype=np.float64)
    if way == "plain" or field is None:
        return (k + 0.5) * (labels / count) - 0.5
    centre, stride = field.centre[axis], field.stride[axis]
    if way == "centred":
        return (centre + k * stride + 0.5) * (labels / pixels) - 0.5
    reduction = round(pixels / labels)
    low = centre - (field.size[axis] - 1) / 2
    step = stride // reduction if reduction else 0
    if step < 1:
        raise SettingError(
            f"a stride of {stride:g} px at 1/{reduction} of the resolution is less than a label "
            "pixel, which the original's arithmetic cannot do: choose 'centred'"
        )
    return (low + field.size[axis] // 2) // reduction + k * step


def _weights(places: NDArray[np.float64], labels: int) -> NDArray[np.float32]:
    """Return (labels, places) weights of linear interpolation, constant beyond the ends."""
    # A place on a pixel is on it, not beside it by a rounding error: a code that is the threshold
    # itself would be lifted above it by the least share of its neighbour.
    places = places.round(9)
    weights = np.zeros((labels, len(places)))
    pixels = np.clip(np.arange(labels, dtype=np.float64), places[0], places[-1])
    right = np.clip(np.searchsorted(places, pixels, side="right"), 1, max(1, len(places) - 1))
    if len(places) == 1:
        weights[:, 0] = 1.0
        return weights.astype(np.float32)
    left = right - 1
    t = (pixels - places[left]) / (places[right] - places[left])
    each = np.arange(labels)
    weights[each, left] = 1.0 - t
    weights[each, right] = t
    return weights.astype(np.float32)
