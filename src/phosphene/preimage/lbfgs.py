"""L-BFGS for a batch of images, each with a curvature and a step of its own.

`torch.optim.LBFGS` takes a batch for one long vector: its images would share curvature and step,
and what is found of one would depend on those beside it. Here all inner products are taken image
by image, so that a batch finds what its images would find alone, in one network pass for all.

*Reference.* Nocedal & Wright, Numerical Optimization, algorithms 7.4 (two loops) and 3.1
(backtracking). Gatys et al. 2015 use L-BFGS for texture; thesis 2018, section 5.2.3 compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from phosphene.preimage.problem import Evaluation, Glance
from phosphene.preimage.solvers import Course, Settle, Solver

_SUFFICIENT, _SHORTER, _TRIES = 1e-4, 0.3, 8


@dataclass(frozen=True)
class LBFGS(Solver):
    """Quasi-Newton steps with backtracking.

    Attributes:
        history: How many pairs of steps and gradient changes make the curvature.
        first: Length of the first step: the mean change of a parameter (pixels: RGB in 0..255).
    """

    history: int = 10
    first: float = 1.0

    def begin(self, theta: Tensor, size: tuple[int, int], slower: float = 1.0) -> Course:
        """Set out without curvature."""
        return _Batch(self.history, self.first / slower)

    def __str__(self) -> str:
        """Return the name and the memory."""
        return f"L-BFGS (history {self.history})"


class _Batch(Course):
    def __init__(self, history: int, first: float) -> None:
        self.history, self.first = history, first
        # (m, b, n) each: steps, gradient changes; (m, b) their inner products, 0 if unusable.
        self.steps: list[Tensor] = []
        self.changes: list[Tensor] = []
        self.curved: list[Tensor] = []
        self.before: tuple[Tensor, Tensor] | None = None
        # What was found at the end of the last step: the beginning of the next, if it looks alike.
        self.ready: tuple[Evaluation, Tensor, Glance] | None = None

    def step(self, theta: Tensor, evaluate: Glance, settle: Settle) -> Evaluation:
        found = self._again(theta, evaluate)
        flat, g = theta.flatten(1), found.gradient.flatten(1)
        if self.before is not None:
            self._remember(flat - self.before[0], g - self.before[1])
        self.before = flat.clone(), g
        direction = self._direction(g)
        downhill = _dot(direction, g)
        # Where curvature misleads, go straight down.
        wrong = downhill >= 0
        if wrong.any():
            straight = -g * (self.first / g.abs().mean(1, keepdim=True).clamp(min=1e-30))
            direction = torch.where(wrong[:, None], straight, direction)
            downhill = _dot(direction, g)
        self._search(theta, direction, downhill, found.total, evaluate, settle)
        return found

    def _search(
        self,
        theta: Tensor,
        direction: Tensor,
        downhill: Tensor,
        total: Tensor,
        evaluate: Glance,
        settle: Settle,
    ) -> None:
        start = theta.clone()
        length = torch.ones_like(total)
        for attempt in range(_TRIES):
            theta.copy_(start + (length[:, None] * direction).view_as(start))
            settle(theta)
            now = evaluate(theta)
            self.ready = now, theta.clone(), evaluate
            worse = ~(now.total <= total + _SUFFICIENT * length * downhill)
            if not worse.any():
                return
            if attempt + 1 < _TRIES:
                length = torch.where(worse, length * _SHORTER, length)
        # No shorter step helps: those images stay where they are, and begin without curvature.
        theta.copy_(torch.where(worse.view(-1, *[1] * (theta.dim() - 1)), start, theta))
        self.curved = [torch.where(worse, 0.0, product) for product in self.curved]

    def _again(self, theta: Tensor, evaluate: Glance) -> Evaluation:
        if self.ready is not None:
            found, where, glance = self.ready
            if glance.same_as(evaluate) and torch.equal(where, theta):
                return found
        return evaluate(theta)

    def _remember(self, step: Tensor, change: Tensor) -> None:
        product = _dot(step, change)
        usable = product > 1e-10 * _dot(change, change).clamp(min=1e-300)
        self.steps.append(step)
        self.changes.append(change)
        self.curved.append(torch.where(usable, product, 0.0))
        if len(self.steps) > self.history:
            del self.steps[0], self.changes[0], self.curved[0]

    def _direction(self, g: Tensor) -> Tensor:
        q = -g
        weights: list[Tensor] = []
        pairs = list(zip(self.steps, self.changes, self.curved, strict=True))
        for s, y, sy in reversed(pairs):
            weight = torch.where(sy > 0, _dot(s, q) / sy.clamp(min=1e-300), 0.0)
            q = q - weight[:, None] * y
            weights.append(weight)
        q = q * self._scale(g)[:, None]
        for (s, y, sy), weight in zip(pairs, reversed(weights), strict=True):
            other = torch.where(sy > 0, _dot(y, q) / sy.clamp(min=1e-300), 0.0)
            q = q + (weight - other)[:, None] * s
        return q

    def _scale(self, g: Tensor) -> Tensor:
        """Return (b,) the size of the inverse Hessian, from the last usable pair."""
        scale = self.first / g.abs().mean(1).clamp(min=1e-30)
        for _, y, sy in zip(self.steps, self.changes, self.curved, strict=True):
            scale = torch.where(sy > 0, sy / _dot(y, y).clamp(min=1e-300), scale)
        return scale

    def state(self) -> dict[str, Tensor]:
        if self.before is None:
            return {}
        kept = {"theta": self.before[0], "gradient": self.before[1]}
        for number, (s, y, sy) in enumerate(
            zip(self.steps, self.changes, self.curved, strict=True)
        ):
            kept |= {f"s{number}": s, f"y{number}": y, f"sy{number}": sy}
        return kept

    def restore(self, state: Mapping[str, Tensor]) -> None:
        if "theta" not in state:
            return
        self.before = state["theta"], state["gradient"]
        count = sum(name.startswith("sy") for name in state)
        self.steps = [state[f"s{n}"] for n in range(count)]
        self.changes = [state[f"y{n}"] for n in range(count)]
        self.curved = [state[f"sy{n}"] for n in range(count)]


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """Return the (b,) inner products of (b, n) and (b, n)."""
    return torch.einsum("bn,bn->b", one, other)
