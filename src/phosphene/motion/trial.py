"""Two frames and the whole truth about the motion between them: what estimators are tried on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import FlowError
from phosphene.motion.flow import Flow, Mask
from phosphene.motion.pair import Pair, Pixels
from phosphene.worlds.instant import Instant

JUMP = 0.5
"""Pixels by which the true flow of two neighbours differs where there is a motion boundary."""
REACH = 4
"""Pixels from there that still count as at the boundary, as in Middlebury's 9x9 box."""


@dataclass(frozen=True, eq=False)
class Trial:
    """Two frames with their true flow.

    Attributes:
        pair: The first frame, its true flow and the second frame.
        occluded: (h, w), what is not seen in the second frame.
        objects: (h, w), which object is seen, 0 for the background; `None` if that is not known.
        world: What the frames are of; trials of one world are taken together.

    Raises:
        FlowError: The second frame is missing, or a mask is of another size.
    """

    pair: Pair
    occluded: Mask
    objects: NDArray[np.int32] | None = None
    world: str = ""

    def __post_init__(self) -> None:
        if self.pair.second is None:
            raise FlowError(f"{self.pair.name or 'a trial'} lacks its second frame")
        for mask in (self.occluded, self.objects):
            if mask is not None and mask.shape != self.pair.flow.size:
                raise FlowError(
                    f"{self.pair.name or 'a trial'}: a mask of shape {mask.shape} does not fit a "
                    f"flow of {self.pair.flow.size}"
                )

    @property
    def first(self) -> Pixels:
        """(h, w, 3), the first frame."""
        return self.pair.first

    @property
    def second(self) -> Pixels:
        """(h, w, 3), the second frame."""
        assert self.pair.second is not None
        return self.pair.second

    @property
    def unoccluded(self) -> Mask:
        """(h, w), what is seen in both frames."""
        return ~self.occluded

    @property
    def moving(self) -> Mask | None:
        """(h, w), what is seen in both frames and is of an object; `None` if that is not known."""
        return None if self.objects is None else (self.objects > 0) & ~self.occluded

    @property
    def boundaries(self) -> Mask:
        """(h, w), what is seen in both frames and is at a motion boundary."""
        return motion_boundaries(self.pair.flow) & ~self.occluded


def motion_boundaries(flow: Flow, jump: float = JUMP, reach: int = REACH) -> Mask:
    """Find what is near a jump of the flow.

    Args:
        flow: The true flow.
        jump: Least length of the difference between vectors of two neighbours, side by side or one
            above the other, that is a jump; in pixels. None is where one is not valid.
        reach: A pixel is at the boundary if a pixel with a jump is no farther than this, both down
            and across. The Middlebury benchmark takes a box of 9x9 (Baker et al., IJCV 2011).

    Returns:
        (h, w).
    """
    height, width = flow.size
    jumps: Any = np.zeros((height, width), bool)
    for axis in (0, 1):
        far = np.linalg.norm(np.diff(flow.vectors.astype(np.float64), axis=axis), axis=2) > jump
        before = tuple(slice(None, -1) if a == axis else slice(None) for a in (0, 1))
        after = tuple(slice(1, None) if a == axis else slice(None) for a in (0, 1))
        far &= flow.valid[before] & flow.valid[after]
        jumps[before] |= far
        jumps[after] |= far
    for axis in (0, 1):
        pads = [(reach, reach) if a == axis else (0, 0) for a in (0, 1)]
        padded = np.pad(jumps, pads)
        jumps = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=axis).any(-1)
    near: Mask = jumps
    return near


def trials(instants: Iterable[Instant], world: str = "", name: str = "") -> Iterator[Trial]:
    """Make a trial of every two consecutive moments of a world.

    Args:
        instants: Moments in their order.
        world: What they are of.
        name: What to call the sequence; frames are numbered from 0.
    """
    for number, (now, then) in enumerate(pairwise(instants)):
        called = f"{name or world}, frame {number}".removeprefix(", ")
        pair = Pair(now.image, Flow.of(now.flow), called, then.image)
        yield Trial(pair, now.occluded, now.objects, world)
