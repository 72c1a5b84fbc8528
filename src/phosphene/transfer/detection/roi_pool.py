"""Max-pooling of regions of a map to one size.

A region of interest (He et al., ECCV 2014; Girshick, ICCV 2015) is brought from pixels to cells of
a map, rounded, and divided into h x w bins, of which each gives its largest value. Caffe's layer
and `torchvision.ops.roi_pool` do

    x0 = round(x0 s), ..., y1 = round(y1 s),           halves away from 0
    width = max(x1 - x0 + 1, 1)                        the last cell is inside
    bin k = floor(k width / w) + x0 ... ceil((k + 1) width / w) + x0 - 1

so that bins may share cells; a bin without a cell of the map gives 0. Of several largest values the
first, row by row, gets all of the derivative, which matters behind ReLUs, whose zeros are alike.

Both write loops in C++ and CUDA. Here it is PyTorch's own operations, which say where the largest
values are: region by region on a processor (`roi_slices`), by tables of maxima for all regions at
once elsewhere (`roi_tables`). Values are read from there, and derivatives flow through reading.
"""

from __future__ import annotations

import torch
from torch import Tensor

from phosphene.errors import SettingError
from phosphene.transfer.detection.roi_slices import pool_slices, sliceable
from phosphene.transfer.detection.roi_tables import places_by_tables


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
    top, bottom = _bins(cells[:, 2], cells[:, 4], down, exact)
    left, right = _bins(cells[:, 1], cells[:, 3], across, exact)
    rows, columns = (top.clamp(0, h), bottom.clamp(0, h)), (left.clamp(0, w), right.clamp(0, w))
    empty = (rows[1] <= rows[0])[:, :, None] | (columns[1] <= columns[0])[:, None]
    learns = features.requires_grad and torch.is_grad_enabled()
    with torch.no_grad():
        quick = sliceable(features, cells, (top, left), (bottom, right))
        alike = bool(quick.all())
        where = learns or not alike
        if alike:
            pooled, places = pool_slices(features, cells, (down, across), where)
        else:
            places = places_by_tables(
                features, cells[~quick, 0], _of(rows, ~quick), _of(columns, ~quick), empty[~quick]
            )
            if quick.any():
                rest, places = places, places.new_empty(len(cells), down, across, c)
                places[~quick] = rest
                places[quick] = pool_slices(features, cells[quick], (down, across), where)[1]
    if where:
        source = features.permute(0, 2, 3, 1).reshape(b * h * w, c)
        pooled = source.gather(0, places.view(-1, c)).view(len(cells), down, across, c)
    if empty.any():
        pooled = pooled.masked_fill(empty[..., None], 0)
    return pooled.permute(0, 3, 1, 2).contiguous()


def _of(interval: tuple[Tensor, Tensor], regions: Tensor) -> tuple[Tensor, Tensor]:
    return interval[0][regions], interval[1][regions]


def _bins(first: Tensor, last: Tensor, count: int, exact: torch.dtype) -> tuple[Tensor, Tensor]:
    """Divide intervals of cells: (n, count) first cells, and the first ones outside."""
    step = ((last - first + 1).clamp(min=1).to(exact) / count)[:, None]
    number = torch.arange(count, device=first.device, dtype=exact)
    low = (number * step).floor().long() + first[:, None]
    high = ((number + 1) * step).ceil().long() + first[:, None]
    return low, high
