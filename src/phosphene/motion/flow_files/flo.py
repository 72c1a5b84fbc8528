"""Middlebury's `.flo`: the number 202021.25, width, height, then (x, y) of every pixel by rows.

All are little-endian, 4 bytes each. Files that a big-endian machine wrote, tag and all, are read
too. A component beyond 1e9 means that nothing is known there (Baker et al., *A Database and
Evaluation Methodology for Optical Flow*, IJCV 2011, and the benchmark's own code).
"""

from __future__ import annotations

import numpy as np

from phosphene.errors import FlowError
from phosphene.motion.flow import Flow
from phosphene.motion.flow_files.content import sensible

TAG = b"PIEH"
"""The float 202021.25, little-endian."""

_HEADER = 12
_UNKNOWN = 1e10


def encode_flo(flow: Flow) -> bytes:
    """Write flow as `.flo`; what is not valid becomes 1e10, as in the benchmark's own files."""
    height, width = flow.size
    vectors = np.where(flow.valid[:, :, None], flow.vectors, _UNKNOWN).astype("<f4")
    return TAG + np.array([width, height], "<i4").tobytes() + vectors.tobytes()


def decode_flo(content: bytes, name: str) -> Flow:
    """Read a `.flo`.

    Args:
        content: The whole file.
        name: What to call it in errors.

    Raises:
        FlowError: It is no `.flo`, cut short, or longer than its header says.
    """
    order = {TAG: "<", TAG[::-1]: ">"}.get(content[:4])
    if order is None:
        raise FlowError(f"{name} is no .flo: it does not begin with {TAG.decode()}")
    if len(content) < _HEADER:
        raise FlowError(f"{name} is cut short within its header: fetch or save it again")
    width, height = np.frombuffer(content, f"{order}i4", 2, 4).tolist()
    sensible(height, width, name)
    needed, given = _HEADER + height * width * 8, len(content)
    if given != needed:
        what = "is cut short" if given < needed else "is too long"
        raise FlowError(
            f"{name} {what}: {width} x {height} pixels take {needed} bytes, and it has {given}; "
            "fetch or save it again"
        )
    vectors = np.frombuffer(content, f"{order}f4", offset=_HEADER)
    return Flow.of(vectors.reshape(height, width, 2))
