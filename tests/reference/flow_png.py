"""A PNG of 16 bits and KITTI's coding, byte by byte, as the PNG specification has it.

Nothing is shared with `phosphene.motion.flow_files`, and OpenCV has no part in it.
"""

from __future__ import annotations

import struct
import zlib


def pixels(content: bytes) -> list[list[tuple[int, ...]]]:
    """Decode a PNG of 16 bits, not interlaced: rows of pixels, red first."""
    assert content[:8] == bytes([137, 80, 78, 71, 13, 10, 26, 10])
    at, packed, header = 8, b"", b""
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        kind, data = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        (crc,) = struct.unpack(">I", content[at + 8 + length : at + 12 + length])
        assert crc == zlib.crc32(kind + data)
        if kind == b"IHDR":
            header = data
        if kind == b"IDAT":
            packed += data
        at += 12 + length
    width, height, bits, colour, _, _, interlace = struct.unpack(">IIBBBBB", header)
    assert bits == 16
    assert interlace == 0
    channels = {0: 1, 2: 3}[colour]
    step = 2 * channels
    raw = zlib.decompress(packed)
    above = [0] * (width * step)
    rows = []
    for y in range(height):
        start = y * (width * step + 1)
        kind_of_filter = raw[start]
        line = list(raw[start + 1 : start + 1 + width * step])
        for i in range(len(line)):
            left = line[i - step] if i >= step else 0
            corner = above[i - step] if i >= step else 0
            guess = {
                0: 0,
                1: left,
                2: above[i],
                3: (left + above[i]) // 2,
                4: paeth(left, above[i], corner),
            }[kind_of_filter]
            line[i] = (line[i] + guess) % 256
        above = line
        words = [256 * line[i] + line[i + 1] for i in range(0, len(line), 2)]
        rows.append([tuple(words[i : i + channels]) for i in range(0, len(words), channels)])
    return rows


def paeth(a: int, b: int, c: int) -> int:
    p = a + b - c
    if abs(p - a) <= abs(p - b) and abs(p - a) <= abs(p - c):
        return a
    return b if abs(p - b) <= abs(p - c) else c


def encoded(rows: list[list[tuple[int, ...]]], bits: int = 16) -> bytes:
    """Write rows of pixels, red first, as a PNG without filters."""
    channels = len(rows[0][0])
    raw = b""
    for row in rows:
        raw += b"\0"
        for pixel in row:
            for value in pixel:
                raw += value.to_bytes(bits // 8, "big")
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), bits, {1: 0, 3: 2}[channels], 0, 0, 0)
    return chunked([(b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")])


def chunked(chunks: list[tuple[bytes, bytes]]) -> bytes:
    """Put a PNG together from the kinds and contents of its chunks."""
    content = bytes([137, 80, 78, 71, 13, 10, 26, 10])
    for kind, data in chunks:
        content += struct.pack(">I", len(data)) + kind + data
        content += struct.pack(">I", zlib.crc32(kind + data))
    return content


def flow(content: bytes) -> list[list[tuple[float, float] | None]]:
    """Read KITTI's coding: (x, y) by rows, `None` where it is not valid."""
    return [
        [((r - 2**15) / 64, (g - 2**15) / 64) if b else None for r, g, b in row]
        for row in pixels(content)
    ]
