"""How far a change reaches: intervals along one axis, layer by layer.

A window changes rows lo <= i < hi of its input. A layer that slides a kernel of k rows with stride
s, padding p and dilation d over them has changed at most the outputs o with

    ceil((lo + p - (k - 1) d) / s) <= o <= floor((hi - 1 + p) / s),

and to make outputs o .. o + n - 1 it needs the (n - 1) s + (k - 1) d + 1 rows from o s - p on.
Rows and columns are alike and do not depend on each other, so intervals are found once for every
row and every column of the grid of windows, and not for every window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Span:
    """An interval for each row (or each column) of the windows, on a map of some size.

    Attributes:
        lo: First changed row.
        hi: Behind the last one; larger than `lo`.
        size: Rows of the map.
    """

    lo: Numbers
    hi: Numbers
    size: int

    def __or__(self, other: Span) -> Span:
        """Cover both."""
        return Span(np.minimum(self.lo, other.lo), np.maximum(self.hi, other.hi), self.size)

    def shifted(self, by: int, size: int) -> Span:
        """Move to a map of another size, where what was row 0 is row `by`."""
        return Span(self.lo + by, self.hi + by, size)

    @property
    def share(self) -> NDArray[np.float64]:
        """How much of the map has changed, for each interval, 0 to 1."""
        found: NDArray[np.float64] = (self.hi - self.lo) / self.size
        return found

    def together(self, chosen: list[int]) -> tuple[list[int], int]:
        """Bring some of the intervals to one length.

        Returns:
            Their first rows, and the length: the longest one's. Shorter ones are prolonged behind,
            and moved forward where the map ends.
        """
        lo = self.lo[chosen]
        length = int((self.hi[chosen] - lo).max())
        return np.minimum(lo, self.size - length).tolist(), length


@dataclass(frozen=True)
class Slide:
    """A kernel that slides along one axis."""

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1

    @property
    def extent(self) -> int:
        """Rows from the first to the last that the kernel touches at once."""
        return (self.kernel - 1) * self.dilation + 1

    def reached(self, span: Span, size: int) -> Span:
        """Say which of `size` outputs a change reaches; at least one, where it reaches none."""
        # Written with floor divisions alone: ceil(a / s) is -(-a // s).
        lo = -(-(span.lo + self.padding - self.extent + 1) // self.stride)
        hi = (span.hi - 1 + self.padding) // self.stride + 1
        lo = np.clip(lo, 0, size - 1)
        return Span(lo, np.clip(hi, lo + 1, size), size)

    def needed(self, first: int) -> int:
        """Return the first row that output `first` needs; negative in the padding."""
        return first * self.stride - self.padding

    def rows(self, outputs: int) -> int:
        """Return how many rows so many outputs in a row need."""
        return (outputs - 1) * self.stride + self.extent

    def beyond(self, size: int, outputs: int) -> int:
        """Return how many rows behind a map of `size` rows the last of all outputs needs."""
        return max(0, self.needed(outputs - 1) + self.extent - size)
