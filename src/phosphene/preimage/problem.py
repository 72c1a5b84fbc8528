"""An energy on a canvas: how high it is, and which way is down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from phosphene.preimage.canvas import Canvas, PixelSpace, Sighting
from phosphene.preimage.energy import Energy
from phosphene.preimage.fourier import Parameters
from phosphene.preimage.phi import Code, Phi


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The energy at one place.

    Attributes:
        objective: (b,) weighted objectives.
        gradient: Derivative of the energy with respect to the parameters, priors included.
        x: (b, c, H, W) the image there.
        problem: Whose energy it is.
    """

    objective: Tensor
    gradient: Tensor
    x: Tensor
    problem: Problem

    @cached_property
    def prior(self) -> Tensor:
        """(b,) weighted priors; computed when asked for, as few solvers need them."""
        return self.problem.prior(self.x)

    @property
    def total(self) -> Tensor:
        """(b,) the energy."""
        return self.objective + self.prior


@dataclass(frozen=True, eq=False)
class Problem:
    """What is to be descended.

    Attributes:
        energy: Objectives and priors.
        phi: The network.
        space: Between x and the network's input.
        canvas: What of the image the network sees.
        parameters: What the image is made of: its pixels, or its spectrum.
        dtype: What the network computes in.
    """

    energy: Energy
    phi: Phi
    space: PixelSpace
    canvas: Canvas
    parameters: Parameters
    dtype: torch.dtype = torch.float32

    @staticmethod
    def precise(value: Tensor) -> torch.dtype:
        """Return the type that sums over many numbers are made in: single precision at least."""
        return torch.promote_types(value.dtype, torch.float32)

    def prior(self, x: Tensor) -> Tensor:
        """Return the (b,) weighted priors."""
        values = [weight * term.value(x) for weight, term in self.energy.priors]
        return torch.stack(values).sum(0) if values else x.new_zeros(len(x))

    def evaluate(self, theta: Tensor, sighting: Sighting) -> Evaluation:
        """Compute the energy's objectives and its gradient.

        Args:
            theta: The parameters; left as they are.
            sighting: What the network sees of the canvas this time.
        """
        with torch.enable_grad():
            leaf = theta.detach().requires_grad_()
            image = self.parameters.image(leaf)
        x = image.detach()
        objective, gradient = self._on_image(x, sighting)
        for weight, term in self.energy.priors:
            term.add_gradient(x, gradient, weight)
        if image is not leaf:
            (gradient,) = torch.autograd.grad(image, leaf, gradient)
        return Evaluation(objective, gradient, x, self)

    def _on_image(self, x: Tensor, sighting: Sighting) -> tuple[Tensor, Tensor]:
        """Return the (b,) weighted objectives, and their gradient on the canvas."""
        if not self.energy.objectives:
            return x.new_zeros(len(x)), torch.zeros_like(x)
        # The way from what is seen to the network's input is affine: the tape begins behind it.
        seen, back = self.canvas.see(x, sighting)
        leaf = self.space.to_input(seen).detach().to(self.dtype).clone().requires_grad_()
        objective, slope = self._through_network(leaf, redirect=False)
        silent = slope.flatten(1).abs().amax(1) == 0
        if silent.any():
            # No gradient at all: a unit behind a ReLU that is silent. Look for what would wake it.
            _, other = self._through_network(leaf, redirect=True)
            slope = torch.where(silent.view(-1, 1, 1, 1), other, slope)
        return objective, back(self.space.from_input_gradient(slope.to(x)))

    def _through_network(self, leaf: Tensor, redirect: bool) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            codes = self.phi(leaf)
        objective, pulls = self._judge(codes)
        if redirect:
            signals = [codes[name].straight_back(pull) for name, pull in pulls.items()]
            back = [signal for signal in signals if signal is not None]
            return objective, sum(back, torch.zeros_like(leaf))
        edges = [codes[name].edge for name in pulls]
        (slope,) = torch.autograd.grad(edges, leaf, list(pulls.values()))
        return objective, slope

    def _judge(self, codes: Mapping[str, Code]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the (b,) weighted objectives and their derivative for every layer's code."""
        objective: Tensor | float = 0.0
        pulls: dict[str, Tensor] = {}
        for weight, term in self.energy.objectives:
            value = codes[term.layer].value
            loss, slope = term.judge(value.to(self.precise(value)), weight)
            slope = slope.to(value)
            objective = objective + weight * loss
            pulls[term.layer] = pulls[term.layer] + slope if term.layer in pulls else slope
        assert isinstance(objective, Tensor)
        return objective, pulls


@dataclass(frozen=True, eq=False)
class Glance:
    """The energy at one sighting of the canvas, as a function of the parameters.

    Attributes:
        problem: Whose energy it is.
        sighting: What the network sees.
    """

    problem: Problem
    sighting: Sighting

    def __call__(self, theta: Tensor) -> Evaluation:
        """Compute the energy and its gradient."""
        return self.problem.evaluate(theta, self.sighting)

    def same_as(self, other: Glance) -> bool:
        """Whether the network sees the same of the canvas."""
        one, two = self.sighting, other.sighting
        if isinstance(one, Tensor) or isinstance(two, Tensor):
            return False  # drawn anew each time
        return one == two
