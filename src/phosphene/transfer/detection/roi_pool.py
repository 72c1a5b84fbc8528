"""Max-pooling of regions of a map to one size.

A region of interest (He et al., ECCV 2014; Girshick, ICCV 2015) is brought from pixels to cells of
a map, rounded, and divided into h x w bins, of which each gives its largest value. Caffe's layer
and `torchvision.ops.roi_pool` do

    x0 = round(x0 s), ..., y1 = round(y1 s),           halves away from 0
    width = max(x1 - x0 + 1, 1)                        the last cell is inside
    bin k = floor(k width / w) + x0 ... ceil((k + 1) width / w) + x0 - 1

so that bins may share cells; a bin without a cell of the map gives 0. Of several largest values the
first, row by row, gets all of the derivative, which matters behind ReLUs, whose zeros are alike.

Both write loops in C++ and CUDA. Here it is PyTorch's own operations: maxima over windows of
1, 2, 4, ... cells are found by doubling, and a bin is covered by four of these (a sparse table).
What is compared are whole numbers that hold a value's bits above and its place below, so that the
maximum knows where it was. Values are then read from there, and derivatives flow through reading.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from phosphene.errors import SettingError


def roi_pool(
    features: Tensor,
    rois: Tensor,
    size: int | tuple[int, int],
    scale: float = 1.0,
    offset: tuple[float, float] = (0.0, 0.0),
) -> Tensor:
    """Pool regions.

    Args:
        features: (b, c, h, w).
        rois: (n, 5): number of the map, x and y of the first pixel inside, x and y of the last.
        size: (h, w) of the result, or both.
        scale: Cells of the map per pixel: 1/16 behind four halvings.
        offset: (x, y), the pixel that the middle of cell (0, 0) looks at; (0, 0) is Caffe's.

    Returns:
        (n, c, h', w'), differentiable with respect to `features`. A NaN is larger than all else.

    Raises:
        SettingError: A region is of no map that there is.

    >>> features = torch.arange(16.0).view(1, 1, 4, 4)
    >>> roi_pool(features, torch.tensor([[0.0, 0.0, 0.0, 3.0, 3.0]]), 2)[0, 0]
    tensor([[ 5.,  7.],
            [13., 15.]])
    """
    return pool_cells(features, cells_of(rois, scale, offset), size)


def cells_of(rois: Tensor, scale: float, offset: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    """Round regions of pixels to cells of a map.

    Regions of the same cells have the same features.

    Args:
        rois: As for `roi_pool`.
        scale: As for `roi_pool`.
        offset: As for `roi_pool`.

    Returns:
        (n, 5) int64.
    """
    shift = rois.new_tensor((*offset, *offset))
    at = (rois[:, 1:] - shift) * scale
    whole = at.trunc()
    # The rest is exact; adding a half before would not be.
    away = whole + at.sign() * ((at - whole).abs() >= 0.5)
    return torch.cat((rois[:, :1], away), dim=1).long()


def pool_cells(features: Tensor, cells: Tensor, size: int | tuple[int, int]) -> Tensor:
    """Pool regions of cells; see `roi_pool`.

    Args:
        features: (b, c, h, w).
        cells: (n, 5) int64: number of the map, x and y of the first cell, x and y of the last.
        size: (h, w) of the result, or both.

    Raises:
        SettingError: A region is of no map that there is.
    """
    down, across = (size, size) if isinstance(size, int) else size
    b, c, h, w = features.shape
    if len(cells) and not (int(cells[:, 0].min()) >= 0 and int(cells[:, 0].max()) < b):
        raise SettingError(f"a region is of no map: there are {b}, counted from 0")
    # Half precision has too few digits for places; torchvision refuses it on the CPU.
    exact = torch.float64 if features.dtype == torch.float64 else torch.float32
    top, bottom = _bins(cells[:, 2], cells[:, 4], down, h, exact)
    left, right = _bins(cells[:, 1], cells[:, 3], across, w, exact)
    with torch.no_grad():
        first = (cells[:, 0] * (h * w))[:, None, None]
        found, empty = _largest(features, first, (top, bottom), (left, right))
    source = features.permute(0, 2, 3, 1).reshape(b * h * w, c)
    pooled = source.gather(0, found).masked_fill(empty[:, None], 0)
    return pooled.view(len(cells), down, across, c).permute(0, 3, 1, 2).contiguous()


def _bins(
    first: Tensor, last: Tensor, count: int, extent: int, exact: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Divide intervals of cells: (n, count) first cells, and the first ones outside."""
    step = ((last - first + 1).clamp(min=1).to(exact) / count)[:, None]
    number = torch.arange(count, device=first.device, dtype=exact)
    low = (number * step).floor().long() + first[:, None]
    high = ((number + 1) * step).ceil().long() + first[:, None]
    return low.clamp(0, extent), high.clamp(0, extent)


