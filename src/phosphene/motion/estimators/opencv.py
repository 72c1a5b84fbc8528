"""The estimators of OpenCV, on grey frames.

*References*: Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016; Farnebäck,
"Two-Frame Motion Estimation Based on Polynomial Expansion", SCIA 2003; Zach, Pock & Bischof, "A
Duality Based Approach for Realtime TV-L1 Optical Flow", DAGM 2007.

Frames are turned grey by Rec. 601 (0.299 R + 0.587 G + 0.114 B, rounded), as OpenCV does.
"""

from __future__ import annotations

import math
import threading
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import FlowError, SettingError, first_line, nearest
from phosphene.motion.estimators.estimator import Estimator, Pixels, checked
from phosphene.motion.flow import Flow

PRESETS = ("ultrafast", "fast", "medium")
_SIDE = 16
"""Frames with a shorter side are continued up to it: DIS refuses what is smaller than a patch."""
_PATCH = 8
"""Side of DIS's patches, in all presets."""
_FINEST = {"dis:ultrafast": 2, "dis:fast": 2, "dis:medium": 1}
"""Level of the pyramid that a preset ends on; from there its flow is enlarged."""

_WILD = 1e6
"""Pixels below which a vector need not be looked at to know that it is one."""


def opened(family: str, rest: str, *, device: str, limit: float) -> Estimator:
    """Open `dis[:PRESET]`, `farneback` or `tvl1`.

    Raises:
        SettingError: There is no such preset.
        FlowError: OpenCV is not there, or comes without TV-L1.
    """
    known = PRESETS if family == "dis" else ()
    if rest and rest not in known:
        offers = f"take {', '.join(known)}" if known else "it has none"
        raise SettingError(
            f"{family} has no preset {rest!r}{nearest(rest, known) or f': {offers}'}"
        )
    try:
        import cv2
    except ImportError:
        raise FlowError(
            f"{family} needs OpenCV, which is not installed: pip install 'phosphene[motion]'"
        ) from None
    if family == "tvl1" and not hasattr(cv2, "optflow"):
        raise FlowError(
            "this OpenCV comes without TV-L1 (cv2.optflow): install "
            "opencv-contrib-python-headless in its place, or take dis or farneback"
        )
    return OpenCV(f"dis:{rest or 'medium'}" if family == "dis" else family)


class OpenCV:
    """One of OpenCV's estimators.

    Frames with a side below 16 pixels are continued by their outermost pixels, and the flow is cut
    to size. Where a frame is too small for the finest level of DIS's preset, the finest that it has
    is taken: left to itself OpenCV then lays the pyramid by the width alone, crashes where the
    height vanishes in it, and remembers what it chose for the frames that follow.
    """

    def __init__(self, name: str) -> None:
        """Args: name: `dis:PRESET`, `farneback` or `tvl1`."""
        self.name = name
        self._kept = threading.local()

    def __reduce__(self) -> tuple[type[OpenCV], tuple[str]]:
        """Pickle the name alone: OpenCV's objects cannot leave their process."""
        return OpenCV, (self.name,)

    def __call__(self, first: Pixels, second: Pixels) -> Flow:
        """Estimate the flow; see `Estimator`."""
        import cv2

        first, second = checked(first, second)
        height, width = first.shape[:2]
        grey = [_grown(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)) for frame in (first, second)]
        algorithm = self._algorithm()
        if self.name in _FINEST:
            algorithm.setFinestScale(min(_FINEST[self.name], _coarsest(*grey[0].shape)))
        try:
            found = algorithm.calc(grey[0], grey[1], None)
        except cv2.error as error:
            raise FlowError(
                f"{self.name} fails on frames of {width}x{height}: {first_line(error)}"
            ) from None
        vectors = np.ascontiguousarray(found[:height, :width])
        # To look at every vector, as `Flow.of` does, takes as long as the quickest preset itself.
        if vectors.min() > -_WILD and vectors.max() < _WILD:  # false for NaN
            return Flow(vectors, np.ones((height, width), np.bool_))
        return Flow.of(vectors)

    def _algorithm(self) -> Any:
        """Make OpenCV's object once a thread: it keeps buffers, which make it quicker.

        TV-L1 is made anew, since it would keep to the few levels of a small frame ever after.
        """
        if self.name == "tvl1" or not hasattr(self._kept, "algorithm"):
            self._kept.algorithm = _made(self.name)
        return self._kept.algorithm


def _made(name: str) -> Any:
    cv2: Any = import_module("cv2")  # its annotations leave these out
    if name == "farneback":
        return cv2.FarnebackOpticalFlow_create()
    if name == "tvl1":
        return cv2.optflow.DualTVL1OpticalFlow_create()
    return cv2.DISOpticalFlow_create(PRESETS.index(name.removeprefix("dis:")))


def _coarsest(height: int, width: int) -> int:
    """Find the coarsest level that OpenCV's DIS begins on, by its own rule.

    It lets a quarter of the longer side be crossed, and one patch fit into the shorter.
    """
    reach = int(math.log(max(height, width) / (4 * _PATCH)) / math.log(2) + 0.5)
    fits = int(math.log(min(height, width) // _PATCH) / math.log(2))
    return max(0, min(reach, fits))


def _grown(grey: NDArray[Any]) -> NDArray[Any]:
    """Continue a frame at its right and lower edge up to the least size."""
    short = [max(0, _SIDE - side) for side in grey.shape]
    return np.pad(grey, [(0, short[0]), (0, short[1])], mode="edge") if any(short) else grey
