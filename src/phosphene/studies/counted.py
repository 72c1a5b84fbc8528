"""A solver under a count: how low is the energy after so many passes through the network?

Steps are no measure to compare solvers by, since L-BFGS looks at several places for one step. Here
every evaluation of the energy, which is one pass through the network and back, is noted with what
was found; when the passes are spent, nothing moves any more.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from phosphene.preimage.problem import Evaluation, Glance
from phosphene.preimage.solvers import Course, Settle, Solver


@dataclass(frozen=True)
class Counted(Solver):
    """Another solver, with a note of every energy it sees; for one image.

    Attributes:
        solver: The other.
        passes: How many evaluations it may have; a line search under way is let finish.
        energies: What it has seen, evaluation by evaluation.
    """

    solver: Solver
    passes: int
    energies: list[float] = field(default_factory=list, compare=False)

    def begin(self, theta: Tensor, size: tuple[int, int], slower: float = 1.0) -> Course:
        """Set out with the other solver."""
        return _Counted(self.solver.begin(theta, size, slower), self.passes, self.energies)

    def lowest(self) -> list[float]:
        """Return the lowest energy seen so far, after every pass that is allowed."""
        seen = list(itertools.accumulate(self.energies[: self.passes], min))
        return seen + seen[-1:] * (self.passes - len(seen))

    def __str__(self) -> str:
        """Return the other's text."""
        return f"{self.solver}, {self.passes} passes"


class _Counted(Course):
    def __init__(self, course: Course, passes: int, energies: list[float]) -> None:
        self.course, self.passes, self.energies = course, passes, energies
        self.last: Evaluation | None = None

    def step(self, theta: Tensor, evaluate: Glance, settle: Settle) -> Evaluation:
        if self.last is None or len(self.energies) < self.passes:
            noted = _Noted(evaluate.problem, evaluate.sighting, self.energies)
            self.last = self.course.step(theta, noted, settle)
        return self.last

    def state(self) -> dict[str, Tensor]:
        return self.course.state()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.course.restore(state)


@dataclass(frozen=True, eq=False)
class _Noted(Glance):
    energies: list[float]

    def __call__(self, theta: Tensor) -> Evaluation:
        found = super().__call__(theta)
        self.energies.append(float(found.total.sum()))
        return found
