"""How often the true class is among the first k."""

from __future__ import annotations

import torch
from torch import Tensor

from phosphene.errors import NotFinite


class TopK:
    """Counts images whose class is among the k with the highest scores.

    It is where fewer than k other classes score as much or more. Ties count against it, as in
    Caffe: a classifier that says the same of all classes knows none.

    Args:
        classes: How many classes there are.
        ks: The ks.

    >>> counted = TopK(3, (1, 2))
    >>> counted.see(torch.tensor([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]]), torch.tensor([0, 1]))
    >>> counted.share(1), counted.share(2)
    (0.5, 1.0)
    """

    def __init__(self, classes: int, ks: tuple[int, ...] = (1, 5)) -> None:
        self._classes = classes
        self._hits = {k: torch.zeros(classes, dtype=torch.int64) for k in ks}
        self._seen = torch.zeros(classes, dtype=torch.int64)

    def see(self, scores: Tensor, labels: Tensor) -> None:
        """Take in (b, classes) scores of images of (b,) classes.

        Raises:
            NotFinite: A score is not finite.
        """
        if not bool(scores.isfinite().all()):
            raise NotFinite("a probe's scores are not finite: lower the rate it learns with")
        scores, labels = scores.cpu(), labels.cpu()
        own = scores.gather(1, labels[:, None])
        above = (scores >= own).sum(1) - 1
        self._seen += torch.bincount(labels, minlength=self._classes)
        for k, hits in self._hits.items():
            hits += torch.bincount(labels[above < k], minlength=self._classes)

    def share(self, k: int) -> float | None:
        """Return the share of images; `None` where there is nothing to be wrong about.

        That is so where there are no images, or no more classes than k.
        """
        seen = int(self._seen.sum())
        if not seen or self._classes <= k:
            return None
        return int(self._hits[k].sum()) / seen

    def by_class(self, k: int = 1) -> list[float | None]:
        """Return the share of every class's images; `None` where there are none."""
        pairs = zip(self._hits[k].tolist(), self._seen.tolist(), strict=True)
        return [hits / seen if seen else None for hits, seen in pairs]
