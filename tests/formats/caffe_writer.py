"""A tiny writer of protobuf's wire format, and of Caffe's three generations in it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

Layers = Sequence[tuple[str, str, Sequence[np.ndarray]]]

HEADER = 'input: "data" input_shape { dim: [2, 4, 9, 11] }\n'
SIZE = (4, 9, 11)


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def layer(kind: str, options: str = "", bottom: str = "data", name: str = "out") -> str:
    bottoms = " ".join(f'bottom: "{each}"' for each in bottom.split())
    return f'layer {{ name: "{name}" type: "{kind}" {bottoms} top: "{name}" {options} }}\n'


V1_NUMBERS = {"Convolution": 4, "InnerProduct": 14, "ReLU": 18, "Pooling": 17, "Softmax": 20}
V0_WORDS = {
    "Convolution": "conv",
    "InnerProduct": "innerproduct",
    "ReLU": "relu",
    "Pooling": "pool",
    "Softmax": "softmax",
}


def varint(number: int) -> bytes:
    written = bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def payload(field: int, content: bytes | str) -> bytes:
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(content)) + content


def blob(array: np.ndarray, style: str = "packed", legacy: bool = False) -> bytes:
    if legacy:
        sizes = (1,) * (4 - array.ndim) + array.shape
        shape = b"".join(number(1 + axis, size) for axis, size in enumerate(sizes))
    else:
        shape = payload(7, payload(1, b"".join(map(varint, array.shape))))
    flat = np.asarray(array, np.float64).ravel()
    if style == "packed":
        data = payload(5, flat.astype("<f4").tobytes())
    elif style == "pieces":
        half = len(flat) // 2
        data = payload(5, flat[:half].astype("<f4").tobytes())
        data += b"".join(varint(5 << 3 | 5) + struct.pack("<f", value) for value in flat[half:])
    elif style == "unpacked":
        data = b"".join(varint(5 << 3 | 5) + struct.pack("<f", value) for value in flat)
    elif style == "double":
        data = payload(8, flat.astype("<f8").tobytes())
    elif style == "unpacked double":
        data = b"".join(varint(8 << 3 | 1) + struct.pack("<d", value) for value in flat)
    else:
        raise ValueError(style)
    return data + shape


def network(
    layers: Layers, generation: int = 2, style: str = "packed", name: str = "a network"
) -> bytes:
    """Write a network's weights: for each layer its name, type and arrays."""
    written = payload(1, name)
    for layer, kind, arrays in layers:
        blobs = [blob(array, style, legacy=generation < 2) for array in arrays]
        if generation == 2:
            message = payload(1, layer) + payload(2, kind) + payload(3, "bottom") + number(10, 1)
            written += payload(100, message + b"".join(payload(7, each) for each in blobs))
        elif generation == 1:
            message = payload(2, "bottom") + payload(4, layer) + number(5, V1_NUMBERS[kind])
            written += payload(2, message + b"".join(payload(6, each) for each in blobs))
        else:
            inner = payload(1, layer) + payload(2, V0_WORDS[kind]) + number(3, 7)
            inner += b"".join(payload(50, each) for each in blobs)
            written += payload(2, payload(1, inner) + payload(2, "bottom"))
    return written


def save(folder: Path, prototxt: str, layers: Layers, **how: object) -> Path:
    """Write `net.prototxt` and `net.caffemodel`, and return the latter's path."""
    (folder / "net.prototxt").write_text(prototxt)
    path = folder / "net.caffemodel"
    path.write_bytes(network(layers, **how))  # type: ignore[arg-type]
    return path
