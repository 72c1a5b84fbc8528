"""Where the largest values of bins are, region by region: the quick way on a processor.

The bins of a region are those of `adaptive_max_pool2d`, floor(k n / m) to ceil((k + 1) n / m), on
the part of the map that it covers: PyTorch's own kernel, which compares all channels of a cell at
once where these lie together. What this cannot do is left to `roi_tables`: maps that hold what is
not finite, regions that reach far beyond their map, and the few lengths for which floating point
rounds k n / m to the other side of a whole number (29, 57, 58 of 7 bins, say).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

# Cells that a region may reach beyond its map: clipped to a photograph, it is one by rounding.
_RIM = 2


def sliceable(
    features: Tensor, cells: Tensor, low: tuple[Tensor, Tensor], high: tuple[Tensor, Tensor]
) -> Tensor:
    """Tell of which regions `pool_slices` finds the largest values.

    Args:
        features: (b, c, h, w).
        cells: (n, 5) int64, see `roi_pool.pool_cells`.
        low: (n, h') first rows and (n, w') first columns of bins, before they are clipped.
        high: The first ones outside.

    Returns:
        (n,) bool.
    """
    possible = features.device.type == "cpu" and bool(features.isfinite().all())
    fine = torch.full((len(cells),), possible, device=cells.device)
    if not possible:
        return fine
    for axis, extent in enumerate(features.shape[2:]):
        first, last = cells[:, 2 - axis], cells[:, 4 - axis]
        length = (last - first + 1).clamp(min=1)[:, None]
        count = low[axis].shape[1]
        number = torch.arange(count)
        wanted = first[:, None] + number * length // count
        ends = first[:, None] - (-(number + 1) * length) // count
        fine &= ((low[axis] == wanted) & (high[axis] == ends)).all(1)
        fine &= (first >= -_RIM) & (first + length[:, 0] <= extent + _RIM)
    return fine


def pool_slices(
    features: Tensor, cells: Tensor, size: tuple[int, int], where: bool
) -> tuple[Tensor, Tensor]:
    """Find the largest values of the bins of regions that are `sliceable`.

    Args:
        features: (b, c, h, w).
        cells: (n, 5) int64.
        size: (h', w') bins.
        where: Whether to say where they are.

    Returns:
        (n, h', w', c) values, -inf in empty bins; and (n, h', w', c) int64, their places in b h w
        (any, in empty bins), or nothing.
    """
    c, h, w = features.shape[1:]
    values = features if features.dtype == torch.float64 else features.float()
    # Nothing is smaller than what is put around it.
    wide = F.pad(values, (_RIM,) * 4, value=-torch.inf)
    wide = wide.contiguous(memory_format=torch.channels_last)
    every = torch.arange(features.shape[0] * h * w).view(-1, h, w)
    places = F.pad(every, (_RIM,) * 4)
    largest = torch.empty(len(cells), *size, c, dtype=values.dtype)
    found = torch.empty(len(cells) * where, *size, c, dtype=torch.int64)
    for region, (number, left, top, right, bottom) in enumerate(cells.tolist()):
        rows = slice(top + _RIM, max(bottom, top) + _RIM + 1)
        columns = slice(left + _RIM, max(right, left) + _RIM + 1)
        part = wide[number : number + 1, :, rows, columns]
        most, at = F.adaptive_max_pool2d(part, size, return_indices=True)
        largest[region] = most[0].permute(1, 2, 0)
        if where:
            torch.take(places[number, rows, columns], at[0].permute(1, 2, 0), out=found[region])
    return largest.to(features.dtype), found
