"""MPI Sintel's folders: beside the flow, masks of what is hidden and of what has no flow.

    training/flow/SEQ/frame_0001.flo
    training/occlusions/SEQ/frame_0001.png     white: hidden in the next frame
    training/invalid/SEQ/frame_0001.png        white: no flow, or not one that can be told

(Butler, Wulff, Stanley and Black, *A Naturalistic Open Source Movie for Optical Flow Evaluation*,
ECCV 2012.)
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from phosphene.errors import FlowError, ImageError
from phosphene.image import read
from phosphene.motion.flow import Flow, Mask
from phosphene.motion.flow_files.content import content_of
from phosphene.motion.flow_files.flo import decode_flo


class SintelFlow(NamedTuple):
    """Flow, and which of it leads to nothing that is seen.

    Attributes:
        flow: Valid also where it is hidden: the flow is known there.
        occluded: (h, w), what the next frame does not show; `None` where no file says so.
    """

    flow: Flow
    occluded: Mask | None


def read_sintel(path: str | Path) -> SintelFlow:
    """Read a frame's flow with its masks.

    Args:
        path: The `.flo`, in its place below a folder `flow`. Masks that are not there are done
            without.

    Raises:
        FlowError: The flow or a mask is damaged, or their sizes differ.
    """
    path = Path(path)
    flow = decode_flo(content_of(path), str(path))
    invalid = _mask(path, "invalid", flow)
    if invalid is not None:
        flow = Flow.of(flow.vectors, flow.valid & ~invalid)
    return SintelFlow(flow, _mask(path, "occlusions", flow))


def _mask(path: Path, kind: str, flow: Flow) -> Mask | None:
    if path.parent.parent.name != "flow":
        return None
    place = path.parents[2] / kind / path.parent.name / f"{path.stem}.png"
    if not place.is_file():
        return None
    try:
        mask: Mask = np.asarray(read(place).convert("L")) > 127
    except ImageError as error:
        raise FlowError(f"the mask {error}") from None
    if mask.shape != flow.size:
        raise FlowError(f"the mask {place} of {mask.shape} does not fit the flow of {flow.size}")
    return mask
