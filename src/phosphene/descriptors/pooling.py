"""From votes at pixels to histograms of cells: windows on a regular grid.

Windows are separable, so that votes are first summed along each line of the image, then down the
lines. An image goes through in strips of a few lines, which stay in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from phosphene.descriptors.orientations import Vote

_STRIP = 1 << 16
_ON_GPU = 1 << 24
_CHUNK = 32


def strips(gx: Tensor, gy: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Cut gradients (b, h, w) into strips (lines, w) of all images' lines, one after another."""
    width = gx.shape[-1]
    most = _ON_GPU if gx.is_cuda else _STRIP
    lines = max(1, most // max(width, 1))
    parts = (torch.split(g.reshape(-1, width), lines) for g in (gx, gy))
    yield from zip(*parts, strict=True)


@dataclass(frozen=True)
class Axis:
    """Cells along one side of an image; each pixel votes for the two nearest by its distance.

    Attributes:
        pixels: How many pixels vote.
        cells: How many cells there are.
        cell: Pixels between their centres.
        first: Pixel, of those that vote, at which the first cell begins: its centre lies
            `(cell - 1) / 2` further.
    """

    pixels: int
    cells: int
    cell: int
    first: int = 0

    # An axis is a value; and what is kept must serve where gradients are wanted, too.
    @lru_cache(maxsize=64)  # noqa: B019
    @torch.inference_mode(False)
    def nearest(self, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return for each pixel the cell below it, and the share of that one.

        Cells are int32, from -1; the share of the other is what is left. It is rounded to single
        precision as in VLFeat.
        """
        x = torch.arange(self.pixels, dtype=torch.float64) - self.first
        place = ((x + 0.5) / self.cell - 0.5).float()
        below = place.floor()
        share = (1 - (place - below)).to(device=device, dtype=dtype)
        return below.to(device=device, dtype=torch.int32), share

    @lru_cache(maxsize=64)  # noqa: B019
    @torch.inference_mode(False)
    def matrix(self, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Return (cells, pixels): each pixel's share in each cell."""
        below, share = self.nearest(dtype, device)
        cells = torch.arange(self.cells, device=device)[:, None]
        return (below == cells) * share + (below + 1 == cells) * (1 - share)


def line_histograms(votes: Iterable[Vote], count: int, columns: Axis) -> Tensor:
    """Gather the votes of each line in the columns of cells.

    Args:
        votes: What each pixel gives (lines, w), and to which bins.
        count: How many bins there are.
        columns: Cells from left to right.

    Returns:
        (lines, count * (columns.cells + 3)): a place before and two behind the cells of each bin
        take what is given to cells that are not there.
    """
    places = columns.cells + 3
    sums = offset = None
    for given, bins in votes:
        below, share = columns.nearest(given.dtype, given.device)
        if offset is None or sums is None:
            line = torch.arange(len(given), device=given.device, dtype=torch.int32)
            line = line[:, None] * (count * places)
            offset = line + (below.clamp(max=columns.cells) + 1)
            sums = given.new_zeros(len(given) * count * places)
        target = (bins * places).add_(offset)
        part = given * share
        sums = sums.index_add_(0, target.view(-1), part.view(-1))
        sums = sums.index_add_(0, (target + 1).view(-1), (given - part).view(-1))
    assert sums is not None
    return sums.view(-1, count * places)


def histograms(
    strips: Iterable[Iterable[Vote]], batch: int, count: int, rows: Axis, columns: Axis
) -> Tensor:
    """Gather votes in cells.

    Args:
        strips: The votes of one strip of lines after another.
        batch: How many images.
        count: How many bins there are.
        rows: Cells from top to bottom.
        columns: Cells from left to right.

    Returns:
        (batch, count, rows.cells, columns.cells).
    """
    lines = torch.cat([line_histograms(votes, count, columns) for votes in strips])
    whole = lines.view(batch, rows.pixels, -1)
    pooled = rows.matrix(lines.dtype, lines.device) @ whole
    pooled = pooled.view(batch, rows.cells, count, -1)[..., 1 : columns.cells + 1]
    return pooled.transpose(1, 2).contiguous()


def line_maps(votes: Iterable[Vote], count: int) -> Tensor:
    """Lay out votes as one map a bin.

    Args:
        votes: What each pixel gives (lines, w), and to which bins: each pixel once to each.
        count: How many bins there are.

    Returns:
        (lines, count, w).
    """
    maps = offset = None
    for given, bins in votes:
        lines, width = given.shape
        if offset is None or maps is None:
            line = torch.arange(lines, device=given.device, dtype=torch.int32)[:, None]
            offset = line * (count * width) + torch.arange(
                width, device=given.device, dtype=torch.int32
            )
            maps = given.new_zeros(lines * count * width)
        target = (bins * width).add_(offset)
        maps = maps.index_add_(0, target.view(-1), given.reshape(-1))
    assert maps is not None
    return maps.view(lines, count, width)


@dataclass(frozen=True, eq=False)
class Windows:
    """Weighted sums of pixels along one axis, at many places.

    Attributes:
        weights: (n, pixels), each row zero but for a short stretch.
        stretches: For every few rows, which rows, and the pixels they need.
    """

    weights: Tensor
    stretches: tuple[tuple[slice, slice], ...]

    @classmethod
    def of(cls, weights: Tensor) -> Windows:
        """Take a banded matrix (n, pixels)."""
        stretches = []
        for start in range(0, len(weights), _CHUNK):
            rows = slice(start, min(start + _CHUNK, len(weights)))
            used = weights[rows].any(0).nonzero()[:, 0]
            ends = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
            stretches.append((rows, slice(*ends)))
        return cls(weights, tuple(stretches))

    def across(self, maps: Tensor) -> Tensor:
        """Sum along rows: (..., pixels) to (..., n)."""
        result: Tensor = _Across.apply(maps, self)  # type: ignore[no-untyped-call]
        return result

    def down(self, maps: Tensor) -> Tensor:
        """Sum along columns: (b, pixels, w) to (b, n, w)."""
        result: Tensor = _Down.apply(maps, self)  # type: ignore[no-untyped-call]
        return result


class _Across(torch.autograd.Function):
    """The sums of `Windows` along rows; the way back is gathered in one place."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, windows: Windows) -> Tensor:
        ctx.windows = windows
        parts = [maps[..., p] @ windows.weights[r, p].T for r, p in windows.stretches]
        return torch.cat(parts, -1)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        weights = ctx.windows.weights
        whole = slopes[0].new_zeros(*slopes[0].shape[:-1], weights.shape[1])
        for rows, pixels in ctx.windows.stretches:
            whole[..., pixels] += slopes[0][..., rows] @ weights[rows, pixels]
        return whole, None


class _Down(torch.autograd.Function):
    """The sums of `Windows` along columns; the way back is gathered in one place."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, windows: Windows) -> Tensor:
        ctx.windows = windows
        parts = [windows.weights[r, p] @ maps[:, p] for r, p in windows.stretches]
        return torch.cat(parts, -2)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        weights = ctx.windows.weights
        whole = slopes[0].new_zeros(len(slopes[0]), weights.shape[1], slopes[0].shape[-1])
        for rows, pixels in ctx.windows.stretches:
            whole[:, pixels] += weights[rows, pixels].T @ slopes[0][:, rows]
        return whole, None


@lru_cache(maxsize=64)
@torch.inference_mode(False)
def windows(
    pixels: int,
    centres: tuple[tuple[int, ...], ...],
    taps: tuple[tuple[float, ...], ...],
    dtype: torch.dtype,
    device: torch.device,
) -> Windows:
    """Place windows of odd length on pixels; those beyond the border take the last pixel again.

    Args:
        pixels: How many there are.
        centres: For each kernel, where its middle lies.
        taps: Each kernel's taps.
        dtype: Of the result.
        device: Of the result.

    Returns:
        The windows of the first kernel, then those of the next.
    """
    parts = []
    for middles, kernel in zip(centres, taps, strict=True):
        reach = len(kernel) // 2
        index = torch.tensor(middles)[:, None] + torch.arange(-reach, reach + 1)
        weights = torch.zeros(len(middles), pixels, dtype=torch.float64)
        values = torch.tensor(kernel, dtype=torch.float64).expand(len(middles), -1)
        parts.append(weights.scatter_add_(1, index.clamp_(0, pixels - 1), values))
    return Windows.of(torch.cat(parts).to(device=device, dtype=dtype))
