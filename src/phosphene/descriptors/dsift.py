"""Dense SIFT as a differentiable network, in VLFeat's numbers.

At every place of a grid, histograms of eight orientations in 4x4 bins, weighted by a window,
normalized, clipped and normalized again. What comes out are the numbers of `vl_dsift` (0.9.21)
from C: those of MATLAB are `min(512 v, 255)` of these. Or those of the network that the pre-images
of the papers were made with.

*Reference.* Lowe, IJCV 2004; Mahendran & Vedaldi, IJCV 2016, section 4.1; thesis 2018, section
5.3.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from phosphene.descriptors import gradients
from phosphene.descriptors.clipping import Clipped
from phosphene.descriptors.fast_math import ORIENTATIONS, quick_votes
from phosphene.descriptors.images import batch_of, in_turn, whole
from phosphene.descriptors.orientations import votes
from phosphene.descriptors.pooling import (
    Axis,
    histograms,
    line_maps,
    strips,
    windows,
)
from phosphene.errors import ImageError, SettingError

Window = Literal["gaussian", "flat", "network"]

_BINS = 4
_MOST = 0.2


@dataclass(frozen=True)
class Frames:
    """Where descriptors are.

    Attributes:
        x: Columns of their centres, pixels from 0.
        y: Rows of their centres.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]


