"""What natural images look like, in so far as a formula can tell.

All priors act on x = RGB in 0..255 minus the mean, (b, c, h, w), where the papers' constants live:
B = 80 is the typical norm of a pixel, V = B / 6.5 that of its gradient, B+ = 2 B the largest norm
allowed. All are divided by the number of pixels of what is optimised, so that a natural image
scores about 1.

*Reference.* Mahendran & Vedaldi, IJCV 2016, section 3.2; thesis 2018, section 5.2.1.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import pad

from phosphene.preimage.energy import Prior

TYPICAL = 80.0
"""B, the typical norm of a mean-subtracted RGB pixel in 0..255."""


@dataclass(frozen=True)
class BoundedRange(Prior):
    """Pixels shall not be much brighter or darker than usual (eq. 5).

    `1 / (h w) * sum over pixels of (|| x_p || / B) ** alpha`, the norm over the channels.

    Attributes:
        alpha: The higher, the closer to a hard bound at B.
        bound: B.
    """

    alpha: float = 6.0
    bound: float = TYPICAL

    def value(self, x: Tensor) -> Tensor:
        """Return (b,) values; a constant image of norm B has the value 1."""
        squares = x.square().sum(1) / self.bound**2
        powers: Tensor = squares.pow(self.alpha / 2)
        return powers.mean((1, 2))

    def add_gradient(self, x: Tensor, out: Tensor, weight: float) -> None:
        """Add `weight * alpha / (h w B**2) * (|| x_p || / B) ** (alpha - 2) * x_p`."""
        squares = x.square().sum(1, keepdim=True).div_(self.bound**2)
        scale = weight * self.alpha / (self.bound**2 * x.shape[2] * x.shape[3])
        # alpha = 6, the papers', needs no power function.
        powers = squares.square_() if self.alpha == 6 else squares.pow_(self.alpha / 2 - 1)
        out.addcmul_(powers.expand_as(x), x, value=scale)

    def __str__(self) -> str:
        """Return the name and constants."""
        return f"bounded range (alpha {self.alpha:g}, B {self.bound:g})"


@dataclass(frozen=True)
class TotalVariation(Prior):
    """Images shall consist of smooth patches: TV^beta (section 3.2.2).

    `1 / (h w V**beta) * sum over pixels and channels of (dx**2 + dy**2) ** (beta / 2)` with
    forward differences, zero at the last column and row; the channels are summed outside the
    power.

    Attributes:
        beta: 1 is the usual total variation, which leaves spikes; 2 is the papers' choice.
        typical: V.
        floor: For beta < 2 the gradient divides by the variation; as in the authors' code
            `(dx**2 + dy**2) ** (beta / 2)` is taken for no less than this there.
    """

    beta: float = 2.0
    typical: float = TYPICAL / 6.5
    floor: float = 1e-6

    def value(self, x: Tensor) -> Tensor:
        """Return (b,) values."""
        dx, dy = _differences(x)
        power: Tensor = (dx.square() + dy.square()).pow(self.beta / 2)
        return power.sum((1, 2, 3)) / self._scale(x)

    def add_gradient(self, x: Tensor, out: Tensor, weight: float) -> None:
        """Add `weight` times the derivative: each difference pulls at both its pixels."""
        scale = weight * self.beta / self._scale(x)
        if self.beta == 2:
            dx, dy = x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]
        else:
            dx, dy = _differences(x)
            variation = (dx.square() + dy.square()).pow_(self.beta / 2).clamp_(min=self.floor)
            factor = variation.pow_(1 - 2 / self.beta)
            dx, dy = dx.mul_(factor)[..., :-1], dy.mul_(factor)[..., :-1, :]
        out[..., 1:].add_(dx, alpha=scale)
        out[..., :-1].sub_(dx, alpha=scale)
        out[..., 1:, :].add_(dy, alpha=scale)
        out[..., :-1, :].sub_(dy, alpha=scale)

    def _scale(self, x: Tensor) -> float:
        return float(x.shape[2] * x.shape[3] * self.typical**self.beta)

    def __str__(self) -> str:
        """Return the name and exponent."""
        return f"total variation (beta {self.beta:g})"


@dataclass(frozen=True)
class SquaredNorm(Prior):
    """Images shall be dark: `|| x / B ||^2 / (h w)` (Simonyan et al. 2014, eq. 1).

    Attributes:
        bound: B, which only sets the scale.
    """

    bound: float = TYPICAL

    def value(self, x: Tensor) -> Tensor:
        """Return (b,) values."""
        return (x / self.bound).square().sum((1, 2, 3)) / (x.shape[2] * x.shape[3])

    def add_gradient(self, x: Tensor, out: Tensor, weight: float) -> None:
        """Add `weight * 2 x / (h w B**2)`."""
        out.add_(x, alpha=2 * weight / (self.bound**2 * x.shape[2] * x.shape[3]))

    def __str__(self) -> str:
        """Return the name."""
        return "squared norm"


NATURAL: tuple[Prior, ...] = (BoundedRange(), TotalVariation())
"""The papers' priors with the papers' constants."""


def project(x: Tensor, radius: float = 2 * TYPICAL) -> Tensor:
    """Bring every pixel into the ball of norm B+, in place (the hard part of eq. 6).

    Args:
        x: (b, c, h, w), RGB in 0..255 minus the mean.
        radius: B+; infinite for no bound.

    Returns:
        x itself, `x_p * min(1, B+ / || x_p ||)`.
    """
    if radius == float("inf"):
        return x
    # Not vector_norm, which is slow across channels.
    squares = x.square().sum(1, keepdim=True)
    return x.mul_(squares.clamp_(min=1e-24).rsqrt_().mul_(radius).clamp_(max=1))


def _differences(x: Tensor) -> tuple[Tensor, Tensor]:
    dx = pad(x[..., 1:] - x[..., :-1], (0, 1))
    dy = pad(x[..., 1:, :] - x[..., :-1, :], (0, 0, 0, 1))
    return dx, dy
