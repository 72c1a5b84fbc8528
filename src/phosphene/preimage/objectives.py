"""What the code of an image should be.

*Reference.* Mahendran & Vedaldi, IJCV 2016, section 3.1; the constants Z as the thesis (2018,
sections 5.4, 5.5) and the authors' code have them, where the paper prints them upside down.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from phosphene.errors import UnitError
from phosphene.preimage.energy import Objective


@dataclass(frozen=True, eq=False)
class Match(Objective):
    """Inversion: the code shall equal a given one (eq. 2 and 3).

    `|| M (phi(x) - phi0) ||^2 / || M phi0 ||^2`

    Attributes:
        code: phi0, (b, ...) or (1, ...): one target an image, or one for all.
        mask: M, of the code's shape or one that broadcasts to it; everything if `None`.
    """

    code: Tensor
    mask: Tensor | None = None
    _scale: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        wanted = self.code if self.mask is None else self.code * self.mask
        object.__setattr__(self, "_scale", _dot(wanted, wanted))

    @property
    def targets(self) -> tuple[Tensor, ...]:
        """phi0, and the mask."""
        return (self.code,) if self.mask is None else (self.code, self.mask)

    def loss(self, code: Tensor) -> Tensor:
        """Return (b,) squared relative distances; see `relative_error` for what tables hold."""
        difference = self._difference(code)
        return _dot(difference, difference) / self._scale

    def judge(self, code: Tensor, weight: float = 1.0) -> tuple[Tensor, Tensor]:
        """Return the losses and `weight * 2 M (phi(x) - phi0) / || M phi0 ||^2`."""
        difference = self._difference(code)
        loss = _dot(difference, difference) / self._scale
        scale = (2 * weight / self._scale).view(-1, *[1] * (code.dim() - 1))
        return loss, difference.mul_(scale)

    def _difference(self, code: Tensor) -> Tensor:
        if code.shape[1:] != self.code.shape[1:]:
            raise UnitError(
                f"a code of shape {tuple(self.code.shape[1:])} cannot be matched by a layer of "
                f"shape {tuple(code.shape[1:])}: is it the code of another layer or input size?"
            )
        difference = code - self.code
        return difference if self.mask is None else difference * self.mask

    @property
    def norm(self) -> Tensor:
        """(b,) or (1,) squared norms of what is matched."""
        return self._scale

    def relative_error(self, code: Tensor) -> Tensor:
        """Return (b,) `|| M (phi(x) - phi0) || / || M phi0 ||`, as the papers' tables have it."""
        return self.loss(code).sqrt()

    def __str__(self) -> str:
        """Return `match`, and whether in part."""
        return "match" if self.mask is None else "match, masked"


class Linear(Objective):
    """An objective that a weighted sum of the code makes: `-<phi(x), w>` (eq. 4)."""

    @property
    @abstractmethod
    def weights(self) -> Tensor:
        """w, (b, ...) or (1, ...), or one number for all components."""

    @property
    def targets(self) -> tuple[Tensor, ...]:
        """W."""
        return (self.weights,)

    def loss(self, code: Tensor) -> Tensor:
        """Return (b,) minus the weighted sums."""
        return -_dot(code, self._weights(code))

    def judge(self, code: Tensor, weight: float = 1.0) -> tuple[Tensor, Tensor]:
        """Return the losses and `-weight * w`."""
        return self.loss(code), self._weights(code).expand_as(code) * -weight

    def _weights(self, code: Tensor) -> Tensor:
        alike = self.weights.dim() == 0
        return self.weights.to(code).expand(1, *code.shape[1:]) if alike else self.weights


@dataclass(frozen=True, eq=False)
class Maximize(Linear):
    """Activation maximisation: a weighted sum of the code shall be large; w = phi0 / Z.

    Attributes:
        seed: w, (b, ...) or (1, ...): a seed times the unit's weight; a one for all units if
            `None`.
    """

    seed: Tensor | None = None

    @property
    def weights(self) -> Tensor:
        """The seed."""
        return torch.ones(()) if self.seed is None else self.seed

    def __str__(self) -> str:
        """Return `maximize`."""
        return "maximize"


@dataclass(frozen=True, eq=False)
class Caricature(Linear):
    """Caricature: what is strong in a given code shall be stronger.

    `w = max(phi0, 0) / || max(phi0, 0) ||^2`: the loss is -1 for the image that phi0 was taken of,
    if its code is nowhere negative.

    Attributes:
        code: phi0, (b, ...) or (1, ...), of the image to exaggerate.

    *Departures.* The authors' code takes phi0 from an image whose mean was not subtracted; here it
    is the code of the image itself. IJCV prints Z as 1 / || phi0 ||.
    """

    code: Tensor

    @cached_property
    def weights(self) -> Tensor:
        """The positive part of phi0, over its squared norm."""
        positive = self.code.clamp(min=0)
        scale = _dot(positive, positive).view(-1, *[1] * (positive.dim() - 1))
        return positive / scale.clamp(min=1e-30)

    def __str__(self) -> str:
        """Return `caricature`."""
        return "caricature"


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """Return the (b,) inner products of (b, ...) and (b or 1, ...), without a product in memory."""
    pairs = zip(one.flatten(1), other.flatten(1).expand(len(one), -1), strict=True)
    return torch.stack([torch.dot(a, b) for a, b in pairs])
