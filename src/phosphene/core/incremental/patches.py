"""Maps that differ from clean ones in a rectangle of each image.

A batch of images that differ from one clean image in a window each has, behind every layer, maps
that differ from the clean ones within the window's cone. Kept are the clean maps, once, and for
each image a crop that holds all that has changed; crops of a batch have one size and a place of
their own. A crop may hold unchanged places too: they are what the clean maps have there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

Margins = tuple[int, int, int, int]
"""Rows above and below, columns to the left and right, that a map is continued by."""


@dataclass(frozen=True)
class Place:
    """Where on maps the crops of a batch lie: rectangles of one size.

    Attributes:
        tops: First row for each image; may be negative, in a map that is continued.
        lefts: First column for each image.
        height: Rows.
        width: Columns.
    """

    tops: tuple[int, ...]
    lefts: tuple[int, ...]
    height: int
    width: int

    def __len__(self) -> int:
        return len(self.tops)


@dataclass(frozen=True, eq=False)
class Clean:
    """Maps of the clean image, with what is made of them once.

    Attributes:
        value: (1, ..., H, W).
    """

    value: Tensor
    _continued: dict[tuple[Margins, float], Tensor] = field(default_factory=dict)
    _sums: list[Tensor] = field(default_factory=list)

    def continued(self, margins: Margins, fill: float) -> Tensor:
        """Return the maps continued by margins of a constant."""
        if not any(margins):
            return self.value
        key = (margins, fill)
        if key not in self._continued:
            top, bottom, left, right = margins
            padded = F.pad(self.value, (left, right, top, bottom), value=fill)
            self._continued[key] = laid_out(padded)
        return self._continued[key]

    def cut(self, place: Place, margins: Margins = (0, 0, 0, 0), fill: float = 0.0) -> Tensor:
        """Copy rectangles out of the maps continued by margins: (b, ..., h, w)."""
        source = self.continued(margins, fill)
        crops = _like(source, (len(place), *source.shape[1:-2], place.height, place.width))
        for i, (top, left) in enumerate(zip(place.tops, place.lefts, strict=True)):
            rows = slice(top + margins[0], top + margins[0] + place.height)
            columns = slice(left + margins[2], left + margins[2] + place.width)
            crops[i].copy_(source[0, ..., rows, columns])
        return crops

    def outside(self, place: Place) -> Tensor:
        """Sum the maps over all that lies outside of rectangles within them: (b, ...), float64."""
        if not self._sums:
            sums = self.value[0].double().cumsum(-1).cumsum(-2)
            self._sums.append(F.pad(sums, (1, 0, 1, 0)))
        sums = self._sums[0]
        top, left = torch.tensor(place.tops), torch.tensor(place.lefts)
        bottom, right = top + place.height, left + place.width
        inside = sums[..., bottom, right] - sums[..., top, right]
        inside = inside - sums[..., bottom, left] + sums[..., top, left]
        return (sums[..., -1, -1, None] - inside).movedim(-1, 0)


@dataclass(frozen=True, eq=False)
class Patches:
    """Maps of a batch that differ from clean ones in a crop each.

    Attributes:
        clean: Maps of the clean image, (1, ..., H, W).
        crops: (b, ..., h, w).
        place: Where they lie, within the maps.
    """

    clean: Clean
    crops: Tensor
    place: Place

    def cut(self, place: Place, margins: Margins = (0, 0, 0, 0), fill: float = 0.0) -> Tensor:
        """Return other rectangles of the batch's maps, (b, ..., h, w), continued by margins."""
        if place == self.place:
            return self.crops
        found = self.clean.cut(place, margins, fill)
        own = self.place
        for i in range(len(place)):
            down, right = own.tops[i] - place.tops[i], own.lefts[i] - place.lefts[i]
            _paste(self.crops[i], found[i], down, right)
        return found

    def whole(self) -> Tensor:
        """Return the batch's maps, (b, ..., H, W)."""
        clean = self.clean.value
        maps = _like(clean, (len(self.place), *clean.shape[1:])).copy_(clean)
        for i, (top, left) in enumerate(zip(self.place.tops, self.place.lefts, strict=True)):
            _paste(self.crops[i], maps[i], top, left)
        return maps

    def channel(self, index: int) -> Patches:
        """Return one channel of the maps (b, c, H, W): (b, 1, H, W)."""
        part = slice(index, index + 1)
        return Patches(Clean(self.clean.value[:, part]), self.crops[:, part], self.place)

    def sum(self) -> Tensor:
        """Sum the maps over their places: (b, ...)."""
        total = self.clean.outside(self.place) + self.crops.sum((-2, -1)).double()
        return total.to(self.crops.dtype)


def _paste(crop: Tensor, maps: Tensor, down: int, right: int) -> None:
    """Write what lies within (..., H, W) of a crop (..., h, w) that begins at (down, right)."""
    (height, width), (rows, columns) = maps.shape[-2:], crop.shape[-2:]
    top, bottom = max(0, down), min(height, down + rows)
    left, end = max(0, right), min(width, right + columns)
    if top < bottom and left < end:
        part = crop[..., top - down : bottom - down, left - right : end - right]
        maps[..., top:bottom, left:end].copy_(part)


def laid_out(value: Tensor) -> Tensor:
    """Return maps, or a convolution's weights, in channels-last order; others as they are."""
    return value if value.dim() != 4 else value.contiguous(memory_format=torch.channels_last)


def _like(source: Tensor, shape: tuple[int, ...]) -> Tensor:
    form = torch.channels_last if len(shape) == 4 else torch.contiguous_format
    return torch.empty(shape, dtype=source.dtype, device=source.device, memory_format=form)
