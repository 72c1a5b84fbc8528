"""A frame with its flow: what one learns from motion by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import FlowError
from phosphene.motion.flow import Flow

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Pair:
    """A frame, and how it moves until a later one.

    Attributes:
        first: (h, w, 3), the frame, 8-bit RGB.
        flow: From it to the later frame; of the same size.
        name: What to call it.
        second: (h, w, 3), the later frame, if it was kept.

    Raises:
        FlowError: The sizes differ.
    """

    first: Pixels
    flow: Flow
    name: str = ""
    second: Pixels | None = None

    def __post_init__(self) -> None:
        for frame in (self.first, self.second):
            if frame is not None and frame.shape != (*self.flow.size, 3):
                raise FlowError(
                    f"{self.name or 'a pair'}: a frame of shape {frame.shape} does not fit a flow "
                    f"of {self.flow.size}: give frames (height, width, 3) of the size of the flow"
                )
