"""What estimates flow: anything that is called with two frames."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import FlowError
from phosphene.motion.flow import Flow

Pixels = NDArray[np.uint8]


class Estimator(Protocol):
    """Something that finds the flow from one frame to another.

    Estimators can be pickled, and so handed to other processes; they keep no state that a result
    depends on, and the same frames give the same flow. How many threads OpenCV or PyTorch use is
    the caller's business (`cv2.setNumThreads`, `torch.set_num_threads`).
    """

    @property
    def name(self) -> str:
        """What `open_estimator` opens it by."""

    def __call__(self, first: Pixels, second: Pixels) -> Flow:
        """Estimate where every pixel of the first frame lies in the second.

        Args:
            first: (h, w, 3), 8-bit RGB, of any size from one pixel on.
            second: Likewise, of the same size.

        Returns:
            Flow of the size of the frames.

        Raises:
            FlowError: The frames differ in size, are no 8-bit RGB, or no flow came of them.
        """


def checked(first: Any, second: Any) -> tuple[Pixels, Pixels]:
    """Let two frames through to an estimator.

    Raises:
        FlowError: They are not (h, w, 3) of 8-bit RGB, or differ in size.
    """
    for frame in (first, second):
        if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8:
            kind = frame.dtype if isinstance(frame, np.ndarray) else type(frame).__name__
            raise FlowError(f"a frame of {kind}: give arrays of 8-bit RGB, (height, width, 3)")
        if frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
            raise FlowError(f"a frame of shape {frame.shape}: give (height, width, 3), RGB")
    if first.shape != second.shape:
        one, other = (f"{frame.shape[1]}x{frame.shape[0]}" for frame in (first, second))
        raise FlowError(
            f"a frame of {one} and one of {other}: flow is estimated between frames of one size"
        )
    return np.ascontiguousarray(first), np.ascontiguousarray(second)
