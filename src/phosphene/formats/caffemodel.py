"""The weights of a Caffe network: reading a `.caffemodel`.

The file is one protobuf message (see `phosphene.formats.wire`) with the layers as they were
trained, each with its *blobs*, arrays of float32. Three generations of the schema exist:

```text
NetParameter        name = 1   layers = 2 (V1, V0)   layer = 100 (V2)
layer, V2           name = 1   type = 2, text         blobs = 7
layer, V1           name = 4   type = 5, enum         blobs = 6     layer = 1, the V0 message
layer, V0           name = 1   type = 2, text         blobs = 50
blob                data = 5, float     double_data = 8     shape = 7 { dim = 1 }
                    before shape existed: num, channels, height, width = 1, 2, 3, 4
```

The file is mapped, not read: blobs are views into it, and a byte comes from the disk when it is
looked at.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import FormatError
from phosphene.formats.caffe_types import kind_of_number, kind_of_old_word
from phosphene.formats.signatures import not_a_caffemodel
from phosphene.formats.wire import BYTES, VARINT, Damaged, Field, fields, numbers, varint

_NAME, _LAYERS_V1, _LAYER_V2 = 1, 2, 100


@dataclass(frozen=True, eq=False)
class CaffeWeights:
    """What the file holds of one layer.

    Attributes:
        name: The layer's name.
        type: The layer's type as present-day Caffe spells it, whatever the file's generation.
        blobs: Its arrays, float32 and read-only: views of the mapped file unless it held doubles.
            Sizes as stored; before 2015 always four of them: (1, 1, 1, 96) for 96 biases.
    """

    name: str
    type: str
    blobs: tuple[NDArray[np.float32], ...]


def read_caffemodel(path: str | PathLike[str]) -> tuple[CaffeWeights, ...]:
    """Read the layers of a `.caffemodel`, those without weights too.

    Args:
        path: The file, of any generation of Caffe.

    Returns:
        The layers in the file's order. While one of their arrays is alive, so is the mapping: the
        file must not be overwritten in place.

    Raises:
        FormatError: The file is missing, is something else, is cut short or is damaged.
    """
    path = Path(path)
    data = _map(path)
    try:
        layers = tuple(_layers(data, path))
    except Damaged as damage:
        raise FormatError(
            f"{path} is cut short or damaged: it {damage}; fetch the file again and compare its "
            f"size ({len(data):,} bytes here) and checksum with the publisher's"
        ) from None
    if not layers:
        raise FormatError(
            f"{path} is a protobuf message without layers, so no Caffe network; give the "
            f".caffemodel that holds the trained weights"
        )
    return layers


def _map(path: Path) -> memoryview:
    try:
        with path.open("rb") as file:
            if reason := not_a_caffemodel(file.read(4096)):
                raise FormatError(f"{path} {reason}")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise FormatError(
            f"{path} cannot be read ({error.strerror}); give the path of a .caffemodel"
        ) from None


def _layers(data: memoryview, path: Path) -> Iterator[CaffeWeights]:
    for field in fields(data, 0, len(data)):
        if field.number == _NAME and field.wire_type != BYTES:
            # The other two messages that Caffe writes begin with a number where this has its name.
            raise FormatError(
                f"{path} is no Caffe network but perhaps a mean image (.binaryproto) or a solver's "
                f"state (.solverstate); give the .caffemodel"
            )
        if field.wire_type == BYTES and field.number == _LAYER_V2:
            yield _layer(data, field, generation=2)
        elif field.wire_type == BYTES and field.number == _LAYERS_V1:
            yield _layer(data, field, generation=1)


# Numbers of the fields name, type and blobs in each generation of the schema.
_SCHEMA = {0: (1, 2, 50), 1: (4, 5, 6), 2: (1, 2, 7)}


def _layer(data: memoryview, message: Field, generation: int) -> CaffeWeights:
    name_number, type_number, blob_number = _SCHEMA[generation]
    name = kind = ""
    blobs = []
    try:
        for field in fields(data, message.start, message.stop):
            if field.number == blob_number and field.wire_type == BYTES:
                blobs.append(_blob(data, field))
            elif field.number == type_number:
                number = field.wire_type == VARINT
                kind = kind_of_number(field.value) if number else _text(data, field)
            elif field.number == name_number:
                name = _text(data, field)
            elif generation == 1 and field.number == 1 and field.wire_type == BYTES:
                return _layer(data, field, generation=0)
    except Damaged as damage:
        place = f"layer {name!r}" if name else f"the layer at byte {message.start:,}"
        raise Damaged(f"{damage} (in {place})") from None
    return CaffeWeights(name, kind if generation else kind_of_old_word(kind), tuple(blobs))


def _blob(data: memoryview, message: Field) -> NDArray[np.float32]:
    shape: tuple[int, ...] | None = None
    legacy = [0, 0, 0, 0]
    floats: list[NDArray[np.float32 | np.float64]] = []
    doubles: list[NDArray[np.float32 | np.float64]] = []
    for field in fields(data, message.start, message.stop):
        if field.number == 5:
            floats.append(numbers(data, field, 4))
        elif field.number == 8:
            doubles.append(numbers(data, field, 8))
        elif field.number == 7 and field.wire_type == BYTES:
            shape = tuple(_dims(data, field))
        elif field.number <= 4 and field.wire_type == VARINT:
            legacy[field.number - 1] = field.value
    if shape is None and any(legacy):
        shape = tuple(legacy)
    values = _joined(doubles or floats)
    shape = (len(values),) if shape is None else shape
    if prod(shape) != len(values):
        raise Damaged(
            f"declares a blob of {' x '.join(map(str, shape)) or 'one number'} and stores "
            f"{len(values):,} numbers for it"
        )
    try:
        values = values.reshape(shape)
    except (ValueError, OverflowError):
        raise Damaged(f"declares a blob of {len(shape)} sizes that no array can have") from None
    values.flags.writeable = False
    return values


def _dims(data: memoryview, message: Field) -> Iterator[int]:
    for field in fields(data, message.start, message.stop):
        if field.number == 1 and field.wire_type == VARINT:
            yield field.value
        elif field.number == 1 and field.wire_type == BYTES:
            at = field.start
            while at < field.stop:
                size, at = varint(data, at, field.stop)
                yield size


def _joined(pieces: list[NDArray[np.float32 | np.float64]]) -> NDArray[np.float32]:
    if not pieces:
        return np.empty(0, np.float32)
    joined = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is found as such
        return joined.astype(np.float32, copy=False)


def _text(data: memoryview, field: Field) -> str:
    return bytes(data[field.start : field.stop]).decode(errors="replace")
