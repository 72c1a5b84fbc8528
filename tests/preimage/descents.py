"""A small differentiable representation, and descents on it, for the tests."""

from __future__ import annotations

import torch

from phosphene.core.preprocessing import Preprocessing
from phosphene.preimage.canvas import Canvas, PixelSpace
from phosphene.preimage.descent import Descent, Step
from phosphene.preimage.energy import Energy
from phosphene.preimage.fourier import Parameters, Pixels
from phosphene.preimage.phi import Code
from phosphene.preimage.problem import Problem
from phosphene.preimage.solvers import AlgorithmOne, Solver

# A network of BGR pixels with its own scale, so that the affine way there and back is tested.
SPACE = PixelSpace.of(
    Preprocessing((7, 6), mean=(0.4, 0.5, 0.3), std=(0.5, 0.25, 2.0), scale=3.0, order="BGR"),
    torch.zeros(1, dtype=torch.float64),
)


def phi(image: torch.Tensor) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(4, 3, 3, 3, generator=generator, dtype=torch.float64)
    return torch.nn.functional.conv2d(image, weight.to(image)).tanh()


def noise(canvas: Canvas, seeds: list[int]) -> torch.Tensor:
    return Pixels(canvas.full).noise(seeds).double()


def problem(energy: Energy, canvas: Canvas, parameters: Parameters | None = None) -> Problem:
    parameters = parameters or Pixels(canvas.full)
    return Problem(
        energy, lambda x: {"": Code.of(phi(x))}, SPACE, canvas, parameters, torch.float64
    )


def descent(
    energy: Energy,
    theta: torch.Tensor,
    canvas: Canvas,
    solver: Solver | None = None,
    parameters: Parameters | None = None,
    seed: int = 0,
    **options: object,
) -> Descent:
    generator = torch.Generator().manual_seed(seed)
    options.setdefault("radius", 160.0)
    where = problem(energy, canvas, parameters)
    return Descent(where, theta, solver or AlgorithmOne(), generator, **options)  # type: ignore[arg-type]


def run(way: Descent, steps: int) -> list[Step]:
    return [way.advance() for _ in range(steps)]
