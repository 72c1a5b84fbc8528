"""Ways down: Algorithm 1 of the papers, and any optimiser of PyTorch.

```text
g  <- gradient of the energy          G  <- rho G + g^2
mu <- rho mu - g / (1/eta + sqrt(G))  x  <- project(x + mu)
```

AdaGrad in a window, with momentum, a first step of the size eta, and a projection onto the ball of
allowed pixels (Mahendran & Vedaldi, IJCV 2016, Algorithm 1).

*Departures.* IJCV prints eta = 0.01 B^2 / alpha, derived for a single pixel; but the prior is a
mean over the pixels, so its gradient is h w times smaller and the noise of the start would stay.
The authors' code has eta = 0.05 B^2 / alpha * h w, as here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from phosphene.errors import SettingError, nearest
from phosphene.preimage.priors import TYPICAL
from phosphene.preimage.problem import Evaluation, Glance

Settle = Callable[[Tensor], None]
"""Brings parameters back to where they are allowed, in place."""


class Course(ABC):
    """A solver on its way: what it remembers from step to step."""

    @abstractmethod
    def step(self, theta: Tensor, evaluate: Glance, settle: Settle) -> Evaluation:
        """Move the parameters one step, in place.

        Args:
            theta: (b, ...) where it stands.
            evaluate: The energy and its gradient anywhere; the same sighting for the whole step.
            settle: To be called on whatever the step arrives at.

        Returns:
            What was found before the move.
        """

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """Return all that is remembered."""

    @abstractmethod
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Remember what `state` returned."""


class Solver(ABC):
    """A way of descending an energy."""

    @abstractmethod
    def begin(self, theta: Tensor, size: tuple[int, int], slower: float = 1.0) -> Course:
        """Set out.

        Args:
            theta: (b, ...) where from.
            size: (h, w) that the network sees.
            slower: Divides the rate: the second stage of inversion goes ten times slower.
        """

    @abstractmethod
    def __str__(self) -> str:
        """Name the solver and its constants."""


@dataclass(frozen=True)
class AlgorithmOne(Solver):
    """The papers' own.

    Attributes:
        rate: eta as a share of B^2 / alpha * h w.
        alpha: alpha of the bounded range prior that the rate is derived from.
        decay: rho, of G and of mu.
    """

    rate: float = 0.05
    alpha: float = 6.0
    decay: float = 0.9

    def eta(self, size: tuple[int, int]) -> float:
        """Return the first learning rate for a network that sees images of a size."""
        return self.rate * TYPICAL**2 / self.alpha * size[0] * size[1]

    def begin(self, theta: Tensor, size: tuple[int, int], slower: float = 1.0) -> Course:
        """Set out with G and mu at zero."""
        return _Windowed(theta, slower / self.eta(size), self.decay)

    def __str__(self) -> str:
        """Return the name and the rate."""
        return f"Algorithm 1 (rate {self.rate:g}, rho {self.decay:g})"


class _Windowed(Course):
    def __init__(self, theta: Tensor, inverse: float, decay: float) -> None:
        self.squares, self.momentum = torch.zeros_like(theta), torch.zeros_like(theta)
        self.inverse, self.decay = inverse, decay

    def step(self, theta: Tensor, evaluate: Glance, settle: Settle) -> Evaluation:
        found = evaluate(theta)
        g = found.gradient
        self.squares.mul_(self.decay).addcmul_(g, g)
        step = self.squares.sqrt().add_(self.inverse)
        theta.add_(self.momentum.mul_(self.decay).addcdiv_(g, step, value=-1))
        settle(theta)
        return found

    def state(self) -> dict[str, Tensor]:
        return {"squares": self.squares, "momentum": self.momentum}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.squares.copy_(state["squares"])
        self.momentum.copy_(state["momentum"])


@dataclass(frozen=True)
class Momentum(Solver):
    """Gradient steps of one length, with momentum: Simonyan et al. 2014 do not say how they went.

    `mu <- decay mu - rate * sqrt(n) * g / || g ||`, each image's gradient normalised by itself
    over its n numbers.

    Attributes:
        rate: Length of a step: the root mean square change of a number (RGB in 0..255).
        decay: Of the momentum.
    """

    rate: float = 1.0
    decay: float = 0.9

    def begin(self, theta: Tensor, size: tuple[int, int], slower: float = 1.0) -> Course:
        """Set out at rest."""
        return _Normalized(theta, self.rate / slower, self.decay)

    def __str__(self) -> str:
        """Return the name and the constants."""
        return f"normalised steps (rate {self.rate:g}, momentum {self.decay:g})"


