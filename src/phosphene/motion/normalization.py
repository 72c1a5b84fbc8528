"""Flow squeezed logarithmically into [-1, 1], so that small motions count and large ones do not.

Two forms, kept apart: of each component with its sign (Mahendran, Thewlis and Vedaldi, *Cross Pixel
Optical-Flow Similarity for Self-Supervised Learning*, ACCV 2018; eq 3.8 of Mahendran's thesis), and
of the length alone (*Self-Supervised Segmentation by Grouping Optical-Flow*; eq 4.10). Vectors are
in pixels of the picture as it is shown to the network: resize and flip flow before, not after.

Nothing is made of what is not known: NaN stays NaN, infinity is as good as M.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from phosphene.errors import FlowError, SettingError

COMPONENT_LIMIT = 56.0
"""M of eq 3.8, in pixels."""

MAGNITUDE_LIMIT = 50.0
"""M of eq 4.10, in pixels."""


def normalized(flow: Tensor, limit: float = COMPONENT_LIMIT) -> Tensor:
    """Squeeze each component of flow, eq 3.8.

        f' = sign(f) min(1, ln(|f| + 1) / ln(M + 1))

    Args:
        flow: (..., 2, h, w) in pixels, or any other shape: components do not meet.
        limit: M, the pixels beyond which all motion is the same.

    Returns:
        The same shape, in [-1, 1].

    Raises:
        SettingError: M is not positive.
    """
    return flow.sign() * _squeezed(flow.abs(), limit)


def denormalized(squeezed: Tensor, limit: float = COMPONENT_LIMIT) -> Tensor:
    """Undo eq 3.8, up to what it clipped: 1 becomes M.

    Args:
        squeezed: Any shape; what lies outside of [-1, 1] is clipped to it.
        limit: M.

    Returns:
        The same shape, in pixels, in [-M, M].

    Raises:
        SettingError: M is not positive.
    """
    return squeezed.sign() * _stretched(squeezed.abs(), limit)


def normalized_magnitude(flow: Tensor, limit: float = MAGNITUDE_LIMIT) -> Tensor:
    """Squeeze the length of vectors, eq 4.10.

        f~ = min(1, ln(|f| + 1) / ln(M + 1)),  |f| = sqrt(f_x^2 + f_y^2)

    Args:
        flow: (..., 2, h, w) in pixels.
        limit: M, the pixels beyond which all motion is the same.

    Returns:
        (..., h, w) in [0, 1].

    Raises:
        FlowError: The third dimension from the right is not 2.
        SettingError: M is not positive.
    """
    if flow.ndim < 3 or flow.shape[-3] != 2:
        raise FlowError(f"a tensor of shape {tuple(flow.shape)} is no flow: give (..., 2, h, w)")
    return _squeezed(torch.hypot(flow[..., 0, :, :], flow[..., 1, :, :]), limit)


def denormalized_magnitude(squeezed: Tensor, limit: float = MAGNITUDE_LIMIT) -> Tensor:
    """Undo eq 4.10, up to what it clipped: 1 becomes M.

    Args:
        squeezed: Any shape; what lies outside of [0, 1] is clipped to it.
        limit: M.

    Returns:
        The same shape: lengths in pixels, in [0, M].

    Raises:
        SettingError: M is not positive.
    """
    return _stretched(squeezed.clamp(min=0), limit)


def _squeezed(length: Tensor, limit: float) -> Tensor:
    return (length.log1p() / _span(limit)).clamp(max=1)


def _stretched(squeezed: Tensor, limit: float) -> Tensor:
    return (squeezed.clamp(max=1) * _span(limit)).expm1().clamp(max=limit)


def _span(limit: float) -> float:
    if not 0 < limit < math.inf:
        raise SettingError(f"flow cannot be normalised by M = {limit}: give a number of pixels")
    return math.log1p(limit)
