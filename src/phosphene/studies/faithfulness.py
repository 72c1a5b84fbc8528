r"""Infidelity and sensitivity of an attribution.

For an attribution Phi of the score f of an image x, and random perturbations I,

    INFD = E_I [ (I . Phi - (f(x) - f(x - I)))^2 ],

which is zero if Phi foretells how much the score drops. Only the scalar product counts, so that
`foretold` makes these numbers, and `mean_infidelity` compares them with the `drops`.

- *Scaled*: before, Phi is multiplied by the `b` that makes INFD least,
  `b = E[(I . Phi) D] / E[(I . Phi)^2]` with D the drops, as the authors' code does. Maps of
  different methods have different units, and many methods (guided backpropagation, attention) none
  that a drop could be told in. Here b is at least 0: a map that says the opposite foretells
  nothing.
- *Relative*: divided by `E[D^2]`, so that 0 is perfect, and 1 as bad as to foretell no change.

The *max-sensitivity* is the largest change of Phi in a ball around x,

    SENS = max_{|y - x|_inf <= r} |Phi(y) - Phi(x)|  /  |Phi(x)|,

found by drawing y evenly from the ball, so that it is a lower bound that grows with the number of
draws. The division is the authors' code's; the paper has none. (That code divides inside the loop,
in every draw again what it has found so far, which leaves nearly the last draw alone. Here it is
once.)

*Reference.* Yeh et al., On the (In)fidelity and Sensitivity of Explanations, NeurIPS 2019,
definitions 2.1 and 3.1, section 2.2; github.com/chihkuanyeh/saliency_evaluation.
"""

from __future__ import annotations

import torch
from torch import Tensor

from phosphene.errors import SettingError

PERTURBATIONS = ("square", "noise")
SIDES = (1 / 8, 1 / 2)
"""Sides of squares, as shares of the shorter side."""
NOISE = 0.2
"""Standard deviation of noise, in RGB from 0 to 1: the authors' code's."""


def squares(count: int, size: tuple[int, int], seed: int = 0) -> Tensor:
    """Draw squares that lie in the image, of evenly drawn sides and places.

    Args:
        count: How many.
        size: (h, w) of the image.
        seed: Of the random numbers.

    Returns:
        (count, h, w) bool.
    """
    generator = torch.Generator().manual_seed(seed)
    least, most = (max(1, round(share * min(size))) for share in SIDES)
    found = torch.zeros(count, *size, dtype=torch.bool)
    for mask in found:
        side = int(torch.randint(least, most + 1, (1,), generator=generator))
        top, left = (int(torch.randint(n - side + 1, (1,), generator=generator)) for n in size)
        mask[top : top + side, left : left + side] = True
    return found


def noise(count: int, shape: tuple[int, ...], seed: int = 0) -> Tensor:
    """Draw (count, *shape) Gaussian noise of the standard deviation `NOISE`."""
    generator = torch.Generator().manual_seed(seed)
    return NOISE * torch.randn(count, *shape, generator=generator)


def foretold(attribution: Tensor, perturbations: Tensor) -> Tensor:
    """Return (n,) float64, I . Phi of every perturbation.

    Args:
        attribution: (c, h, w).
        perturbations: (n, c, h, w), or (n, 1, h, w) for one that has no colours.

    Raises:
        SettingError: They do not fit.
    """
    if attribution.shape != perturbations.shape[1:]:
        given, wanted = tuple(attribution.shape), tuple(perturbations.shape[1:])
        raise SettingError(f"an attribution {given} is not of a perturbation {wanted}")
    own = attribution.double().flatten()
    return torch.stack([p.double().flatten() @ own for p in perturbations])


def mean_infidelity(
    sums: Tensor, drops: Tensor, *, scaled: bool = True, relative: bool = False
) -> float | None:
    """Return the infidelity.

    Args:
        sums: (n,) what was foretold: I . Phi.
        drops: (n,) f(x) - f(x - I).
        scaled: Whether Phi is scaled to fit best.
        relative: Whether it is divided by the mean square of the drops.

    Returns:
        0 or more; `None` where a relative one is asked for and nothing has changed the score.
    """
    sums, drops = sums.double(), drops.double()
    if scaled:
        sums = best_scale(sums, drops) * sums
    found = float((sums - drops).square().mean())
    if not relative:
        return found
    changes = float(drops.square().mean())
    return found / changes if changes > 0 else None


def best_scale(sums: Tensor, drops: Tensor) -> float:
    """Return b, at least 0; 0 for an attribution that is zero."""
    power = float((sums.double() ** 2).sum())
    return max(0.0, float((sums.double() * drops.double()).sum()) / power) if power > 0 else 0.0


def ball(image: Tensor, radius: float, count: int, seed: int = 0) -> Tensor:
    """Draw (count, c, h, w) evenly from the ball |y - x|_inf <= radius around (1, c, h, w)."""
    generator = torch.Generator().manual_seed(seed)
    drawn = 2 * torch.rand(count, *image.shape[1:], generator=generator) - 1
    return image + radius * drawn.to(image)


def max_sensitivity(
    attribution: Tensor, around: Tensor, *, normalized: bool = True
) -> float | None:
    """Return the largest change of an attribution.

    Args:
        attribution: (c, h, w), of x.
        around: (n, c, h, w), of images near x.
        normalized: Whether it is divided by the length of the attribution.

    Returns:
        0 or more; `None` where the attribution is zero and it is to be divided.
    """
    own = attribution.double()
    largest = float((around.double() - own).flatten(1).norm(dim=1).max())
    if not normalized:
        return largest
    length = float(own.norm())
    return largest / length if length > 0 else None
