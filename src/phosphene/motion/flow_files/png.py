"""PNG of 16 bits: what flow and its uncertainty are coded in.

Pillow reads no colours of 16 bits, so OpenCV does. Its own checks are lenient: it hands out 8 bits
as they are, and of a file cut short what there was. So the file is walked through before.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import FlowError
from phosphene.motion.flow_files.content import DEFLATED, sensible

Codes = NDArray[np.uint16]

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_CHANNELS = {0: 1, 2: 3}
_COLOURS = {0: "grey", 2: "colour", 3: "palette", 4: "grey with alpha", 6: "colour with alpha"}


class Header(NamedTuple):
    """What a PNG says about itself: sides in pixels, bits a channel, and kind of colour."""

    width: int
    height: int
    bits: int
    colour: int


def encode(codes: Codes, level: int | None = None) -> bytes:
    """Write (h, w) or (h, w, 3) codes, blue first, as a PNG.

    Args:
        codes: What to write.
        level: How hard zlib tries, 0 to 9.

    Raises:
        FlowError: OpenCV is not there, or there is no such level.
    """
    if level is not None and level not in range(10):
        raise FlowError(f"level {level} of zlib does not exist: give 0 to 9")
    cv2 = _opencv()
    # A file is written once and read every epoch. Per 320 x 240 flow of DIS on ten DAVIS videos,
    # on one core, written, read, size: "up", filtered, level 4: 6.7 ms, 1.8 ms, 107 kB (level 1:
    # 3.7, 1.9, 126; level 6: 24, 1.7, 100). Paeth, run lengths only: 3.9, 2.7, 104. Paeth, level
    # 4: 7.1, 2.4, 103. OpenCV's own choice, "sub" and run lengths: 3.5, 2.3, 126.
    settings = [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]
    settings += [cv2.IMWRITE_PNG_COMPRESSION, 4 if level is None else level]
    settings += [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_FILTERED]
    done, content = cv2.imencode(".png", codes, settings)
    if not done:
        raise FlowError(f"codes of shape {codes.shape} cannot be written as PNG")
    return bytes(content)


def decode(content: bytes, name: str, channels: int) -> Codes:
    """Read a PNG of 16 bits.

    Args:
        content: The whole file.
        name: What to call it in errors.
        channels: 1 for grey, 3 for colour.

    Returns:
        (h, w) or (h, w, 3), blue first.

    Raises:
        FlowError: It is no such PNG, or damaged, or OpenCV is not there.
    """
    header = _checked(content, name)
    if header.bits != 16 or _CHANNELS.get(header.colour) != channels:
        colour = _COLOURS.get(header.colour, "unknown colour")
        needed = "colour (x, y, valid)" if channels == 3 else "grey"
        raise FlowError(
            f"{name} is a PNG of {header.bits} bits in {colour}, where 16 bits in {needed} are "
            "needed: it is an ordinary picture, or was converted"
        )
    cv2 = _opencv()
    codes = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if codes is not None and codes.ndim == 3:
        codes = codes[:, :, :3]  # a transparent colour becomes a fourth channel
    shape = (header.height, header.width, *((3,) if channels == 3 else ()))
    if codes is None or codes.dtype != np.uint16 or codes.shape != shape:
        raise _damaged(name)
    return codes  # type: ignore[no-any-return]


def _checked(content: bytes, name: str) -> Header:
    """Go through the chunks: all there, none damaged, and as much data as the size asks for."""
    if content[:8] != SIGNATURE:
        raise FlowError(f"{name} is no PNG")
    at, header, packed = 8, None, 0
    while True:
        if at + 12 > len(content):
            raise _damaged(name)
        length, kind = struct.unpack_from(">I4s", content, at)
        end = at + 12 + length
        if end > len(content):
            raise _damaged(name)
        if zlib.crc32(memoryview(content)[at + 4 : end - 4]) != int.from_bytes(
            content[end - 4 : end]
        ):
            raise _damaged(name)
        if header is None:
            if kind != b"IHDR" or length != 13:
                raise _damaged(name)
            header = Header(*struct.unpack_from(">IIBB", content, at + 8))
            sensible(header.height, header.width, name)
        packed += length if kind == b"IDAT" else 0
        if kind == b"IEND":
            break
        at = end
    least = header.height * (header.width * header.bits * _CHANNELS.get(header.colour, 1) // 8 + 1)
    if least > DEFLATED * packed:
        raise _damaged(name)
    return header


def _damaged(name: str) -> FlowError:
    return FlowError(f"{name} is damaged or cut short: fetch or save it again")


def _opencv() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise FlowError(
            "PNG of 16 bits needs OpenCV: `pip install phosphene[motion]`, or save flow as .npz"
        ) from error
    return cv2
