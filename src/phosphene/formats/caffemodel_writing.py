"""Writing a network's weights as Caffe would have trained them.

Caffe's networks take BGR in 0..255 less a mean. What a network makes of its own input,
`x = (s image - mean) / std` per channel, the written one makes of `z = 255 image - 255 mean / s`,
since the first layer's weights are multiplied by `s / (255 std)` and put into the order blue,
green, red. Padding by zeros is a gray of the mean for both.

A `.caffemodel` holds weights by the names of layers and nothing of how these are connected; a
`.prototxt` of one's own says that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from phosphene.core.network import Network
from phosphene.errors import FormatError
from phosphene.formats.layers import FullyConnected
from phosphene.image import replacing

_VARINT, _BYTES = 0, 2
_WHITE = 255.0


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        path: The file.
        layers: Names of the layers with weights, in order.
        mean: What to subtract from pixels in 0..255: blue, green, red.
    """

    path: Path
    layers: tuple[str, ...]
    mean: tuple[float, ...]


def write_caffemodel(net: Network, path: str | Path) -> Written:
    """Write convolutions and fully connected layers, by their names.

    Args:
        net: The network; its first convolution takes what its preprocessing makes. Normalization by
            batches must have been absorbed (`training.absorption.absorb`).
        path: Where to.

    Raises:
        FormatError: A layer with weights has no place in a Caffe network, or nothing has weights.
        OutputError: It cannot be written.
    """
    layers = list(_weighted(net.module))
    if not layers:
        raise FormatError(f"{net.name} has no convolutions: there is nothing to write for Caffe")
    own = net.preprocessing
    message = bytearray(_text(1, net.name))
    for number, (name, layer) in enumerate(layers):
        weight, bias = _arrays(layer)
        if number == 0:
            weight = _for_bgr(weight, net)
        kind = "Convolution" if weight.ndim == 4 else "InnerProduct"
        blobs = [weight] if bias is None else [weight, bias]
        inner = _text(1, name) + _text(2, kind) + b"".join(_tagged(7, _blob(b)) for b in blobs)
        message += _tagged(100, inner)
    with replacing(path) as file:
        file.write(message)
    mean = np.broadcast_to(np.asarray(own.mean, np.float64), (3,)) * _WHITE / own.scale
    if own.order == "RGB":
        mean = mean[::-1]
    return Written(Path(path), tuple(name for name, _ in layers), tuple(map(float, mean)))


def _weighted(module: nn.Module) -> Iterator[tuple[str, nn.Conv2d | nn.Linear]]:
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            yield name, layer
        elif next(layer.children(), None) is None and any(True for _ in layer.parameters()):
            raise FormatError(
                f"layer {name!r} ({type(layer).__name__}) has weights that Caffe has no such layer "
                "for: write the network as safetensors instead"
            )
        elif type(layer).__name__ in ("FreeNorm", "BatchNorm2d", "BatchNorm1d"):
            raise FormatError(
                f"layer {name!r} normalizes by batches: absorb it into the layer before first "
                "(phosphene.training.absorption.absorb)"
            )


def _arrays(
    layer: nn.Conv2d | nn.Linear,
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    def plain(values: torch.Tensor) -> NDArray[np.float32]:
        return values.detach().cpu().float().contiguous().numpy()

    weight = plain(layer.weight)
    if isinstance(layer, FullyConnected):
        weight = weight.reshape(len(weight), -1)
    return weight, None if layer.bias is None else plain(layer.bias)


def _for_bgr(weight: NDArray[np.float32], net: Network) -> NDArray[np.float32]:
    own = net.preprocessing
    if weight.ndim != 4 or weight.shape[1] != 3 or own.channels != 3:
        raise FormatError(
            f"the first layer of {net.name} takes {weight.shape[1]} channels: Caffe's networks "
            "that are written here take three, blue, green and red"
        )
    std = np.broadcast_to(np.asarray(own.std, np.float64), (3,))
    scaled = weight * (own.scale / (_WHITE * std))[None, :, None, None]
    ordered = scaled[:, ::-1] if own.order == "RGB" else scaled
    return np.ascontiguousarray(ordered, dtype=np.float32)


def _blob(values: NDArray[np.float32]) -> bytes:
    """A BlobProto: shape = 7 { dim = 1, packed }, data = 5, packed."""
    dims = b"".join(_varint(size) for size in values.shape)
    return _tagged(7, _tagged(1, dims)) + _tagged(5, values.astype("<f4").tobytes())


def _text(number: int, text: str) -> bytes:
    return _tagged(number, text.encode())


def _tagged(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
