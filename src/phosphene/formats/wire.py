"""Protobuf's wire format: fields on a row, each a tag and a payload.

```text
tag = varint(field number << 3 | wire type)      payload
  wire type 0   varint: 7 bits a byte, lowest first, top bit set on all bytes but the last
            1   8 bytes           5   4 bytes
            2   varint length, then so many bytes: text, a message, or numbers packed together
```

Nothing in the bytes says what a field means: a reader knows the schema, steps over the fields it
does not care for, and never has to read what lies inside them. So a network of hundreds of
megabytes is opened by touching some hundred bytes, and its weights can stay where they are.

Repeated numbers that are *not* packed come as tag, number, tag, number, ...; such a run is
recognized as a whole (`Field.repeats`), since a step for each of sixty million floats would take a
minute.

*Reference*: "Encoding", protobuf.dev.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5


class Damaged(Exception):
    """The bytes are no message; says where in half a sentence, for the reader to complete."""


class Field(NamedTuple):
    """One field of a message, or a run of equal ones.

    Attributes:
        number: The field's number in the schema.
        wire_type: How the payload is stored.
        start: Offset of the payload (of the first one, for a run).
        stop: Offset behind the payload (behind the last one, for a run).
        value: The number that a varint holds, otherwise 0.
        repeats: How many fields the run has; 1 but for numbers of fixed size.
    """

    number: int
    wire_type: int
    start: int
    stop: int
    value: int = 0
    repeats: int = 1


def varint(data: memoryview, at: int, stop: int) -> tuple[int, int]:
    """Read an unsigned number of at most 64 bits.

    Args:
        data: The file.
        at: Offset of the number's first byte.
        stop: Offset behind the message it belongs to.

    Returns:
        The number, and the offset behind it.

    Raises:
        Damaged: The message ends within the number, or the number is longer than 10 bytes.
    """
    result = shift = 0
    while at < stop:
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
        if shift >= 70:
            raise Damaged(f"holds a number without an end at byte {at}")
    raise Damaged(f"breaks off within a number at byte {at}")


def fields(data: memoryview, start: int, stop: int) -> Iterator[Field]:
    """Step through the fields of a message.

    Args:
        data: The file.
        start: Offset of the message's first byte.
        stop: Offset behind the message.

    Raises:
        Damaged: A field does not fit into the message, or is of no kind that exists.
    """
    at = start
    while at < stop:
        # Tags and most lengths fit a byte: worth the shortcut, as this is the reader's inner loop.
        tag, begin = (data[at], at + 1) if data[at] < 0x80 else varint(data, at, stop)
        number, wire_type = tag >> 3, tag & 7
        value, repeats = 0, 1
        if wire_type == BYTES:
            if begin < stop and data[begin] < 0x80:
                length, begin = data[begin], begin + 1
            else:
                length, begin = varint(data, begin, stop)
            end = begin + length
        elif wire_type == VARINT:
            value, end = varint(data, begin, stop)
        elif wire_type in (FOUR_BYTES, EIGHT_BYTES):
            size = 4 if wire_type == FOUR_BYTES else 8
            end = begin + size
            if begin == at + 1 and end < stop and data[end] == tag:
                repeats = _run(data, at, stop, size + 1)
                end = at + repeats * (size + 1)
        else:
            raise Damaged(f"has a field of the unknown kind {wire_type} at byte {at}")
        if number == 0:
            raise Damaged(f"has a field without a number at byte {at}")
        if end > stop:
            raise Damaged(
                f"announces {end - begin:,} bytes at byte {begin:,}, where only "
                f"{stop - begin:,} are left"
            )
        yield Field(number, wire_type, begin, end, value, repeats)
        at = end


def numbers(data: memoryview, field: Field, size: int) -> NDArray[np.float32 | np.float64]:
    """Return the numbers of a field as a view of the file, whether packed or not.

    Args:
        data: The file.
        field: Packed numbers, a number of fixed size, or a run of them.
        size: Bytes of a number: 4 for float, 8 for double.

    Returns:
        (n,) read-only array, possibly neither aligned nor contiguous.

    Raises:
        Damaged: The payload holds no such numbers.
    """
    dtype = np.dtype(f"<f{size}")
    if field.wire_type == BYTES:
        length = field.stop - field.start
        if length % size:
            raise Damaged(f"has {length:,} bytes of {8 * size}-bit numbers at byte {field.start:,}")
        return np.frombuffer(data, dtype, length // size, field.start)
    if field.wire_type != (FOUR_BYTES if size == 4 else EIGHT_BYTES):
        raise Damaged(f"has something else than {8 * size}-bit numbers at byte {field.start:,}")
    return np.ndarray(
        (field.repeats,), dtype, buffer=data, offset=field.start, strides=(size + 1,)
    )  # each number behind its tag of one byte


def _run(data: memoryview, at: int, stop: int, stride: int) -> int:
    """Count the fields from `at` on that have the same tag of one byte and the same size."""
    most = (stop - at) // stride
    tags = np.ndarray((most,), np.uint8, buffer=data, offset=at, strides=(stride,))
    done, step = 1, 16
    while done < most:
        same = tags[done : done + step] == tags[0]
        if not same.all():
            return done + int(np.argmin(same))
        done, step = done + len(same), 2 * step  # look no further ahead than was already seen
    return done
