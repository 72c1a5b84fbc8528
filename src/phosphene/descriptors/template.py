"""Templates of HOG: the weights of a linear detector, as a network that scores images.

A detector slides a window over the cells of an image and weighs what it finds there,

    score(x) = <w, Phi(x)>,        Phi the descriptor without its outermost ring of cells,

so it is a network: HOG with a projection behind it, which `visualize` and every other verb take.
The ring lends the window's outer cells the neighbours that they are normalised by.

*Reference.* Dalal & Triggs, CVPR 2005; Felzenszwalb et al., PAMI 2010; Mahendran, thesis 2018,
section 5.5.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.descriptors.blocks import Variant
from phosphene.descriptors.hog import HOG
from phosphene.descriptors.orientations import Binning
from phosphene.errors import ImageError, NotFinite, SettingError, UnitError
from phosphene.preimage.priors import TYPICAL

Layout = Literal["channels first", "channels last"]

GRAY = 127.5
"""Subtracted from images: HOG does not see it, but what is beyond their border is gray then."""

_VARIANTS: dict[int, Variant] = {
    27: "network", 31: "uoctti", 32: "network", 36: "dalal-triggs"
}  # fmt: skip
_DPM = 32
# Textures of DPM's features: those of the lower right block first and of the upper left last.
_VLFEAT_FROM_DPM = [*range(27), 30, 28, 29, 27]


@dataclass(frozen=True, eq=False)
class Template:
    """What a linear detector weighs the numbers of HOG's cells by.

    Attributes:
        weights: (h, w, d), an array or a tensor; kept as a tensor (h, w, channels of the variant).
            d is 27 for the authors' network, 31 for UoCTTI, 36 for Dalal-Triggs, channels in the
            order of `HOG`; or 32 for a filter of a deformable part model (DPM), of which the
            first 27 are taken, as the authors do, or for `variant="uoctti"` the first 31.
        cell: Side of a cell, pixels.
        variant: Which HOG; by d if `None`. With `"network"` textures and all behind are left out.
        binning: How gradients are shared out among orientations. Most detectors were trained on
            hard bins, but those have no derivative that could turn an edge; images found through
            bilinear bins are clearer, and score higher on the hard bins themselves.
        name: What to call it.

    *Departure.* DPM's textures sum directed orientations, VLFeat's undirected ones: equal for
    cells with edges of one direction each, smaller otherwise.

    Raises:
        SettingError: The weights are no (h, w, d), or d is none of the variant's.
        NotFinite: There are weights that are no numbers.
        UnitError: All weights are zero.

    >>> Template(torch.randn(8, 6, 27)).size
    (80, 64)
    """

    weights: Any
    cell: int = 8
    variant: Variant | None = None
    binning: Binning = "bilinear"
    name: str = "template"

    def __post_init__(self) -> None:
        weights = _numbers(self.weights, self.name)
        if weights.dim() != 3 or not weights.numel():
            raise SettingError(
                f"{self.name} has weights of shape {tuple(weights.shape)}, and (rows, columns, "
                "channels) are needed: give the window in cells, channels last"
            )
        depth = weights.shape[2]
        variant = self.variant or _VARIANTS.get(depth, "network")
        object.__setattr__(self, "variant", variant)
        channels = self.hog.channels
        more = {"network": (31, _DPM), "uoctti": (_DPM,)}.get(variant, ())
        if depth not in (channels, *more):
            known = " or ".join(map(str, (channels, *more)))
            raise SettingError(
                f"{self.name} has {depth} weights a cell, and HOG ({variant}) needs {known}: give "
                "the weights of one cell last, or another variant"
            )
        if not bool(torch.isfinite(weights).all()):
            raise NotFinite(f"{self.name} has weights that are not finite numbers: train it again")
        if depth == _DPM:
            weights = weights[..., _VLFEAT_FROM_DPM]
        weights = weights[..., :channels].contiguous()
        if not bool(weights.any()):
            raise UnitError(f"all weights of {self.name} are 0: there is nothing that it looks for")
        object.__setattr__(self, "weights", weights)

    @classmethod
    def of_svm(
        cls,
        svm: Any,
        window: tuple[int, int],
        *,
        layout: Layout = "channels first",
        label: Any = None,
        cell: int = 8,
        variant: Variant | None = None,
        binning: Binning = "bilinear",
        name: str = "template",
    ) -> Template:
        """Take the weights of a fitted linear model of scikit-learn, or of one like it.

        Args:
            svm: `LinearSVC`, `SGDClassifier`, `LinearSVR` or whatever keeps its weights in
                `coef_`, fitted on cells of windows without their outermost ring.
            window: (rows, columns) of cells of the window.
            layout: How a window's numbers were put in a row: `"channels first"`, as HOG gives
                them, or `"channels last"`.
            label: The class to look for, of a classifier of many; of two, the second if `None`.
            cell: Side of a cell, pixels.
            variant: Which HOG; by the number of weights if `None`.
            binning: As for `Template`.
            name: What to call it.

        Raises:
            SettingError: It has no weights, or their number is not that of a window.
        """
        found = getattr(svm, "coef_", None)
        if found is None:
            raise SettingError(
                f"a {type(svm).__name__} without coef_ is no fitted linear model: fit it, and "
                "give the last step of a pipeline whose other steps leave HOG as it is"
            )
        rows = _numbers(found.toarray() if hasattr(found, "toarray") else found, "coef_")
        rows = rows.reshape(-1, rows.shape[-1] if rows.dim() else 1)
        if not layout.startswith("channels ") or layout[9:] not in ("first", "last"):
            raise SettingError(f"{layout!r} is no layout: choose 'channels first' or 'last'")
        weights = _of_label(rows, list(getattr(svm, "classes_", ())), label)
        height, width = window
        depth, rest = divmod(len(weights), max(1, height * width))
        if rest or not depth:
            raise SettingError(
                f"{len(weights)} weights do not fit a window of {height}x{width} cells: give the "
                "window without the outermost ring of cells"
            )
        if layout == "channels first":
            cells = weights.view(depth, height, width).permute(1, 2, 0)
        else:
            cells = weights.view(height, width, depth)
        return cls(cells, cell, variant, binning, name)

    @property
    def hog(self) -> HOG:
        """The descriptor that is weighed."""
        return HOG(self.cell, variant=self.variant or "network", binning=self.binning)

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) of its image, pixels: the window and a ring of cells around it."""
        rows, columns = self.weights.shape[:2]
        return (rows + 2) * self.cell, (columns + 2) * self.cell

    def network(self) -> Network:
        """Return the detector as a network: its output, layer `""`, is the score."""
        return scoring(_Window(self.hog, self.weights), self.size, titled(self.name, self.hog))

    def maximum(self, seed: int = 0) -> float:
        """Return M, an estimate of the scores' range: `<|w|, Phi(noise)>` (thesis, eq. 5.9).

        Args:
            seed: Of the noise, normal with the deviation B+ = 160.
        """
        return score_of_noise(_Window(self.hog, self.weights.abs()), self.size, seed)

    def rectified(self) -> Tensor:
        """Return max(w, 0) as codes (1, channels, h, w), to be inverted as if HOG's own.

        So HOGgles and dictionaries show templates (thesis, fig. 5.14, bottom): it cannot show
        what the detector has something against.
        """
        positive: Tensor = self.weights.clamp(min=0).permute(2, 0, 1)[None].contiguous()
        return positive


