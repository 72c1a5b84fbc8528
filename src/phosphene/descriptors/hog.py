"""Histograms of oriented gradients as a differentiable network, in VLFeat's numbers.

Gradients, votes of their orientations, cells, blocks. What comes out are the numbers of VLFeat's
`vl_hog` (0.9.21), or those of the network that the pre-images of the papers were made with.

*Reference.* Dalal & Triggs, CVPR 2005; Felzenszwalb et al., PAMI 2010; Mahendran & Vedaldi, IJCV
2016, section 4.1; thesis 2018, section 5.3.1.
"""

from __future__ import annotations

from typing import get_args

from torch import Tensor, nn

from phosphene.descriptors import gradients
from phosphene.descriptors.blocks import Variant, normalized
from phosphene.descriptors.images import batch_of, in_turn, whole
from phosphene.descriptors.orientations import Binning, votes
from phosphene.descriptors.pooling import Axis, histograms, strips
from phosphene.errors import SettingError


class HOG(nn.Module):
    """HOG as a module: (b, 1 or 3, h, w) images in 0..255 to (b, dim, rows, columns).

    Attributes:
        cell: Side of a cell, pixels.
        orientations: How many undirected orientations are told apart.
        variant: `"uoctti"` (3 n + 4 channels: directed, undirected, four textures),
            `"dalal-triggs"` (4 n channels: four blocks of undirected ones), both VLFeat's; or
            `"network"` (3 n channels), the authors' `hog_net`: UoCTTI without textures, the same
            two cells and more from the border, where it sees black around the image and fewer
            blocks. It takes gray images and even cells only.
        binning: `"hard"`, `"bilinear"` (the papers' HOGb) or `"relu"` (see `orientations`).
        surrogate: With hard binning, how much of the bilinear derivative takes part (0 to 1; a
            straight-through estimate). The true derivative is blind to the angles of gradients:
            with it pre-images come out far worse (`docs/study.md`). Values do not change.
        exact: Repeat VLFeat's arithmetic to the last digits in bilinear shares of images in
            single precision; without it they are more accurate, and up to 2.5e-4 off.

    The pixels' scale matters a little: VLFeat adds 1e-4 to a block's energy, in units of 0..255.

    >>> import torch
    >>> HOG(8)(torch.rand(1, 1, 64, 48) * 255).shape
    torch.Size([1, 31, 8, 6])
    """

    def __init__(
        self,
        cell: int = 8,
        orientations: int = 9,
        variant: Variant = "uoctti",
        binning: Binning = "hard",
        exact: bool = False,
        surrogate: float = 0.0,
    ):
        super().__init__()
        for name, value, known in (
            ("variant", variant, get_args(Variant)),
            ("binning", binning, get_args(Binning)),
        ):
            if value not in known:
                raise SettingError(f"{value!r} is no {name} of HOG: choose {', '.join(known)}")
        cell, orientations = whole(cell, "cell"), whole(orientations, "orientations")
        if cell < 2 or orientations < 3:
            raise SettingError(
                f"HOG of {orientations} orientations in cells of {cell} pixels says nothing: give "
                "at least 3 and 2"
            )
        if variant == "network" and cell % 2:
            raise SettingError(f"the authors' network has even cells only, and {cell} was given")
        self.cell, self.orientations, self.variant = cell, orientations, variant
        if not 0 <= surrogate <= 1:
            raise SettingError(f"surrogate {surrogate:g} is no share: give a number from 0 to 1")
        self.binning, self.exact, self.surrogate = binning, exact, surrogate

    def extra_repr(self) -> str:
        """Say the settings."""
        exact = ", exact" if self.exact else ""
        bent = f", surrogate {self.surrogate:g}" if self.surrogate else ""
        return f"{self.cell}, {self.orientations}, {self.variant}, {self.binning}{exact}{bent}"

    def bent(self, surrogate: float) -> HOG:
        """Return the same HOG with another share of the bilinear derivative; see `surrogate`."""
        binning, exact = self.binning, self.exact
        return HOG(self.cell, self.orientations, self.variant, binning, exact, surrogate)

    @property
    def channels(self) -> int:
        """How many numbers a cell has."""
        n = self.orientations
        return {"uoctti": 3 * n + 4, "dalal-triggs": 4 * n, "network": 3 * n}[self.variant]

    @property
    def least(self) -> int:
        """Side of the smallest image it can describe, pixels."""
        if self.variant == "network":
            return 2 * self.cell
        return max(4, self.cell - self.cell // 2)

    def cells(self, height: int, width: int) -> tuple[int, int]:
        """Return (rows, columns) of cells on an image of that size."""
        spare = 0 if self.variant == "network" else self.cell // 2
        return (height + spare) // self.cell, (width + spare) // self.cell

    def forward(self, image: Tensor) -> Tensor:
        """Describe images.

        Args:
            image: (h, w), (c, h, w) or (b, c, h, w), c = 1 or 3, in 0..255; what is neither
                single nor double precision becomes single. Of three channels each pixel's
                steepest counts.

        Returns:
            (b, channels, rows, columns), nowhere negative.

        Raises:
            ImageError: The image is too small, or has other channels.
            NotFinite: It has pixels that are no numbers.
        """
        channels = (1,) if self.variant == "network" else (1, 3)
        image = batch_of(image, f"HOG({self.extra_repr()})", (self.least,) * 2, channels)
        return in_turn(image, self._describe)

    def _describe(self, image: Tensor) -> Tensor:
        network = self.variant == "network"
        height, width = image.shape[2:]
        rows, columns = self.cells(height, width)
        # VLFeat lets the outermost pixels cast no vote: those that do begin at 1.
        border = 0 if network else 1
        find = gradients.padded if network else gradients.inner
        gx, gy = gradients.steepest(*find(image))
        down = Axis(height - 2 * border, rows, self.cell, -border)
        across = Axis(width - 2 * border, columns, self.cell, -border)
        count = 2 * self.orientations
        # Where nobody asks for a derivative, none has to be bent.
        bend = self.surrogate if image.requires_grad else 0.0
        voted = (
            votes(x, y, self.orientations, self.binning, self.exact, bend)
            for x, y in strips(gx, gy)
        )
        directed = histograms(voted, len(image), count, down, across)
        return normalized(directed, self.variant)


def hog(
    image: Tensor,
    cell: int = 8,
    orientations: int = 9,
    variant: Variant = "uoctti",
    binning: Binning = "hard",
    exact: bool = False,
) -> Tensor:
    """Describe images by histograms of oriented gradients: `HOG(...)(image)`.

    >>> import torch
    >>> hog(torch.rand(64, 48) * 255, variant="dalal-triggs").shape
    torch.Size([1, 36, 8, 6])
    """
    return HOG(cell, orientations, variant, binning, exact).forward(image)
