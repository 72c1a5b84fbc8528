"""How an energy is descended: solver, length, canvas, and when to stop."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from phosphene.errors import SettingError, nearest
from phosphene.preimage.operators import Operator
from phosphene.preimage.priors import TYPICAL
from phosphene.preimage.solvers import AlgorithmOne, Solver, Torch
from phosphene.preimage.transforms import Rotation, Scale, Transform


@dataclass(frozen=True)
class Convergence:
    """When an image is done: its energy, averaged over a window, does not fall any more.

    Attributes:
        window: Iterations to average over, since jitter makes the energy dance.
        tolerance: Least fall from window to window, as a share of the sum of the magnitudes of
            objectives and priors.
        least: Iterations to be done in any case: quick solvers overshoot at first, and rise.
    """

    window: int = 30
    tolerance: float = 0.005
    least: int = 60

    def reached(self, energies: list[Tensor], magnitude: Tensor) -> Tensor:
        """Tell which images are done.

        Args:
            energies: (b,) energies of every iteration so far.
            magnitude: (b,) magnitudes of objectives and priors now.

        Returns:
            (b,) truth values.
        """
        w = self.window
        if len(energies) < max(2 * w, self.least):
            return torch.zeros_like(energies[-1], dtype=torch.bool)
        before = torch.stack(energies[-2 * w : -w]).mean(0)
        now = torch.stack(energies[-w:]).mean(0)
        return before - now <= self.tolerance * magnitude


@dataclass(frozen=True)
class Recipe:
    """How an energy is descended. The defaults are the papers', and stopping early.

    Attributes:
        name: What to call it.
        solver: The way down.
        steps: Iterations at most.
        second: Further iterations without jitter and transforms, at a tenth of the rate, from the
            middle of the canvas.
        parameters: Whether the image is made of its pixels, or of its spectrum with decorrelated
            colours.
        jitter: T; a quarter of the layer's stride if `None`, 1 for none.
        transforms: Others than the jitter, in the order they are done.
        operators: What is done to the pixels after every step.
        radius: B+, the norm that no pixel may exceed; infinite for no bound.
        convergence: When to stop early; `None` for never.
    """

    name: str = "papers', stopped when converged"
    solver: Solver = field(default_factory=AlgorithmOne)
    steps: int = 300
    second: int = 0
    parameters: Literal["pixels", "spectrum"] = "pixels"
    jitter: int | None = None
    transforms: tuple[Transform, ...] = ()
    operators: tuple[Operator, ...] = ()
    radius: float = 2 * TYPICAL
    convergence: Convergence | None = Convergence()

    def __post_init__(self) -> None:
        if self.steps < 1 or self.second < 0:
            raise SettingError(f"{self.steps} + {self.second} steps lead nowhere: give at least 1")
        if self.parameters == "spectrum":
            if self.operators:
                raise SettingError(
                    "blurring and clipping work on pixels: leave them out, or the spectrum"
                )
            object.__setattr__(self, "radius", float("inf"))

    def __str__(self) -> str:
        """Say everything but energy and jitter, in one line."""
        steps = f"{self.steps} + {self.second}" if self.second else f"{self.steps}"
        parts = [
            f"{self.solver}",
            f"at most {steps} steps" if self.convergence else f"{steps} steps",
        ]
        parts += [self.parameters] if self.parameters != "pixels" else []
        parts += [*map(str, self.transforms), *map(str, self.operators)]
        return ", ".join(parts)


VISUALIZATION = Recipe(
    "best",
    Torch("Adam", {"lr": 0.05}),
    512,
    parameters="spectrum",
    jitter=8,
    transforms=(Scale(0.9, 1.1), Rotation(5)),
    convergence=None,
)
"""How today's tools find what excites a unit (Olah, Mordvintsev & Schubert, Distill 2017)."""


def chosen(
    recipes: dict[str, Recipe],
    quality: Recipe | str | None,
    usual: Recipe,
    steps: int | None = None,
    jitter: int | None = None,
) -> Recipe:
    """Choose a recipe.

    Args:
        recipes: By quality.
        quality: `"fast"`, `"paper"`, `"best"`, a recipe of one's own, or `None` for the usual one.
        usual: That.
        steps: In place of its iterations.
        jitter: In place of its jitter.

    Raises:
        SettingError: There is no such quality.
    """
    if quality is None:
        recipe = usual
    elif isinstance(quality, Recipe):
        recipe = quality
    elif quality in recipes:
        recipe = recipes[quality]
    else:
        offer = nearest(quality, recipes) or f"; choose one of {', '.join(recipes)}"
        raise SettingError(f"{quality!r} is no quality{offer}")
    recipe = recipe if steps is None else replace(recipe, steps=steps)
    return recipe if jitter is None else replace(recipe, jitter=jitter)
