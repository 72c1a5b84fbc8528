"""Energies: weighted sums of what an image should say and how it should look.

`Energy = C * objective + priors` (Mahendran & Vedaldi, IJCV 2016, eq. 1), as an algebra of
immutable terms:

>>> from phosphene.preimage.objectives import Maximize
>>> from phosphene.preimage.priors import BoundedRange, TotalVariation
>>> energy = 20 * Maximize() + BoundedRange() + 0.5 * TotalVariation(beta=1.5)
>>> print(energy)
20 * maximize + bounded range (alpha 6, B 80) + 0.5 * total variation (beta 1.5)

Objectives see the code phi(x); priors see the image x itself, in the papers' own space: RGB in
0..255 minus the mean.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


class Term(ABC):
    """What an energy is made of; terms and energies add and scale without changing."""

    @abstractmethod
    def __str__(self) -> str:
        """Name the term as it is written in a sum."""

    def as_energy(self) -> Energy:
        """Return the energy that consists of this term alone."""
        return Energy(((1.0, self),))

    def __add__(self, other: Term | Energy) -> Energy:
        return self.as_energy() + other

    def __sub__(self, other: Term | Energy) -> Energy:
        return self.as_energy() - other

    def __mul__(self, weight: float) -> Energy:
        return self.as_energy() * weight

    __rmul__ = __mul__

    def __neg__(self) -> Energy:
        return self.as_energy() * -1


class Objective(Term):
    """A term that judges the code of an image."""

    @abstractmethod
    def loss(self, code: Tensor) -> Tensor:
        """Judge codes.

        Args:
            code: (b, ...) what the representation makes of the images.

        Returns:
            (b,) the smaller the better, differentiable.
        """

    def judge(self, code: Tensor, weight: float = 1.0) -> tuple[Tensor, Tensor]:
        """Return the (b,) losses, and `weight` times their derivative with respect to the code.

        Objectives whose derivative has a closed form say it here, and spare the tape.
        """
        with torch.enable_grad():
            leaf = code.detach().requires_grad_()
            loss = self.loss(leaf)
            (slope,) = torch.autograd.grad(loss.sum(), leaf)
        return loss.detach(), slope * weight

    @property
    def layer(self) -> str:
        """The layer whose code is judged; empty for the one that the verb is asked for."""
        return ""

    @property
    def targets(self) -> tuple[Tensor, ...]:
        """The numbers that the objective is about, which its text does not say."""
        return ()

    def at(self, layer: str) -> At:
        """Return the objective for the code of a layer of its own choice."""
        return At(self, layer)


@dataclass(frozen=True, eq=False)
class At(Objective):
    """An objective for the code of a named layer.

    Attributes:
        objective: What is judged.
        of: Name of the layer.
    """

    objective: Objective
    of: str

    @property
    def layer(self) -> str:
        """Name of the layer."""
        return self.of

    @property
    def targets(self) -> tuple[Tensor, ...]:
        """Those of the objective."""
        return self.objective.targets

    def loss(self, code: Tensor) -> Tensor:
        """Judge the layer's codes."""
        return self.objective.loss(code)

    def judge(self, code: Tensor, weight: float = 1.0) -> tuple[Tensor, Tensor]:
        """Return the losses and the weighted derivative."""
        return self.objective.judge(code, weight)

    def __str__(self) -> str:
        """Return the objective with its layer."""
        return f"{self.objective} at {self.of}"


class Prior(Term):
    """A term that judges an image by itself, with its gradient in closed form."""

    @abstractmethod
    def value(self, x: Tensor) -> Tensor:
        """Judge (b, c, h, w) images: (b,), the smaller the more natural."""

    @abstractmethod
    def add_gradient(self, x: Tensor, out: Tensor, weight: float) -> None:
        """Add `weight` times the derivative of the sum of the values to `out`, in place.

        Args:
            x: (b, c, h, w), left as it is.
            out: The same shape.
            weight: Weight of the prior in the energy.
        """


@dataclass(frozen=True)
class Energy:
    """A weighted sum of terms.

    Attributes:
        parts: Pairs of weight and term, in the order they were written.
    """

    parts: tuple[tuple[float, Term], ...] = ()

    def as_energy(self) -> Energy:
        """Return the energy itself."""
        return self

    @property
    def objectives(self) -> tuple[tuple[float, Objective], ...]:
        """The parts that judge the code."""
        return tuple((w, t) for w, t in self.parts if isinstance(t, Objective))

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers whose codes are judged, each once."""
        return tuple(dict.fromkeys(term.layer for _, term in self.objectives))

    @property
    def priors(self) -> tuple[tuple[float, Prior], ...]:
        """The parts that judge the image."""
        return tuple((w, t) for w, t in self.parts if isinstance(t, Prior))

    def __add__(self, other: Term | Energy) -> Energy:
        return Energy(self.parts + other.as_energy().parts)

    def __sub__(self, other: Term | Energy) -> Energy:
        return self + other.as_energy() * -1

    def plus(self, terms: Sequence[Term] | Energy) -> Energy:
        """Add terms, one by one or summed already."""
        if isinstance(terms, Energy):
            return self + terms
        return Energy(self.parts + tuple((1.0, term) for term in terms))

    def __mul__(self, weight: float) -> Energy:
        return Energy(tuple((weight * w, term) for w, term in self.parts))

    __rmul__ = __mul__

    def __neg__(self) -> Energy:
        return self * -1

    def __str__(self) -> str:
        """Write the sum as one would on paper."""
        return " + ".join(f"{w:g} * {t}" if w != 1 else str(t) for w, t in self.parts) or "0"