class _Window(nn.Module):
    """HOG, less its outermost ring of cells, weighed by a template at every place.

    (b, 1, h, w) images to (b, 1, rows, columns): one number for images of the template's size.
    """

    weights: Tensor

    def __init__(self, hog: HOG, weights: Tensor):
        super().__init__()
        self.hog = hog
        self.register_buffer("weights", weights.permute(2, 0, 1)[None].contiguous())

    def forward(self, image: Tensor) -> Tensor:
        cells = self.hog(image)[..., 1:-1, 1:-1]
        rows, columns = self.weights.shape[2:]
        if cells.shape[2] < rows or cells.shape[3] < columns:
            height, width = ((n + 2) * self.hog.cell for n in (rows, columns))
            raise ImageError(
                f"a template of {rows}x{columns} cells needs an image of {height}x{width} pixels, "
                f"and {image.shape[2]}x{image.shape[3]} were given: enlarge it"
            )
        return conv2d(cells, self.weights)


def _numbers(given: Any, name: str) -> Tensor:
    """Copy an array of any memory layout, a list or a tensor."""
    if isinstance(given, Tensor):
        return given.detach().float().clone()
    try:
        return torch.from_numpy(np.array(given, "f8", order="C")).float()
    except (TypeError, ValueError):
        raise SettingError(
            f"{name} is no array of numbers: give weights (rows, columns, channels)"
        ) from None


def titled(name: str, hog: HOG) -> str:
    """Say which HOG a template is of."""
    return f"{name} (HOG {hog.extra_repr()})"


def scoring(module: nn.Module, size: tuple[int, int], name: str) -> Network:
    """Make a network of a module that scores gray images in 0..255 less `GRAY`."""
    return Network(module, Preprocessing(size, mean=(GRAY,), scale=255, order="gray"), name=name)


def score_of_noise(module: nn.Module, size: tuple[int, int], seed: int) -> float:
    """Return the score of an image of white noise."""
    noise = torch.randn(1, 1, *size, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return float(module(noise.to(next(module.buffers()).device) * 2 * TYPICAL))


def _of_label(rows: Tensor, labels: Sequence[Any], label: Any) -> Tensor:
    """Choose the weights of a class; of two classes there is one row, for the second."""
    known = ", ".join(map(str, labels))
    if label is not None and label not in labels:
        raise SettingError(f"{label!r} is no class of this model: choose one of {known or 'none'}")
    if len(rows) == 1:
        return -rows[0] if label is not None and labels.index(label) == 0 else rows[0]
    if len(rows) != len(labels):
        raise SettingError(
            f"this model keeps {len(rows)} rows of weights for {len(labels)} classes, and one a "
            "class is needed: fit a LinearSVC"
        )
    if label is None:
        raise SettingError(f"this model knows {len(labels)} classes: give a label of {known}")
    return rows[labels.index(label)]
