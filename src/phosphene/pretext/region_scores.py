"""How good regions are, and how far they hang on the place alone."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from phosphene.errors import SettingError


def overlaps(found: NDArray[np.integer], truth: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the intersection over union of every pair of regions.

    Args:
        found: (h, w), indices of regions from 0 on.
        truth: (h, w), those of true regions; negative where nothing is known.

    Returns:
        (regions, true regions); 0 for pairs of which neither occurs.
    """
    known = truth >= 0
    a, b = found[known], truth[known]
    rows, columns = int(found.max(initial=-1)) + 1, int(truth.max(initial=-1)) + 1
    both = np.zeros((rows, columns))
    np.add.at(both, (a, b), 1)
    union = both.sum(1, keepdims=True) + both.sum(0, keepdims=True) - both
    iou: NDArray[np.float64] = np.divide(both, union, out=np.zeros_like(both), where=union > 0)
    return iou


def matched_iou(found: NDArray[np.integer], truth: NDArray[np.integer]) -> float:
    """Return the mean overlap of true regions under the best assignment of one region to each.

    Regions carry no names, so that their indices are assigned anew in every frame (Kuhn's
    assignment). True regions that get none count as 0; those that do not occur do not count.

    Raises:
        SettingError: The sizes differ, or nothing is known.
    """
    if found.shape != truth.shape:
        raise SettingError(
            f"regions of {found.shape} cannot be held against true ones of {truth.shape}: bring "
            "both to one size"
        )
    from scipy.optimize import linear_sum_assignment

    iou = overlaps(found, truth)
    occurs = [k for k in range(iou.shape[1]) if bool((truth == k).any())]
    if not occurs:
        raise SettingError("no true region is known in this frame: leave it out")
    rows, columns = linear_sum_assignment(-iou[:, occurs])
    return float(iou[:, occurs][rows, columns].sum() / len(occurs))


def best_foreground_iou(found: NDArray[np.integer], front: NDArray[np.bool_]) -> float:
    """Return the best overlap that a union of regions has with what is in front.

    Regions are taken in the order of how much of them is in front; some of the first are best.
    """
    count = int(found.max(initial=-1)) + 1
    inside = np.bincount(found[front].ravel(), minlength=count).astype(np.float64)
    size = np.bincount(found.ravel(), minlength=count).astype(np.float64)
    order = np.argsort(-np.divide(inside, size, out=np.zeros_like(size), where=size > 0))
    both, union = np.cumsum(inside[order]), np.cumsum(size[order]) + float(front.sum())
    iou = np.divide(both, union - both, out=np.zeros_like(both), where=union > both)
    return float(iou.max(initial=0.0))


class PlaceBinding:
    """How far the region of a pixel can be told from its place: mutual information.

    The thesis saw regions bound to places, one "always on the middle left" (section 4.4.2). Over
    images, I(region; place) = H(region) - H(region | place), in nats, with place a cell of a grid:
    0 where places tell nothing, the entropy of the regions where they tell all.

    Args:
        grid: (rows, columns) of cells.
    """

    def __init__(self, grid: tuple[int, int] = (8, 8)) -> None:
        self.grid = grid
        self._weights: Tensor | None = None

    def see(self, masks: Tensor) -> None:
        """Take in soft regions, (b, L, h, w)."""
        cells = torch.nn.functional.adaptive_avg_pool2d(masks.detach().double(), self.grid)
        summed = cells.sum(0).flatten(1).cpu()
        self._weights = summed if self._weights is None else self._weights + summed

    def information(self) -> tuple[float, float]:
        """Return the mutual information and the entropy of the regions, both in nats.

        Raises:
            SettingError: Nothing was seen.
        """
        if self._weights is None:
            raise SettingError("no regions were seen: show some first")
        joint = self._weights / self._weights.sum()
        region, place = joint.sum(1, keepdim=True), joint.sum(0, keepdim=True)
        ratio = joint / (region * place).clamp(min=1e-300)
        information = torch.special.xlogy(joint, ratio).sum()
        entropy = -torch.special.xlogy(region, region).sum()
        return max(0.0, float(information)), float(entropy)
