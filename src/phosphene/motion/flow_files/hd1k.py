"""HD1K's folders: flow in KITTI's coding, and beside it how uncertain it is.

    hd1k_flow_gt/flow_occ/000000_0010.png
    hd1k_flow_uncertainty/flow_unc/000000_0010.png     16 bits of grey, in 1/256 pixel; 0: unknown

(Kondermann et al., *The HCI Benchmark Suite: Stereo and Flow Ground Truth With Uncertainties for
Urban Autonomous Driving*, CVPR Workshops 2016.) The benchmark's site is gone; the scale of the
uncertainty is taken from how published code reads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import FlowError
from phosphene.motion.flow import Flow
from phosphene.motion.flow_files.content import content_of
from phosphene.motion.flow_files.kitti import decode_png
from phosphene.motion.flow_files.png import decode


class HD1KFlow(NamedTuple):
    """Flow, and how uncertain it is.

    Attributes:
        flow: Valid where the blue channel is not 0.
        uncertainty: (h, w) float32 in pixels; NaN where it is unknown. `None` without its file.
    """

    flow: Flow
    uncertainty: NDArray[np.float32] | None


def read_hd1k(path: str | Path) -> HD1KFlow:
    """Read a frame's flow with its uncertainty.

    Args:
        path: The `.png` in `hd1k_flow_gt/flow_occ`. The uncertainty is looked for in its place
            beside, and done without where it is not there.

    Raises:
        FlowError: A file is damaged or of another kind, or the sizes differ.
    """
    path = Path(path)
    flow = decode_png(content_of(path), str(path))
    place = path.parents[2] / "hd1k_flow_uncertainty" / "flow_unc" / path.name
    if not place.is_file():
        return HD1KFlow(flow, None)
    codes = decode(content_of(place), str(place), channels=1)
    if codes.shape != flow.size:
        raise FlowError(f"the uncertainty {place} of {codes.shape} does not fit the flow's size")
    steps = codes.astype(np.float32) / 256
    return HD1KFlow(flow, np.where(codes > 0, steps, np.float32(np.nan)))
