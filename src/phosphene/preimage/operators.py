"""What is done to the pixels after a step: regularisation by operators instead of a prior.

A prior pulls by its gradient. An operator simply changes the image, and needs no formula whose
gradient it would be: blur removes high frequencies, clipping what the unit does not need, decay
extreme colors.

All act on x = RGB in 0..255 minus the mean, so that 0 is the mean color, in place, without a tape
(call them under `torch.no_grad()` where x is a leaf), and on each image of a batch by itself.

*Reference.* Yosinski, Clune, Nguyen, Fuchs & Lipson, "Understanding Neural Networks Through Deep
Visualization", ICML Deep Learning Workshop 2015, section 3. Where the text leaves it open, as the
authors' code (deep-visualization-toolbox, `optimize/gradient_optimizer.py`): the border is mirrored
before a blur; the first step is blurred; quantiles interpolate; and only what is strictly below
them is clipped.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from phosphene.errors import SettingError


class Operator(ABC):
    """A change of the image after a step."""

    @abstractmethod
    def apply(self, x: Tensor, gradient: Tensor, number: int) -> None:
        """Change images in place.

        Args:
            x: (b, c, H, W), RGB in 0..255 minus the mean.
            gradient: The same shape: of what the step descended or ascended (the sign does not
                matter), left as it is.
            number: Of the step, from 0.
        """

    @abstractmethod
    def __str__(self) -> str:
        """Name the operator and its constants."""


@dataclass(frozen=True)
class Decay(Operator):
    """Colors fade to the mean: `x <- (1 - rate) x`.

    Attributes:
        rate: theta_decay, in [0, 1].
    """

    rate: float

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise SettingError(f"decay takes a rate from 0 to 1, not {self.rate}")

    def apply(self, x: Tensor, gradient: Tensor, number: int) -> None:
        """Multiply by 1 - rate."""
        x.mul_(1 - self.rate)

    def __str__(self) -> str:
        """Return as in `decay 0.0001`."""
        return f"decay {self.rate:g}"


@dataclass(frozen=True)
class Blur(Operator):
    """The image is blurred by a Gaussian at every few steps.

    The kernel is `exp(-i**2 / (2 sigma**2))` for |i| up to the whole number nearest 4 sigma,
    divided by its sum. Beyond the border the image continues in the mirror, its last pixel twice.

    Attributes:
        sigma: theta_b_width, the standard deviation in pixels; below 0.3 next to nothing happens.
        every: theta_b_every; steps 0, `every`, `2 every`... are blurred.
    """

    sigma: float
    every: int = 4

    def __post_init__(self) -> None:
        if not 0 < self.sigma < math.inf or self.every < 1:
            raise SettingError(
                f"blur takes a positive width and every how many steps it is done, from 1, "
                f"not {self.sigma} and {self.every}"
            )

    def apply(self, x: Tensor, gradient: Tensor, number: int) -> None:
        """Blur along the rows and columns where the step's turn has come."""
        if number % self.every:
            return
        radius = math.floor(4 * self.sigma + 0.5)
        places = torch.arange(-radius, radius + 1, dtype=torch.float64)
        kernel = torch.exp(places.square() / (-2 * self.sigma**2))
        kernel = (kernel / kernel.sum()).to(x)
        flat = x.flatten(0, 1)[:, None]
        flat = conv2d(_mirrored(flat, 2, radius), kernel[None, None, :, None])
        flat = conv2d(_mirrored(flat, 3, radius), kernel[None, None, None, :])
        x.copy_(flat.view_as(x))

    def __str__(self) -> str:
        """Return as in `blur 1 every 4`."""
        return f"blur {self.sigma:g} every {self.every}"


@dataclass(frozen=True)
class ClipSmallNorm(Operator):
    """Pixels that are nearly the mean become the mean, so that only the object is shown.

    Attributes:
        share: theta_n_pct / 100: of the pixels of each image, those with the smallest norm over
            the channels; in [0, 1].
    """

    share: float

    def __post_init__(self) -> None:
        _check_share(self.share)

    def apply(self, x: Tensor, gradient: Tensor, number: int) -> None:
        """Set pixels to 0 whose norm is below the quantile."""
        _clip(x, x.square().sum(1).sqrt_(), self.share)

    def __str__(self) -> str:
        """Return as in `clip 50% by norm`."""
        return f"clip {100 * self.share:g}% by norm"


@dataclass(frozen=True)
class ClipSmallContribution(Operator):
    """Pixels that the unit hardly depends on become the mean.

    To set a pixel to 0 changes the activation by about `|sum_c x_c g_c|`.

    Attributes:
        share: theta_c_pct / 100: of the pixels of each image, those that contribute least;
            in [0, 1].
    """

    share: float

    def __post_init__(self) -> None:
        _check_share(self.share)

    def apply(self, x: Tensor, gradient: Tensor, number: int) -> None:
        """Set pixels to 0 whose contribution, x after the step, is below the quantile."""
        _clip(x, (x * gradient).sum(1).abs_(), self.share)

    def __str__(self) -> str:
        """Return as in `clip 90% by contribution`."""
        return f"clip {100 * self.share:g}% by contribution"


def _check_share(share: float) -> None:
    if not 0 <= share <= 1:
        raise SettingError(f"clipping takes a share of the pixels from 0 to 1, not {share}")


def _clip(x: Tensor, worth: Tensor, share: float) -> None:
    """Set to 0, in place, the pixels of each image whose (b, H, W) worth is below a quantile."""
    least = worth.flatten(1).quantile(share, dim=1)
    x.masked_fill_((worth < least[:, None, None])[:, None], 0)


def _mirrored(x: Tensor, dim: int, radius: int) -> Tensor:
    """Continue a side in the mirror, the last pixel twice, as often as the radius needs."""
    length = x.shape[dim]
    places = torch.arange(-radius, length + radius, device=x.device) % (2 * length)
    return x.index_select(dim, torch.minimum(places, 2 * length - 1 - places))


class Preset(NamedTuple):
    """How a style of images is made, by plain gradient ascent on the activation itself.

    Attributes:
        operators: After each step but the last, in this order.
        steps: Iterations.
        rate: Step along the gradient with respect to x; the largest where `progress` is given.
        progress: How much the activation shall rise a step if it were linear, which makes the
            step `progress / || gradient ||**2`; None for a constant step.
    """

    operators: tuple[Operator, ...]
    steps: int
    rate: float
    progress: float | None


TABLE_1 = (
    Preset((Blur(0.5, 4), ClipSmallNorm(0.5)), 500, 100, 2),
    Preset((Decay(0.3), ClipSmallNorm(0.2)), 750, 100, None),
    Preset((Decay(0.0001), Blur(1, 4)), 1000, 100, None),
    Preset((Blur(0.5, 4), ClipSmallContribution(0.9)), 1000, 1e8, 2),
)
"""The paper's four sets, in its order; the third, smooth, made most of its images.

Read from `doc/running-optimize-image.md` of deep-visualization-toolbox, which gives them as flags,
with the learning rates that the paper has not. They are meant for fc8 of CaffeNet, start at normal
noise of deviation 10, and clamp x + mean to 0..255 before every step.
"""