class _Normalized(Course):
    def __init__(self, theta: Tensor, rate: float, decay: float) -> None:
        self.momentum, self.rate, self.decay = torch.zeros_like(theta), rate, decay

    def step(self, theta: Tensor, evaluate: Glance, settle: Settle) -> Evaluation:
        found = evaluate(theta)
        norm = found.gradient.flatten(1).norm(dim=1).clamp(min=1e-30)
        scale = (
            self.rate * found.gradient[0].numel() ** 0.5 / norm.view(-1, *[1] * (theta.dim() - 1))
        )
        theta.add_(self.momentum.mul_(self.decay).sub_(found.gradient * scale))
        settle(theta)
        return found

    def state(self) -> dict[str, Tensor]:
        return {"momentum": self.momentum}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.momentum.copy_(state["momentum"])


@dataclass(frozen=True)
class Torch(Solver):
    """Any optimiser of `torch.optim`, by its name.

    Its learning rate is in the parameters' own unit: for pixels RGB in 0..255. Optimisers work
    on each number by itself or on the whole batch (`LBFGS`): for the latter images of one batch
    share their step, and `lbfgs.LBFGS` does not.

    Attributes:
        name: As `"Adam"`.
        options: Its keyword arguments, `lr` among them.
        halving: After how many steps the rate has halved, falling all the time; 0 for never.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    halving: float = 0.0

    def __post_init__(self) -> None:
        known = getattr(torch.optim, self.name, None)
        if not (isinstance(known, type) and issubclass(known, torch.optim.Optimizer)):
            names = [n for n in dir(torch.optim) if n[0].isupper() and n != "Optimizer"]
            raise SettingError(
                f"torch.optim has no optimiser {self.name!r}{nearest(self.name, names)}"
            )

    def begin(self, theta: Tensor, size: tuple[int, int], slower: float = 1.0) -> Course:
        """Set out with a new optimiser."""
        return _Optimizer(theta, self.name, dict(self.options), slower, self.halving)

    def __str__(self) -> str:
        """Return the name and the options."""
        options = [f"{name} {value}" for name, value in self.options.items()]
        options += [f"halving every {self.halving:g}"] if self.halving else []
        return f"{self.name} ({', '.join(options)})" if options else self.name


class _Optimizer(Course):
    def __init__(
        self, theta: Tensor, name: str, options: dict[str, Any], slower: float, halving: float
    ) -> None:
        self.fade = 0.5 ** (1 / halving) if halving else 1.0
        self.number = 0
        self.leaf = torch.nn.Parameter(theta.detach().clone())
        try:
            self.optimizer = getattr(torch.optim, name)([self.leaf], **options)
        except (TypeError, ValueError) as error:
            raise SettingError(f"torch.optim.{name} does not take {options}: {error}") from error
        self.rates = [float(group["lr"]) / slower for group in self.optimizer.param_groups]

    def step(self, theta: Tensor, evaluate: Glance, settle: Settle) -> Evaluation:
        first: list[Evaluation] = []
        self.leaf.data.copy_(theta)
        for rate, group in zip(self.rates, self.optimizer.param_groups, strict=True):
            group["lr"] = rate * self.fade**self.number
        self.number += 1

        def closure() -> Tensor:
            found = evaluate(self.leaf.detach())
            first.append(found)
            self.leaf.grad = found.gradient
            return found.total.sum()

        with torch.enable_grad():
            self.optimizer.step(closure)
        theta.copy_(self.leaf.detach())
        settle(theta)
        return first[0]

    def state(self) -> dict[str, Tensor]:
        kept = self.optimizer.state.get(self.leaf, {})
        if not all(isinstance(value, Tensor | int | float) for value in kept.values()):
            kept = {}  # as torch's LBFGS has lists: taken up, it begins its memory anew
        own = {name: torch.as_tensor(value) for name, value in kept.items()}
        return {"number": torch.tensor(self.number), **own}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.number = int(state["number"])
        kept = {name: value.clone() for name, value in state.items() if name != "number"}
        if kept:
            self.optimizer.state[self.leaf].update(kept)
