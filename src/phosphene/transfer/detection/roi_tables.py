"""Where the largest values of any bins are, by tables of maxima (sparse tables).

Maxima over windows of 1, 2, 4, ... cells are found by doubling, and a bin is covered by four of
these. What is compared are whole numbers that hold a value's bits above and its place below, so
that the maximum knows where it was, and of equal values the first, row by row, is the largest.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

Intervals = tuple[Tensor, Tensor]


def places_by_tables(
    features: Tensor, maps: Tensor, rows: Intervals, columns: Intervals, empty: Tensor
) -> Tensor:
    """Find the largest values of bins, whatever bins there are.

    Args:
        features: (b, c, h, w).
        maps: (n,) numbers of the maps.
        rows: (n, h') first rows of bins, and the first ones outside.
        columns: (n, w') first columns, and the first ones outside.
        empty: (n, h', w'), bins without a cell, which are not looked at.

    Returns:
        (n, h', w', c) int64, places in b h w; 0 in empty bins.
    """
    b, c, h, w = features.shape
    (top, bottom), (left, right) = rows, columns
    many, first = empty.shape, (maps * (h * w))[:, None, None]
    tall, wide = _exponent(bottom - top), _exponent(right - left)
    best = torch.zeros(empty.numel(), c, dtype=torch.int64, device=features.device)
    kind = (tall[:, :, None] * _LEVELS + wide[:, None]).masked_fill(empty, -1).flatten()
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
    places = (h * w - 1 - (best & _LOW)).view(*many, c) + first[..., None]
    return places.masked_fill(empty[..., None], 0)


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
