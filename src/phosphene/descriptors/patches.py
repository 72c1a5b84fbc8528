"""Patches of photographs beside their HOG, as paired dictionaries are learned from.

A patch is a window of w x w cells, and the gray image of these cells with one cell more on every
side, whose pixels the blocks of the outer cells see. HOG is computed of the whole photograph, so
that a window's cells have their true surroundings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad, unfold

from phosphene.core.preprocessing import LUMA
from phosphene.descriptors.hog import HOG
from phosphene.errors import ImageError
from phosphene.image import as_photograph, find, to_tensor

MARGIN = 1
"""Cells around a window whose pixels belong to its patch."""

_FLAT = 2.0
_TINY = 1e-3


def gray(photo: Any) -> Tensor:
    """Return a photograph's luma: (1, 1, h, w) in 0..255."""
    pixels = to_tensor(as_photograph(photo)) * 255
    return (pixels * pixels.new_tensor(LUMA).view(3, 1, 1)).sum(0)[None, None]


def windows(codes: Tensor, window: int) -> Tensor:
    """Cut every window out of codes: (b, c, rows, columns) to (b, c w w, positions).

    Positions go row by row, one for each cell a window is centred on; at the border the outer
    cells are repeated. A window of an even number of cells is centred on the cell above and left.
    """
    before = (window - 1) // 2
    after = window - 1 - before
    around = pad(codes, (before, after, before, after), mode="replicate")
    cut: Tensor = unfold(around, window)
    return cut


def normalized(signals: Tensor) -> Tensor:
    """Bring signals (n, d) to mean 0 and length 1, and what is as good as constant to 0.

    >>> normalized(torch.tensor([[1.0, 3.0], [2.0, 2.0]]))
    tensor([[-0.7071,  0.7071],
            [ 0.0000,  0.0000]])
    """
    centred = signals - signals.mean(1, keepdim=True)
    length = centred.norm(dim=1, keepdim=True)
    floor = _TINY * signals.norm(dim=1, keepdim=True)
    return centred * torch.where(length > floor, 1 / length, 0)


def leading(signals: Tensor, count: int) -> Tensor:
    """Return the directions in which signals extend most: (n, d) to (d, count), orthonormal."""
    directions: Tensor = torch.linalg.eigh(signals.T @ signals)[1]
    return directions[:, -count:]


def listed(photos: Any) -> list[Any]:
    """List photographs: of a folder, of folders and files, or as they were given.

    Raises:
        ImageError: There are none.
    """
    given = [photos] if isinstance(photos, str | Path) else list(photos)
    found: list[Any] = []
    for photo in given:
        found += find([Path(photo)]) if isinstance(photo, str | Path) else [photo]
    if not found:
        raise ImageError("no photographs were given to learn from: give a folder or a list of them")
    return found


def sampled(
    photos: Iterable[Any], each: int, descriptor: HOG, window: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Draw patches of photographs. Nearly flat ones, noise to HOG, are left out.

    Args:
        photos: Files, PIL images or arrays.
        each: How many patches to draw in each.
        descriptor: What tells of them.
        window: w, cells.
        generator: Draws their places.

    Yields:
        For each photograph that is large enough, HOG (n, c w w) and gray values
        (n, side side) with side = (w + 2) cells, of mean 0, in 0..255; n is at most `each`.
    """
    cell = descriptor.cell
    side = (window + 2 * MARGIN) * cell
    # The outermost blocks see less than four cells.
    edge = MARGIN + 1
    for photo in photos:
        image = gray(photo)
        if min(image.shape[2:]) < side + 2 * cell:
            continue
        code = descriptor(image)[0]
        places = [
            torch.randint(
                edge, min(cells, pixels // cell) - window - edge + 1, (each,), generator=g
            )
            for cells, pixels, g in zip(
                code.shape[1:], image.shape[2:], (generator, generator), strict=True
            )
        ]
        top, left = places
        hog = code.unfold(1, window, 1).unfold(2, window, 1)[:, top, left]
        patches = image[0, 0].unfold(0, side, cell).unfold(1, side, cell)
        patches = patches[top - MARGIN, left - MARGIN].flatten(1)
        patches = patches - patches.mean(1, keepdim=True)
        kept = patches.norm(dim=1) > _FLAT * side
        yield hog.transpose(0, 1).flatten(1)[kept], patches[kept]
