"""Optical flow: where every pixel of a frame goes until another.

Pixels have their centres at whole numbers, x to the right and y down, so that the pixel in row i
and column j lies at (x, y) = (j, i), and what is seen there is seen in the other frame at
(j + flow[i, j, 0], i + flow[i, j, 1]).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import FlowError

Vectors = NDArray[np.float32]
Mask = NDArray[np.bool_]

_UNKNOWN = 1e9
"""From here on a component means that nothing is known (Baker et al., IJCV 2011)."""


@dataclass(frozen=True, eq=False)
class Flow:
    """Motion of every pixel, and where it is known.

    Attributes:
        vectors: (h, w, 2) float32, (x, y) in pixels; 0 where it is not valid.
        valid: (h, w), where the motion is known.
    """

    vectors: Vectors
    valid: Mask

    @classmethod
    def of(cls, vectors: Any, valid: Any = None) -> Flow:
        """Take vectors as they come.

        Args:
            vectors: (h, w, 2) numbers, (x, y) in pixels. NaN, infinity and what exceeds 1e9 in
                magnitude, as Middlebury marks the unknown, are not valid.
            valid: (h, w), where they are known; everywhere if `None`.

        Raises:
            FlowError: The shapes do not fit.
        """
        vectors = np.asarray(vectors)
        if vectors.ndim != 3 or vectors.shape[2] != 2 or 0 in vectors.shape:
            raise FlowError(
                f"an array of shape {vectors.shape} is no flow: give (height, width, 2), x first"
            )
        if vectors.dtype.kind not in "iuf":
            raise FlowError(f"flow of {vectors.dtype} is no flow: give floats")
        if valid is None and _all_known(vectors):
            return cls(vectors.astype(np.float32), np.ones(vectors.shape[:2], np.bool_))
        with np.errstate(invalid="ignore", over="ignore"):  # 1e9 is infinity in half precision
            known = (np.abs(vectors) < _UNKNOWN).all(2)  # false for NaN
        if valid is not None:
            valid = np.asarray(valid)
            if valid.shape != known.shape:
                raise FlowError(
                    f"validity of shape {valid.shape} does not fit a flow of {known.shape}"
                )
            known &= valid != 0
        kept = np.where(known[:, :, None], vectors, 0).astype(np.float32)
        return cls(kept, known)

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) in pixels."""
        return self.valid.shape

    @property
    def magnitude(self) -> NDArray[np.float32]:
        """(h, w), length of every vector in pixels; 0 where it is not valid."""
        length: NDArray[np.float32] = np.hypot(self.vectors[:, :, 0], self.vectors[:, :, 1])
        return length


def _all_known(vectors: NDArray[Any]) -> bool:
    """Tell quickly whether every component is known, as is mostly so; NaN is in no range."""
    return float(vectors.min()) > -_UNKNOWN and float(vectors.max()) < _UNKNOWN
