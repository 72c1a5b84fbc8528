"""What the code of an image should be.

*Reference.* Mahendran & Vedaldi, IJCV 2016, section 3.1; the constants Z as the thesis (2018,
sections 5.4, 5.5) and the authors' code have them, where the paper prints them upside down.
"""

from __future__ import annotations

from dataclasses import dataclass, field

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

    def loss(self, code: Tensor) -> Tensor:
        """Return (b,) squared relative distances; see `relative_error` for what tables hold."""
        if code.shape[1:] != self.code.shape[1:]:
            raise UnitError(
                f"a code of shape {tuple(self.code.shape[1:])} cannot be matched by a layer of "
                f"shape {tuple(code.shape[1:])}: is it the code of another layer or input size?"
            )
        difference = code - self.code
        if self.mask is not None:
            difference = difference * self.mask
        return _dot(difference, difference) / self._scale

    def judge(self, code: Tensor, weight: float = 1.0) -> tuple[Tensor, Tensor]:
        """Return the losses and `weight * 2 M (phi(x) - phi0) / || M phi0 ||^2`."""
        difference = code - self.code
        if self.mask is not None:
            difference.mul_(self.mask)
        loss = _dot(difference, difference) / self._scale
        scale = (2 * weight / self._scale).view(-1, *[1] * (code.dim() - 1))
        return loss, difference.mul_(scale)

    def relative_error(self, code: Tensor) -> Tensor:
        """Return (b,) `|| M (phi(x) - phi0) || / || M phi0 ||`, as the papers' tables have it."""
        return self.loss(code).sqrt()

    def __str__(self) -> str:
        """Return `match`, and whether in part."""
        return "match" if self.mask is None else "match, masked"


@dataclass(frozen=True, eq=False)
class Maximize(Objective):
    """Activation maximisation: a weighted sum of the code shall be large (eq. 4).

    `-<phi(x), phi0> / Z`

    Attributes:
        weights: phi0 / Z, (b, ...) or (1, ...): a seed times the unit's weight; all ones if `None`.
    """

    weights: Tensor | None = None

    def loss(self, code: Tensor) -> Tensor:
        """Return (b,) minus the weighted sums."""
        return -(code.flatten(1).sum(1) if self.weights is None else _dot(code, self.weights))

    def judge(self, code: Tensor, weight: float = 1.0) -> tuple[Tensor, Tensor]:
        """Return the losses and `-weight * phi0 / Z`."""
        slope = torch.ones_like(code) if self.weights is None else self.weights.expand_as(code)
        return self.loss(code), slope * -weight

    def __str__(self) -> str:
        """Return `maximize`."""
        return "maximize"


@dataclass(frozen=True, eq=False)
class Caricature(Objective):
    """Caricature: what is strong in a given code shall be stronger.

    `-<phi(x), max(phi0, 0)> / || max(phi0, 0) ||^2`

    Attributes:
        code: phi0, (b, ...) or (1, ...), of the image to exaggerate.

    *Departures.* The authors' code takes phi0 from an image whose mean was not subtracted; here it
    is the code of the image itself. IJCV prints Z as 1 / || phi0 ||.
    """

    code: Tensor
    _weights: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        positive = self.code.clamp(min=0)
        squares = positive.square().flatten(1).sum(1)
        scale = squares.view(-1, *[1] * (positive.dim() - 1))
        object.__setattr__(self, "_weights", positive / scale.clamp(min=1e-30))

    def loss(self, code: Tensor) -> Tensor:
        """Return (b,), -1 for the image that phi0 was taken of, if its code is nowhere negative."""
        return -_dot(code, self._weights)

    def judge(self, code: Tensor, weight: float = 1.0) -> tuple[Tensor, Tensor]:
        """Return the losses and `-weight * max(phi0, 0) / || max(phi0, 0) ||^2`."""
        return self.loss(code), self._weights.expand_as(code) * -weight

    def __str__(self) -> str:
        """Return `caricature`."""
        return "caricature"


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """Return the (b,) inner products of (b, ...) and (b or 1, ...), without a product in memory."""
    pairs = zip(one.flatten(1), other.flatten(1).expand(len(one), -1), strict=True)
    return torch.stack([torch.dot(a, b) for a, b in pairs])
