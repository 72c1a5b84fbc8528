"""Regions of affine flow: each face of a cube under an orthographic camera, for instance.

Section 4.3.1, equation 4.4.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.errors import SettingError
from phosphene.pretext.grouping.regions import Grouped

Reading = Literal["mixed", "weighted"]
_RIDGE = 1e-6


class AffineLoss(nn.Module):
    """How far flow is from an affine function of the place, in each region its own.

    theta_l minimizes sum_u m_l(u) |X_u theta_l - f_u|^2, a weighted least squares problem, solved
    in double precision from 3x3 normal equations. Then, with the smooth L1 function R of each
    component (knee at 1 pixel), averaged over pixels,

    - `"mixed"`, as the paper has it:  R(sum_l m_l(u) X_u theta_l - f_u)  (4.4),
    - `"weighted"`:  sum_l m_l(u) R(X_u theta_l - f_u).

    A mixture may fit flow that no region fits alone: soft regions interpolate between their
    models. The second reading allows none of that; where every pixel has one region only, both are
    the same.

    Coordinates run over [-1, 1] along each axis, to which the fit is indifferent, and 1e-6 of a
    region's weight is added to the diagonal, so that regions of fewer than three pixels, or none,
    have a model.

    Args:
        reading: Which.

    Raises:
        SettingError: It is none of these.
    """

    def __init__(self, reading: Reading = "mixed") -> None:
        super().__init__()
        if reading not in get_args(Reading):
            raise SettingError(f"reading {reading!r} is none of {', '.join(get_args(Reading))}")
        self.reading = reading

    def forward(self, masks: Tensor, flow: Tensor, valid: Tensor | None = None) -> Tensor:
        """Judge regions; see `phosphene.pretext.grouping`."""
        at = Grouped.of(masks, flow, valid)
        each = _fitted(at)
        if self.reading == "mixed":
            off = _robust(torch.einsum("bln,blnc->bnc", at.masks, each) - at.flow)
        else:
            off = torch.einsum("bln,bln->bn", at.masks, _robust(each - at.flow[:, None]))
        return at.mean(off).to(masks.dtype)


def reconstructed(masks: Tensor, flow: Tensor, valid: Tensor | None = None) -> Tensor:
    """Put together the flow that the regions' affine models make, as figure 4.2 shows it.

    Args:
        masks: (b, L, h, w).
        flow: (b, 2, h, w), what the models are fitted to.
        valid: (b, h, w).

    Returns:
        (b, 2, h, w) in pixels; also where flow is not known.
    """
    at = Grouped.of(masks, flow, valid)
    mixed = torch.einsum("bln,blnc->bcn", masks.flatten(2).double(), _fitted(at))
    return mixed.reshape(flow.shape).to(flow.dtype)


def _fitted(at: Grouped) -> Tensor:
    """Fit every region's model: its flow at all pixels, (b, L, n, 2)."""
    place = places(at.size, at.flow.device)
    x, y, one = place.unbind(1)
    # The upper half of X^T X, pixel by pixel; the regions' are its weighted sums.
    products = torch.stack((x * x, x * y, x, y * y, y, one), dim=1)
    sums = (at.masks @ products)[:, :, [0, 1, 2, 1, 3, 4, 2, 4, 5]]
    gram = sums.reshape(*sums.shape[:2], 3, 3)
    moment = torch.einsum("bln,np,bnc->blpc", at.masks, place, at.flow)
    weight = at.masks.sum(2)
    eye = torch.eye(3, dtype=gram.dtype, device=gram.device)
    # A region without weight has no equations; any model does.
    ridge = (_RIDGE * weight + 1e-12)[:, :, None, None] * eye
    theta: Tensor = torch.linalg.solve(gram + ridge, moment)
    return place @ theta


def places(size: tuple[int, int], device: torch.device) -> Tensor:
    """Return (x, y, 1) of all pixels, (n, 3) double, x and y over [-1, 1]."""
    h, w = size
    y = torch.linspace(-1, 1, h, dtype=torch.float64, device=device)
    x = torch.linspace(-1, 1, w, dtype=torch.float64, device=device)
    yy, xx = torch.meshgrid(y, x, indexing="ij")
    return torch.stack((xx.flatten(), yy.flatten(), torch.ones_like(xx).flatten()), dim=1)


def _robust(off: Tensor) -> Tensor:
    """Sum smooth L1 over the two components."""
    robust: Tensor = F.smooth_l1_loss(off, torch.zeros_like(off), reduction="none")
    return robust.sum(-1)
