"""Files of flow: Middlebury's `.flo`, KITTI's 16-bit `.png`, NumPy's `.npz` and `.npy`.

What a file holds is told by its first bytes, whatever its name; how it is written, by its suffix.
The data sets that add files of their own have modules beside: `sintel` and `hd1k`. FlyingChairs'
flow is plain `.flo`, and KITTI's plain KITTI.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from phosphene.errors import FlowError
from phosphene.image import replacing
from phosphene.motion.flow import Flow
from phosphene.motion.flow_files import flo, kitti, npz
from phosphene.motion.flow_files.content import content_of

__all__ = ["SUFFIXES", "read_flow", "write_flow"]

_ENCODERS: dict[str, Callable[[Flow], bytes]] = {
    ".flo": flo.encode_flo,
    ".png": kitti.encode_png,
    ".npz": npz.encode_npz,
}
_DECODERS: dict[bytes, Callable[[bytes, str], Flow]] = {
    flo.TAG: flo.decode_flo,
    flo.TAG[::-1]: flo.decode_flo,
    kitti.SIGNATURE[:4]: kitti.decode_png,
    npz.ZIP: npz.decode_npz,
    npz.NPY[:4]: npz.decode_npy,
}

SUFFIXES = frozenset(_ENCODERS)
"""What `write_flow` can write."""


def read_flow(path: str | Path) -> Flow:
    """Read flow from a file.

    Args:
        path: A `.flo`, a KITTI `.png`, or an `.npz` or `.npy`; see the modules of each.

    Raises:
        FlowError: The file is missing, no flow, or damaged.
    """
    content = content_of(path)
    decode = _DECODERS.get(content[:4])
    if decode is None:
        what = "is empty" if not content else "is no flow"
        raise FlowError(
            f"{path} {what}: give a Middlebury .flo, a KITTI 16-bit .png, or an .npz or .npy"
        )
    return decode(content, str(path))


def write_flow(flow: Flow, path: str | Path) -> None:
    """Write flow to a file: whole, or not at all.

    Args:
        flow: What to write. KITTI's coding rounds to 1/64 pixel and holds no vector beyond 512
            pixels: see `kitti.encode_png`. The others keep every bit.
        path: Where to; `.flo`, `.png` or `.npz`.

    Raises:
        FlowError: The suffix is of no such file.
        OutputError: It cannot be written there.
    """
    encode = _ENCODERS.get(Path(path).suffix.lower())
    if encode is None:
        raise FlowError(f"{path} is no name for flow: let it end in .flo, .png or .npz")
    content = encode(flow)
    with replacing(path) as file:
        file.write(content)
