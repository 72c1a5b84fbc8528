"""How codes lie in memory: maps one after the other, or all channels of each position together.

On the processor convolutions are much quicker in the second order, PyTorch's "channels last", and
so a sweep shows a network its images in it (`sweeping.showing`); tokens come in it always. Bringing
codes into the other order costs more than all that is collected of them: they are read as they lie.
"""

from __future__ import annotations

import torch
from torch import Tensor

from phosphene.survey.collector import Batch


def flat_codes(batch: Batch, layer: str) -> Tensor:
    """Return the codes of a layer as (b, c, positions), on the device they are on, as they lie.

    Either this or its transpose, (b, positions, c), is contiguous: `by_position` tells which.
    Half precision becomes float32; float64 stays.
    """
    codes = batch.codes[layer]
    flat = (codes if codes.dtype in (torch.float32, torch.float64) else codes.float()).flatten(2)
    rows = flat.transpose(1, 2)
    if flat.is_contiguous() or rows.is_contiguous():
        return flat
    return rows.contiguous().transpose(1, 2) if flat.stride(1) == 1 else flat.contiguous()


def by_position(flat: Tensor) -> bool:
    """Tell whether the channels of a position lie together, and not the positions of a channel."""
    return not flat.is_contiguous()


def lines_of(batch: Batch, layer: str) -> Tensor:
    """Return codes that lie by position as (b, lines, positions of a line, c), contiguous.

    The lines of a map are its rows; tokens, whose maps are a column, make one line.
    """
    rows = flat_codes(batch, layer).transpose(1, 2)
    width = batch.codes[layer].shape[3]
    return rows.view(len(rows), -1, width if width > 1 else rows.shape[1], rows.shape[2])
