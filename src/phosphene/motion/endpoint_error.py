"""How far flow is from the truth."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from phosphene.errors import FlowError
from phosphene.motion.flow import Flow, Mask


@dataclass(frozen=True)
class EndpointError:
    """Errors of one flow, or of many, over all pixels that were compared.

    Attributes:
        mean: Mean endpoint error in pixels: the distance between where the two vectors end.
        angle: Mean angle between (x, y, 1) of both, in degrees (Barron, Fleet and Beauchemin, IJCV
            1994), as the Middlebury benchmark has it.
        outliers: Share with an endpoint error above 3 pixels and above 5 % of the true length:
            KITTI's Fl (Menze and Geiger, CVPR 2015).
        within_1: Share with an endpoint error of at most 1 pixel.
        within_3: Of at most 3 pixels.
        within_5: Of at most 5 pixels.
        found: Share of the pixels whose truth is known for which a vector was found.
        pixels: How many were compared. With none, all but `found` are NaN.
    """

    mean: float
    angle: float
    outliers: float
    within_1: float
    within_3: float
    within_5: float
    found: float
    pixels: int


def endpoint_error(found: Flow, truth: Flow, where: Mask | None = None) -> EndpointError:
    """Compare flow with the truth.

    Args:
        found: What was estimated.
        truth: What is right.
        where: (h, w), which pixels to compare; all if `None`. Only pixels at which both flows are
            valid are compared; `EndpointError.found` tells what that leaves out.

    Raises:
        FlowError: The sizes differ.
    """
    if found.size != truth.size or (where is not None and where.shape != truth.size):
        sizes = [found.size, *([] if where is None else [where.shape])]
        raise FlowError(
            f"flow of {' within a mask of '.join(map(str, sizes))} cannot be compared with a truth "
            f"of {truth.size}: give the same size"
        )
    known = truth.valid if where is None else truth.valid & where.astype(bool)
    both = known & found.valid
    count, total = int(both.sum()), int(known.sum())
    share = count / total if total else math.nan
    if not count:
        none = math.nan
        return EndpointError(none, none, none, none, none, none, found=share, pixels=0)
    a, b = found.vectors[both].astype(np.float64), truth.vectors[both].astype(np.float64)
    error = np.hypot(*(a - b).T)
    length = np.hypot(*b.T)
    # The angle from both its sine and its cosine: the cosine alone is blind to small angles.
    cross = np.hypot(np.hypot(*(a - b).T), a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
    angle = np.degrees(np.arctan2(cross, (a * b).sum(1) + 1))
    return EndpointError(
        mean=float(error.mean()),
        angle=float(angle.mean()),
        outliers=float(((error > 3) & (error > 0.05 * length)).mean()),
        within_1=float((error <= 1).mean()),
        within_3=float((error <= 3).mean()),
        within_5=float((error <= 5).mean()),
        found=share,
        pixels=count,
    )


def pooled(errors: Iterable[EndpointError]) -> EndpointError:
    """Take the errors of many flows together, every pixel counting the same."""
    given = list(errors)
    counted = [error for error in given if error.pixels]
    pixels = sum(error.pixels for error in counted)
    known = sum(error.pixels / error.found for error in counted)

    def mean(name: str) -> float:
        if not pixels:
            return math.nan
        return math.fsum(getattr(error, name) * error.pixels for error in counted) / pixels

    return EndpointError(
        mean=mean("mean"),
        angle=mean("angle"),
        outliers=mean("outliers"),
        within_1=mean("within_1"),
        within_3=mean("within_3"),
        within_5=mean("within_5"),
        found=pixels / known if known else math.nan,
        pixels=pixels,
    )