def _largest(
    features: Tensor, first: Tensor, rows: tuple[Tensor, Tensor], columns: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Find where in (b h w, c) the largest values of bins are: (n bins, c); and what is empty."""
    b, c, h, w = features.shape
    (top, bottom), (left, right) = rows, columns
    many = (len(top), top.shape[1], left.shape[1])
    empty = ((bottom <= top)[:, :, None] | (right <= left)[:, None]).flatten()
    tall, wide = _exponent(bottom - top), _exponent(right - left)
    best = torch.zeros(len(empty), c, dtype=torch.int64, device=features.device)
    kind = (tall[:, :, None] * _LEVELS + wide[:, None]).flatten().masked_fill(empty, -1)
    for level, table in _tables(_keys(features), sorted(set(kind.tolist()) - {-1})):
        chosen = (kind == level).nonzero()[:, 0]
        y_step, x_step = (2 ** (level // _LEVELS), 2 ** (level % _LEVELS))
        corners = [
            (first + y[:, :, None] * w + x[:, None]).expand(many).flatten()[chosen]
            for y in (top, bottom - y_step)
            for x in (left, right - x_step)
        ]
        flat = table.view(b * h * w, c)
        most = flat[corners[0]]
        for corner in corners[1:]:
            torch.maximum(most, flat[corner], out=most)
        best[chosen] = most
    place = h * w - 1 - (best & _LOW)
    start = first.expand(many).flatten()[:, None]
    return (place + start).masked_fill(empty[:, None], 0), empty


_LEVELS = 32
_LOW = 2**32 - 1


def _exponent(lengths: Tensor) -> Tensor:
    """Return the largest k with 2^k <= length."""
    return torch.frexp(lengths.clamp(min=1).double()).exponent.long() - 1


def _keys(features: Tensor) -> Tensor:
    """Make (b, h, w, c) whole numbers that are ordered as the values, and the earlier first."""
    values = features.detach().permute(0, 2, 3, 1).contiguous()
    if values.dtype == torch.float64:
        level: Tensor = torch.unique(values, return_inverse=True)[1]
    else:
        values = values.float()
        # Adding 0 makes one zero of two. Bits are ordered as numbers, but for a sign in front.
        bits = torch.where(values.isnan(), torch.inf, values + 0.0).view(torch.int32)
        level = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).long()
    h, w = values.shape[1:3]
    places = torch.arange(h * w - 1, -1, -1, device=values.device).view(h, w, 1)
    return (level << 32) | places


def _tables(keys: Tensor, levels: list[int]) -> Iterator[tuple[int, Tensor]]:
    """Yield, for each level, the maxima over windows of 2^k rows and 2^l columns from a cell on."""
    tall, table = 0, keys
    for row in sorted({level // _LEVELS for level in levels}):
        while tall < row:
            table = _doubled(table, 1, 2**tall)
            tall += 1
        wide, across = 0, table
        for column in sorted({level % _LEVELS for level in levels if level // _LEVELS == row}):
            while wide < column:
                across = _doubled(across, 2, 2**wide)
                wide += 1
            yield row * _LEVELS + column, across


def _doubled(table: Tensor, axis: int, step: int) -> Tensor:
    """Make windows twice as long; those that do not fit are not asked for."""
    length = table.shape[axis] - step
    made = table.clone()
    made.narrow(axis, 0, length).copy_(
        torch.maximum(table.narrow(axis, 0, length), table.narrow(axis, step, length))
    )
    return made
