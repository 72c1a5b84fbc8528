"""Where a descriptor says that its image is flat, and holding a pre-image flat there.

A cell is 0 only if no gradient voted for it: all pixels that it sees are alike. No descent gets
there, as descriptors are normalized: a gradient a millionth as large looks the same, and only at
exactly none the code changes. But the set of images that are flat at given places is a plane, and
the nearest one of it is had by averaging.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from phosphene.descriptors.dsift import DSIFT
from phosphene.descriptors.hog import HOG
from phosphene.preimage.operators import Operator


def flat_regions(descriptor: HOG | DSIFT, code: Tensor, size: tuple[int, int]) -> Tensor:
    """Find where images are flat, from their codes alone.

    Args:
        descriptor: Whose codes they are; of SIFT the authors' network only, whose bins tell.
        code: (b, c, rows, columns).
        size: (h, w) of the images.

    Returns:
        (b, h, w) numbers of regions, int64, from 1; within each all pixels are alike. 0 where
        nothing is known.
    """
    return torch.stack([_regions(descriptor, one, size) for one in code])


def _regions(descriptor: HOG | DSIFT, code: Tensor, size: tuple[int, int]) -> Tensor:
    labels = torch.zeros(size, dtype=torch.int64)
    parents = [0]

    def root(label: int) -> int:
        while parents[label] != label:
            label = parents[label]
        return label

    for top, bottom, left, right in _empty_cells(descriptor, code.cpu()):
        # A gradient sees one pixel further along its own axis.
        upright = labels[max(top - 1, 0) : bottom + 2, max(left, 0) : right + 1]
        level = labels[max(top, 0) : bottom + 1, max(left - 1, 0) : right + 2]
        met = {root(n) for part in (upright, level) for n in set(part.flatten().tolist())} - {0}
        own = min(met, default=len(parents))
        if own == len(parents):
            parents.append(own)
        for other in met:
            parents[other] = own
        upright.fill_(own)
        level.fill_(own)
    roots = [root(n) for n in range(len(parents))]
    number = {at: i for i, at in enumerate(sorted(set(roots)))}
    return torch.tensor([number[at] for at in roots])[labels].to(code.device)


def _empty_cells(descriptor: HOG | DSIFT, code: Tensor) -> Iterator[tuple[int, int, int, int]]:
    """Yield the first and last rows and columns of pixels that vote for cells that are 0."""
    side = descriptor.cell if isinstance(descriptor, HOG) else descriptor.bin
    if isinstance(descriptor, HOG):
        for row, column in (code.abs().amax(0) == 0).nonzero().tolist():
            top, left = (at * side - side // 2 for at in (row, column))
            yield top, top + 2 * side - 1, left, left + 2 * side - 1
    elif descriptor.window == "network":
        bins = code.view(4, 4, -1, *code.shape[1:]).abs().amax(2) == 0
        seen = set()
        for i, j, row, column in bins.nonzero().tolist():
            cell = (3 * row + i, 3 * column + j)
            if cell not in seen:
                seen.add(cell)
                top, left = (1 + at * side for at in cell)
                yield top, top + 2 * side - 1, left, left + 2 * side - 1


@dataclass(frozen=True, eq=False)
class Level(Operator):
    """Pixels of one region take their mean: the nearest image that is flat there.

    Attributes:
        regions: (b, h, w) from `flat_regions`.
    """

    regions: Tensor

    def apply(self, x: Tensor, gradient: Tensor, number: int) -> None:
        """Level images (b, c, h, w) in place."""
        for image, regions in zip(x, self.regions, strict=True):
            index = regions.flatten()
            count = int(index.max()) + 1
            if count == 1:
                continue
            pixels = image.flatten(1).double()  # sums of many alike drift in single precision
            sums = pixels.new_zeros(len(pixels), count).index_add_(1, index, pixels)
            means = sums / torch.bincount(index, minlength=count)
            level = means[:, index].view_as(image).to(image.dtype)
            image.copy_(torch.where(regions > 0, level, image))

    def __str__(self) -> str:
        """Say how much of the image is held flat."""
        return f"level where the code is 0 ({float((self.regions > 0).float().mean()):.0%})"
