"""KITTI's coding: a PNG of 16 bits, red for x, green for y, blue for valid.

    code = round(64 u + 2^15),  u = (code - 2^15) / 64

so that steps are 1/64 pixel, and u goes from -512 to 511.98 (Geiger et al., CVPR 2012; Menze and
Geiger, CVPR 2015). Rounding moves a component by at most 1/128 pixel.
"""

from __future__ import annotations

import numpy as np

from phosphene.motion.flow import Flow
from phosphene.motion.flow_files.png import SIGNATURE, decode, encode

__all__ = ["SIGNATURE", "decode_png", "encode_png"]

_STEPS = np.float32(64)
_ZERO = np.float32(1 << 15)
_LAST = np.float32((1 << 16) - 1)


def encode_png(flow: Flow, *, level: int | None = None) -> bytes:
    """Write flow as KITTI's PNG.

    Args:
        flow: What to write. A vector with a component below -512 or above 511.98 pixels, for which
            there is no code, is written as not valid.
        level: How hard zlib tries, 0 to 9; see `png.encode` for the choice without.

    Raises:
        FlowError: OpenCV is not there.
    """
    codes = np.rint(flow.vectors * _STEPS) + _ZERO
    valid = flow.valid
    if codes.min() < 0 or codes.max() > _LAST:
        valid = valid & (codes >= 0).all(2) & (codes <= _LAST).all(2)
    if not valid.all():
        codes[~valid] = 0  # as in KITTI's own files
    # OpenCV's channels are blue, green, red.
    pixels = np.empty((*flow.size, 3), np.uint16)
    pixels[:, :, 2] = codes[:, :, 0]
    pixels[:, :, 1] = codes[:, :, 1]
    pixels[:, :, 0] = valid
    return encode(pixels, level)


def decode_png(content: bytes, name: str) -> Flow:
    """Read KITTI's PNG.

    Args:
        content: The whole file.
        name: What to call it in errors.

    Returns:
        The flow; valid where blue is not 0.

    Raises:
        FlowError: It is no PNG of 16 bits in three colours, or damaged.
    """
    pixels = decode(content, name, channels=3)
    valid = pixels[:, :, 0] != 0
    # One by one, which takes less than half the time of both at once.
    vectors = np.empty((*valid.shape, 2), np.float32)
    vectors[:, :, 0] = pixels[:, :, 2]
    vectors[:, :, 1] = pixels[:, :, 1]
    vectors -= _ZERO
    vectors *= 1 / _STEPS
    if not valid.all():
        vectors[~valid] = 0
    return Flow(vectors, valid)