class DSIFT(nn.Module):
    """Dense SIFT as a module: (b, 1, h, w) images in 0..255 to (b, 128, rows, columns).

    Channel `o + 8 bx + 32 by` is orientation o, centred at 45 o degrees from +x towards +y, of the
    bin bx from the left and by from the top.

    Attributes:
        bin: Side of a bin, pixels; a descriptor's bin centres span three of them.
        step: Pixels between descriptors.
        window: `"gaussian"`, exact SIFT; `"flat"`, which weights whole bins (VLFeat's `fast`);
            `"network"`, the authors' `dsift_net`: bins between pixels, one clipping and no second
            normalization, descriptors three bins apart that share a row of them.
        window_size: Standard deviation of the window, in bins; 1.5 for the network.
        bounds: (left, top, right, bottom), pixels, inclusive, within which bin centres lie; `None`
            is the whole image.

    >>> DSIFT(8, 4)(torch.rand(1, 1, 64, 48) * 255).shape
    torch.Size([1, 128, 10, 6])
    """

    def __init__(
        self,
        bin: int = 8,
        step: int | None = None,
        window: Window = "gaussian",
        window_size: float | None = None,
        bounds: tuple[int, int, int, int] | None = None,
    ):
        super().__init__()
        if window not in get_args(Window):
            known = ", ".join(get_args(Window))
            raise SettingError(f"{window!r} is no window of SIFT: choose {known}")
        network = window == "network"
        if bounds is not None and len(bounds) != 4:
            raise SettingError(f"bounds {bounds} are none: give (left, top, right, bottom)")
        bin = whole(bin, "bin")
        self.bin, self.window, self.bounds = bin, window, bounds
        self.step = (3 * bin if network else bin) if step is None else whole(step, "step")
        self.window_size = (1.5 if network else 2.0) if window_size is None else window_size
        if bin < 2 or self.step < 1 or not 0 < self.window_size < float("inf"):
            raise SettingError(
                f"SIFT cannot be made of bins of {bin} pixels at steps of {self.step} with a "
                f"window of {self.window_size:g} bins: give at least 2, 1, and a positive number"
            )
        if network and (bin % 2 or self.step != 3 * bin or bounds is not None):
            raise SettingError(
                "the authors' network has even bins, a step of three bins and no bounds; "
                f"{bin}, {self.step} and {bounds} were given"
            )

    def extra_repr(self) -> str:
        """Say the settings."""
        bounds = "" if self.bounds is None else f", bounds={self.bounds}"
        return f"{self.bin}, {self.step}, {self.window}, {self.window_size:g}{bounds}"

    @property
    def channels(self) -> int:
        """How many numbers a descriptor has."""
        return _BINS**2 * ORIENTATIONS

    @property
    def least(self) -> int:
        """Side of the smallest image it can describe, pixels."""
        return 5 * self.bin + 2 if self.window == "network" else 3 * self.bin + 1

    def frames(self, height: int, width: int) -> Frames:
        """Return where the descriptors of an image of that size lie.

        Raises:
            ImageError: There are none.
        """
        left, top = self._corners(height, width)
        # The network's bins lie between the pixels of gradients that begin at 1.
        middle = 1.0 + 2.5 * self.bin - 0.5 if self.window == "network" else 1.5 * self.bin
        return Frames(tuple(x + middle for x in left), tuple(y + middle for y in top))

    def forward(self, image: Tensor) -> Tensor:
        """Describe images.

        Args:
            image: (h, w), (1, h, w) or (b, 1, h, w), in 0..255; what is neither single nor
                double precision becomes single.

        Returns:
            (b, 128, rows, columns), nowhere negative.

        Raises:
            ImageError: The image is too small, or not gray.
            NotFinite: It has pixels that are no numbers.
        """
        return in_turn(self._checked(image), self._describe)

    def _checked(self, image: Tensor) -> Tensor:
        least = 3 if self.bounds is not None else self.least
        return batch_of(image, f"DSIFT({self.extra_repr()})", (least, least), (1,))

    def _describe(self, image: Tensor) -> Tensor:
        return self._normalized(self._histograms(image))

    def _normalized(self, raw: Tensor) -> Tensor:
        if self.window == "network":
            squares = raw.square().sum(1, keepdim=True)
            return (raw * (squares + 1e-6).rsqrt()).clamp(max=_MOST)
        result: Tensor = Clipped.apply(raw)  # type: ignore[no-untyped-call]
        return result

    def raw(self, image: Tensor) -> Tensor:
        """Return the histograms, (b, 128, rows, columns), before they are normalized."""
        return in_turn(self._checked(image), self._histograms)

    def _histograms(self, image: Tensor) -> Tensor:
        return self._between(image) if self.window == "network" else self._on_pixels(image)

    def norms(self, image: Tensor) -> Tensor:
        """Return VLFeat's `norm` of each descriptor, (b, rows, columns): its mean raw gradient.

        It tells descriptors of flat places, which are mostly noise.
        """
        return self._norms(self.raw(image))

    def with_norms(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return descriptors and their norms, for the price of the descriptors."""
        raw = self.raw(image)
        return self._normalized(raw), self._norms(raw)

    def _norms(self, raw: Tensor) -> Tensor:
        return raw.sum(1) / (3 * self.bin + 1) ** 2

    def _corners(self, height: int, width: int) -> tuple[list[int], list[int]]:
        """Return columns and rows of the frames' first bins."""
        if self.window == "network":
            if min(height, width) < self.least:
                raise ImageError(
                    f"no descriptor of bins of {self.bin} pixels fits on {height}x{width}: enlarge "
                    f"the image to {self.least} or more, or take smaller bins"
                )
            many = (((side - 2) // self.bin - 5) // 3 + 1 for side in (width, height))
            across, down = ([self.step * i for i in range(n)] for n in many)
            return across, down
        whole_image = (0, 0, width - 1, height - 1)
        left, top, right, bottom = self.bounds if self.bounds is not None else whole_image
        if left < 0 or top < 0 or right >= width or bottom >= height:
            raise ImageError(
                f"the bounds {self.bounds} reach beyond the image of {height}x{width} pixels"
            )
        span = (_BINS - 1) * self.bin
        columns = list(range(left, right - span + 1, self.step))
        rows = list(range(top, bottom - span + 1, self.step))
        if not columns or not rows:
            raise ImageError(
                f"no descriptor of bins of {self.bin} pixels fits between {(left, top)} and "
                f"{(right, bottom)}: enlarge the image or the bounds, or take smaller bins"
            )
        return columns, rows

    def _between(self, image: Tensor) -> Tensor:
        """Return the raw histograms of the authors' network."""
        gx, gy = (g[:, 0] / 2 for g in gradients.inner(image))
        height, width = gx.shape[1:]
        down, across = (
            Axis(side, side // self.bin - 1, self.bin, self.bin // 2) for side in (height, width)
        )
        voted = (votes(*strip, ORIENTATIONS // 2, "bilinear") for strip in strips(gx, gy))
        cells = histograms(voted, len(image), ORIENTATIONS, down, across)
        blocks = cells.unfold(2, _BINS, _BINS - 1).unfold(3, _BINS, _BINS - 1)
        places = torch.arange(_BINS, device=image.device, dtype=image.dtype) - 1.5
        weights = (-0.5 * (places / self.window_size).square()).exp()
        blocks = blocks * weights * weights[:, None]
        return blocks.permute(0, 4, 5, 1, 2, 3).flatten(1, 3)

    def _on_pixels(self, image: Tensor) -> Tensor:
        """Return the raw histograms of VLFeat's SIFT."""
        gx, gy = (g[:, 0] for g in gradients.one_sided(image))
        columns, rows = self._corners(*gx.shape[1:])
        taps, scale = self._taps()
        xs, ys = self._centres(columns), self._centres(rows)
        kind = (image.dtype, image.device)
        across = windows(gx.shape[2], xs, taps, *kind)
        down = windows(gx.shape[1], ys, taps, *kind)
        maps = (line_maps(quick_votes(*strip), ORIENTATIONS) for strip in strips(gx, gy))
        lines = torch.cat([across.across(strip) for strip in maps])
        pooled = down.down(lines.view(len(image), gx.shape[1], -1))
        pooled = pooled.view(len(image), pooled.shape[1], ORIENTATIONS, -1)
        if scale is None:
            shape = (len(image), _BINS, len(rows), ORIENTATIONS, _BINS, len(columns))
            raw = pooled.view(shape).permute(0, 1, 4, 3, 2, 5)
        else:
            raw = self._bins(self._bins(pooled, 1), 3).permute(0, 4, 5, 2, 1, 3)
            weights = scale.to(image)
            raw = raw * (weights[:, None] * weights)[:, :, None, None, None]
        return raw.reshape(len(image), -1, len(rows), len(columns))

    def _centres(self, corners: list[int]) -> tuple[tuple[int, ...], ...]:
        """Return the centres of each kernel's windows."""
        if self.window == "gaussian":
            return tuple(tuple(at + i * self.bin for at in corners) for i in range(_BINS))
        # All bins have the same window, and descriptors share them.
        pitch, last = math.gcd(self.bin, self.step), corners[-1] + (_BINS - 1) * self.bin
        return (tuple(range(corners[0], last + 1, pitch)),)

    def _bins(self, pooled: Tensor, axis: int) -> Tensor:
        """Return a view with the bins of each descriptor as a new last axis."""
        pitch = math.gcd(self.bin, self.step)
        span = (_BINS - 1) * self.bin // pitch + 1
        return pooled.unfold(axis, span, self.step // pitch)[..., :: self.bin // pitch]

    def _taps(self) -> tuple[tuple[tuple[float, ...], ...], Tensor | None]:
        """Return the kernels along one axis, and what whole bins are weighted by."""
        u = torch.arange(1 - self.bin, self.bin, dtype=torch.float64)
        triangle = 1 - u.abs() / self.bin
        centres = (torch.arange(_BINS, dtype=torch.float64) - 1.5)[:, None] * self.bin
        sigma = self.bin * self.window_size
        weights = (-0.5 * ((u + centres) / sigma).square()).exp()
        if self.window == "flat":
            return (tuple(triangle.tolist()),), weights.mean(1)
        return tuple(map(tuple, (triangle * weights).tolist())), None


def dsift(
    image: Tensor,
    bin: int = 8,
    step: int | None = None,
    window: Window = "gaussian",
    window_size: float | None = None,
    bounds: tuple[int, int, int, int] | None = None,
) -> Tensor:
    """Describe images by dense SIFT: `DSIFT(...)(image)`.

    >>> dsift(torch.rand(64, 48) * 255, bin=5, step=5).shape
    torch.Size([1, 128, 10, 7])
    """
    return DSIFT(bin, step, window, window_size, bounds).forward(image)
