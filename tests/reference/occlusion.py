"""Occlusion, word by word: hide, run everything, note; one window at a time.

Zeiler & Fergus, ECCV 2014, section 4.2. Nothing is shared with `phosphene.core.incremental`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


def swept(
    module: nn.Module,
    x: Tensor,
    fill: Tensor,
    rows: Sequence[tuple[int, int]],
    columns: Sequence[tuple[int, int]],
    read: Callable[[Tensor], Tensor] = lambda y: y,
) -> Tensor:
    """Return (rows, columns, ...) of what is read from the output for every window.

    Args:
        module: A network, run as it is.
        x: (1, c, h, w) its input.
        fill: (1, c, h, w) what a window shows instead.
        rows: First row of a window, and the one behind its last.
        columns: Likewise.
        read: Takes the output for one image, (1, ...).
    """
    found = []
    with torch.no_grad():
        for top, bottom in rows:
            for left, right in columns:
                hidden = x.clone()
                for row in range(top, bottom):
                    for column in range(left, right):
                        hidden[:, :, row, column] = fill[:, :, row, column]
                found.append(read(module(hidden)))
    return torch.stack(found).view(len(rows), len(columns), *found[0].shape)
