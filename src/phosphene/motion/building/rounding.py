"""What it costs to store flow in 16 bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from phosphene.motion.flow import Flow

_STEPS = np.float32(64)
_FIRST, _LAST = -(1 << 15), (1 << 15) - 1


@dataclass
class Rounding:
    """How far stored components are from those estimated.

    Attributes:
        largest: In pixels; 1/128 at most.
        total: Sum over all components, in pixels.
        vectors: How many there are.
        out_of_range: How many had a component below -512 or above 511.98 pixels, and are stored as
            not valid.
    """

    largest: float = 0.0
    total: float = 0.0
    vectors: int = 0
    out_of_range: int = 0

    def add(self, flow: Flow) -> None:
        """Count the vectors of a flow in."""
        # What is not valid is 0, and is stored without an error.
        steps = flow.vectors * _STEPS
        codes = np.rint(steps)
        self.vectors += int(np.count_nonzero(flow.valid))
        if steps.size and (codes.min() < _FIRST or codes.max() > _LAST):
            kept = ((codes >= _FIRST) & (codes <= _LAST)).all(2)
            self.out_of_range += int(np.count_nonzero(~kept & flow.valid))
            steps, codes = steps[kept], codes[kept]
        np.subtract(steps, codes, out=steps)
        np.abs(steps, out=steps)
        self.largest = max(self.largest, float(steps.max(initial=0)) / 64)
        self.total += float(steps.sum(dtype=np.float64)) / 64

    def __iadd__(self, other: Rounding) -> Rounding:
        self.largest = max(self.largest, other.largest)
        self.total += other.total
        self.vectors += other.vectors
        self.out_of_range += other.out_of_range
        return self

    @property
    def facts(self) -> dict[str, Any]:
        """Say it for an index."""
        return {**asdict(self), "mean": self.total / max(1, 2 * self.vectors)}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Rounding:
        """Take it from an index."""
        return cls(
            float(facts["largest"]),
            float(facts["total"]),
            int(facts["vectors"]),
            int(facts["out_of_range"]),
        )
