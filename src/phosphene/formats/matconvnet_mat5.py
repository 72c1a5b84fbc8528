"""MATLAB's file format, versions 5 to 7: elements with a tag, nested; from version 7 on compressed.

An element is a tag of 8 bytes, kind and size, and its content, filled up to a multiple of 8; up to
4 bytes of content fit into the tag itself. An array is an element made of elements: flags,
dimensions, name, and then numbers, characters, arrays (a cell), or arrays by field (structures).

Why not `scipy.io.loadmat`: it believes what a file says about itself, and one wrong byte can end
the whole process. Here every size is checked, and nothing is executed or rebuilt: what only MATLAB
understands stays `Unreadable`.

*Reference*: "MAT-File Format", The MathWorks, chapter 1.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Value = Any
"""An array of numbers, a `str`, a list (a cell) or a list of dicts (structures)."""

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
    16: "u1", 17: "u2", 18: "u4",
}  # fmt: skip
_ENCODINGS = {"u1": "utf-8", "i1": "utf-8", "u2": "utf-16", "u4": "utf-32"}
_CELL, _STRUCT, _OBJECT, _CHAR, _SPARSE, _OPAQUE = 1, 2, 3, 4, 5, 17
_NUMERIC = range(6, 16)
_COMPLEX = 0x800


class DamagedMat(Exception):
    """The file contradicts itself; never leaves the room."""


@dataclass(frozen=True)
class Unreadable:
    """Something that only MATLAB understands; `what` says in words what it is."""

    what: str


def read_variables(content: memoryview, wanted: Collection[str]) -> dict[str, Value]:
    """Read the variables of a file.

    Args:
        content: The whole file.
        wanted: Names of the variables to unpack; others are passed over.

    Raises:
        DamagedMat: The file contradicts itself, or ends early.
    """
    order = "<" if bytes(content[126:128]) == b"IM" else ">"
    file = _Elements(content[_HEADER:], order)
    found = {}
    while not file.ended:
        kind, element = file.next()
        if kind == _COMPRESSED:
            try:
                unpacked = memoryview(zlib.decompress(element))
            except zlib.error as error:
                raise DamagedMat(str(error)) from None
            kind, element = _Elements(unpacked, order).next()
        if kind == _MATRIX and element:
            try:
                name, value = _array(element, order, wanted)
            except RecursionError:
                raise DamagedMat("endlessly nested") from None
            if name in wanted:
                found[name] = value
    return found


class _Elements:
    """The elements in a stretch of bytes, one after the other."""

    def __init__(self, data: memoryview, order: str) -> None:
        self._data = data
        self._order = order
        self._at = 0

    @property
    def ended(self) -> bool:
        return self._at >= len(self._data)

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def next(self) -> tuple[int, memoryview]:
        """Return the kind and the content of the next element."""
        head = self._words(2)
        if head[0] >> 16:
            kind, size, start = head[0] & 0xFFFF, head[0] >> 16, self._at + 4
            if size > 4:
                raise DamagedMat("a tag holds more than fits")
            self._at += 8
        else:
            kind, size, start = head[0], head[1], self._at + 8
            filling = 0 if kind == _COMPRESSED else -size % 8
            self._at = start + size + filling
        if start + size > len(self._data):
            raise DamagedMat("an element is longer than what holds it")
        return kind, self._data[start : start + size]

    def numbers(self) -> NDArray[Any]:
        """Return the next element as numbers."""
        kind, content = self.next()
        dtype = np.dtype(self._order + _NUMBERS[kind]) if kind in _NUMBERS else None
        if dtype is None or len(content) % dtype.itemsize:
            raise DamagedMat("numbers of an unknown kind")
        return np.frombuffer(content, dtype)

    def text(self) -> str:
        """Return the next element as a name."""
        return bytes(self.next()[1]).decode("latin-1")

    def array(self) -> Value:
        """Return the next element as an array, which has no name of its own."""
        kind, content = self.next()
        if kind != _MATRIX:
            raise DamagedMat("something else than an array inside of one")
        return _array(content, self._order)[1] if content else np.empty((0, 0))

    def _words(self, count: int) -> list[int]:
        words = self._data[self._at : self._at + 4 * count]
        if len(words) < 4 * count:
            raise DamagedMat("the end comes early")
        return [int(n) for n in np.frombuffer(words, self._order + "u4")]


def _array(
    content: memoryview, order: str, wanted: Collection[str] | None = None
) -> tuple[str, Value]:
    parts = _Elements(content, order)
    flags = parts.numbers()
    if flags.size < 1 or flags.dtype.kind not in "iu":
        raise DamagedMat("an array without a class")
    kind = int(flags[0]) & 0xFF
    if kind == _OPAQUE:
        return parts.text(), Unreadable("an object of a class")
    shape = tuple(int(n) for n in parts.numbers())
    name = parts.text()
    if wanted is not None and name not in wanted:
        return name, None
    if len(shape) < 2 or min(shape) < 0:
        raise DamagedMat("dimensions that make no sense")
    if kind == _CELL:
        _check(prod(shape), parts)
        return name, [parts.array() for _ in range(prod(shape))]
    if kind == _STRUCT:
        return name, _structs(parts, prod(shape))
    if kind == _CHAR:
        return name, _characters(parts.numbers(), shape)
    if kind in _NUMERIC and not int(flags[0]) & _COMPLEX:
        numbers = parts.numbers()
        if numbers.size != prod(shape):
            raise DamagedMat("more or fewer numbers than the dimensions say")
        return name, numbers.reshape(shape, order="F")
    words = {_OBJECT: "an object of a class", _SPARSE: "a sparse matrix"}
    return name, Unreadable(words.get(kind, "complex numbers or functions"))


def _structs(parts: _Elements, count: int) -> list[dict[str, Value]]:
    length = parts.numbers()
    packed = bytes(parts.next()[1])
    width = int(length[0]) if length.size else 0
    if width < 1 or len(packed) % width:
        if packed:
            raise DamagedMat("field names of no sensible length")
        width = 1
    cut = [packed[at : at + width] for at in range(0, len(packed), width)]
    names = [each.split(b"\0")[0].decode("latin-1") for each in cut]
    _check(count * len(names), parts)
    # Of structures without fields there is nothing to count.
    if not names:
        return [{}] * min(count, 1)
    return [{name: parts.array() for name in names} for _ in range(count)]


def _check(count: int, parts: _Elements) -> None:
    """Refuse to count further than there are bytes: an array takes 8 of them at least."""
    if count * 8 > parts.left:
        raise DamagedMat("more arrays than fit into the file")


def _characters(units: NDArray[Any], shape: tuple[int, ...]) -> str | list[str]:
    """Return a text, or a list of the lines of a matrix of characters."""
    encoding = _ENCODINGS.get(units.dtype.str[1:])
    if encoding is None:
        raise DamagedMat("characters of an unknown kind")
    if encoding != "utf-8":
        encoding += "-be" if units.dtype.byteorder == ">" else "-le"
    text = units.tobytes().decode(encoding, "replace")
    rows = shape[0]
    return text if rows <= 1 else [text[row::rows].rstrip() for row in range(min(rows, len(text)))]
