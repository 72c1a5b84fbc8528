"""Descending an energy: Algorithm 1 of the papers.

```text
g  <- gradient of the energy          G  <- rho G + g^2
mu <- rho mu - g / (1/eta + sqrt(G))  x  <- project(x + mu)
```

AdaGrad in a window, with momentum, a first step of the size eta, and a projection onto the ball of
allowed pixels.

*Departures.* IJCV prints eta = 0.01 B^2 / alpha, derived for a single pixel; but the prior is a
mean over the pixels, so its gradient is h w times smaller and the noise of the start would stay.
The authors' code has eta = 0.05 B^2 / alpha * h w, as here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from phosphene.errors import NotFinite
from phosphene.preimage.canvas import Canvas, PixelSpace
from phosphene.preimage.energy import Energy
from phosphene.preimage.priors import TYPICAL, project

Phi = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Settings:
    """Constants of Algorithm 1.

    Attributes:
        steps: Iterations.
        rate: eta as a share of B^2 / alpha * h w.
        alpha: alpha of the bounded range prior that the rate is derived from.
        decay: rho, of G and of mu.
        radius: B+; infinite for no projection.
    """

    steps: int = 300
    rate: float = 0.05
    alpha: float = 6.0
    decay: float = 0.9
    radius: float = 2 * TYPICAL

    def eta(self, size: tuple[int, int]) -> float:
        """Return the first learning rate for a network that sees images of a size."""
        return self.rate * TYPICAL**2 / self.alpha * size[0] * size[1]


@dataclass(frozen=True, eq=False)
class Step:
    """What one iteration saw, before it moved.

    Attributes:
        number: 0-based.
        objective: (b,) weighted objectives.
        prior: (b,) weighted priors.
        x: (b, c, H, W) canvas after the step; the same tensor every time, changed in place.
    """

    number: int
    objective: Tensor
    prior: Tensor
    x: Tensor


def descend(
    energy: Energy,
    phi: Phi,
    x: Tensor,
    canvas: Canvas,
    space: PixelSpace,
    settings: Settings,
    generator: torch.Generator,
    *,
    every: int = 10,
) -> Iterator[Step]:
    """Descend an energy by Algorithm 1, yielding after every iteration.

    Args:
        energy: What to descend.
        phi: From (b, c, h, w), the network's own input, to codes.
        x: (b, c, H, W) start, on the full canvas; changed in place.
        canvas: What part of it the network sees.
        space: From x to RGB.
        settings: Constants.
        generator: Draws the jitter.
        every: How often the priors' values, which only the trace needs, are computed; between,
            the last ones are repeated.

    Yields:
        A `Step` an iteration.

    Raises:
        NotFinite: The energy is no finite number any more.
    """
    squares, momentum = torch.zeros_like(x), torch.zeros_like(x)
    inverse = 1 / settings.eta(canvas.size)
    prior = x.new_zeros(len(x))
    for number in range(settings.steps):
        objective, gradient = _objective(energy, phi, x, canvas, space, generator)
        for weight, term in energy.priors:
            term.add_gradient(x, gradient, weight)
        if number % every == 0:
            values = [weight * term.value(x) for weight, term in energy.priors]
            prior = torch.stack(values).sum(0) if values else x.new_zeros(len(x))
        if not torch.isfinite(objective).all():
            raise NotFinite(
                f"the energy is no finite number at step {number}: lower the rate, or C"
            )
        squares.mul_(settings.decay).addcmul_(gradient, gradient)
        momentum.mul_(settings.decay).addcdiv_(gradient, squares.sqrt().add_(inverse), value=-1)
        project(x.add_(momentum), settings.radius)
        yield Step(number, objective, prior, x)


def _objective(
    energy: Energy,
    phi: Phi,
    x: Tensor,
    canvas: Canvas,
    space: PixelSpace,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Return the (b,) weighted objectives at a jittered crop, and their gradient on the canvas."""
    gradient = torch.zeros_like(x)
    if not energy.objectives:
        return x.new_zeros(len(x)), gradient
    offset = canvas.offset(generator)
    # The way from x to the network's input is affine, so the tape begins behind it.
    seen = space.to_input(canvas.crop(x, offset)).detach().clone().requires_grad_()
    with torch.enable_grad():
        code = phi(seen)
    found = code.detach()
    objective, pull = x.new_zeros(len(x)), None
    for weight, term in energy.objectives:
        loss, slope = term.judge(found, weight)
        objective = objective + weight * loss
        pull = slope if pull is None else pull + slope
    (slope,) = torch.autograd.grad(code, seen, pull)
    canvas.crop(gradient, offset).copy_(space.from_input_gradient(slope))
    return objective, gradient
