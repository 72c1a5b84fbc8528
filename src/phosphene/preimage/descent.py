"""Descending an energy, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from phosphene.core.finite import all_finite
from phosphene.errors import NotFinite
from phosphene.preimage.operators import Operator
from phosphene.preimage.priors import project
from phosphene.preimage.problem import Glance, Problem
from phosphene.preimage.recipe import Convergence
from phosphene.preimage.solvers import Solver

_EXPLODED = 1e3


@dataclass(frozen=True, eq=False)
class Step:
    """What one iteration saw, before it moved.

    Attributes:
        number: 0-based.
        objective: (b,) weighted objectives.
        prior: (b,) weighted priors.
    """

    number: int
    objective: Tensor
    prior: Tensor


class Descent:
    """A descent on its way.

    Images that have converged stay as they are, however long those beside them take. An energy
    that leaves the finite numbers, or grows a thousandfold, ends the descent with the last image
    before that.

    Attributes:
        problem: What is descended.
        theta: The parameters; they change in place.
        number: Iterations done.
        done: (b,) which images have converged.
        trouble: What ended the descent before its time; empty if nothing did.
    """

    def __init__(
        self,
        problem: Problem,
        theta: Tensor,
        solver: Solver,
        generator: torch.Generator,
        *,
        slower: float = 1.0,
        operators: Sequence[Operator] = (),
        radius: float = float("inf"),
        convergence: Convergence | None = None,
        every: int = 10,
    ) -> None:
        """Set out.

        Args:
            problem: What is descended.
            theta: Where from; taken over and changed in place.
            solver: The way down.
            generator: Draws what is seen.
            slower: Divides the solver's rate.
            operators: What is done to the pixels after every step.
            radius: B+ of the ball that pixels are projected to.
            convergence: When an image is done.
            every: How often the priors' values, which only the trace needs, are computed;
                between, the last ones are repeated.
        """
        self.problem, self.theta, self.generator = problem, theta, generator
        self.operators, self.radius, self.convergence = tuple(operators), radius, convergence
        self.every = every
        self.course = solver.begin(theta, problem.canvas.size, slower)
        self.number = 0
        self.done = torch.zeros(len(theta), dtype=torch.bool, device=theta.device)
        self.trouble = ""
        self._prior = theta.new_zeros(len(theta))
        self._energies: list[Tensor] = []
        self._good = theta.clone()

    @property
    def over(self) -> bool:
        """Whether there is nothing left to descend."""
        return bool(self.trouble) or bool(self.done.all())

    def advance(self) -> Step:
        """Go one step.

        Raises:
            NotFinite: The energy is no finite number from the start.
        """
        before = self.theta.clone() if self.done.any() else None
        glance = Glance(self.problem, self.problem.canvas.draw(self.generator))
        try:
            found = self.course.step(self.theta, glance, self._settle)
        except NotFinite as error:
            return self._ended(str(error))
        if self.number % self.every == 0:
            self._prior = found.prior
        step = Step(self.number, found.objective, self._prior)
        total = step.objective + step.prior
        if not all_finite(total) or not all_finite(self.theta):
            return self._ended("the energy is no finite number any more")
        self._energies.append(total)
        if (total > _EXPLODED * self._energies[0].abs().clamp(min=1)).any():
            return self._ended("the energy grows without end")
        if self.operators:
            for operator in self.operators:
                operator.apply(self.theta, found.gradient, self.number)
        if before is not None:
            self.theta.copy_(_chosen(self.done, before, self.theta))
        self._good.copy_(self.theta)
        self.number += 1
        if self.convergence is not None:
            magnitude = step.objective.abs() + step.prior.abs()
            self.done |= self.convergence.reached(self._energies, magnitude)
        return step

    def _settle(self, theta: Tensor) -> None:
        project(theta, self.radius)

    def _ended(self, why: str) -> Step:
        if self.number == 0:
            raise NotFinite(f"{why} at step 0: lower the rate or C, or look at the network")
        self.theta.copy_(self._good)
        self.trouble = f"stopped at step {self.number}: {why}; the last good image is kept"
        nothing = torch.full_like(self._prior, float("nan"))
        return Step(self.number, nothing, nothing)

    def state(self) -> dict[str, Tensor]:
        """Return all that is needed to go on from here."""
        energies = torch.stack(self._energies) if self._energies else self._prior[None][:0]
        own = {
            "theta": self.theta,
            "done": self.done,
            "number": torch.tensor(self.number),
            "prior": self._prior,
            "energies": energies,
            "generator": self.generator.get_state(),
        }
        return own | {f"course.{name}": value for name, value in self.course.state().items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from where `state` was taken."""
        self.theta.copy_(state["theta"])
        self._good.copy_(self.theta)
        self.done.copy_(state["done"])
        self.number = int(state["number"])
        self._prior = state["prior"].to(self.theta)
        self._energies = list(state["energies"].to(self.theta))
        self.generator.set_state(state["generator"].cpu())
        course = {n[7:]: v.to(self.theta.device) for n, v in state.items() if n[:7] == "course."}
        self.course.restore(course)


def _chosen(which: Tensor, one: Tensor, other: Tensor) -> Tensor:
    return torch.where(which.view(-1, *[1] * (one.dim() - 1)), one, other)
