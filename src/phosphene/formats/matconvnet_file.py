"""What is inside a `.mat` file: structures, cells, text and numbers, each with its place.

Nothing is squeezed, so that a bank of 1x1 filters stays told from a single filter; MATLAB itself
drops trailing axes of size 1, and whoever knows how many there should be puts them back.

*Reference*: "MAT-File Format", The MathWorks, for the header.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import FormatError
from phosphene.formats.matconvnet_mat5 import DamagedMat, Unreadable, read_variables

# All that a network of MatConvNet is made of; whatever else a file holds is not even unpacked.
_VARIABLES = ("layers", "params", "vars", "meta", "normalization", "classes", "net")
_LARGEST = 2**31
_HDF5 = b"\x89HDF\r\n\x1a\n"


class Struct:
    """A structure of MATLAB: fields by name, read as what they are expected to be.

    Args:
        fields: Values as `read_variables` returns them.
        place: Where it is, for messages: `"net.mat: layer 'conv1' (conv)"`.
    """

    def __init__(self, fields: Mapping[str, Any], place: str) -> None:
        self._fields = fields
        self.place = place

    def __contains__(self, name: str) -> bool:
        """Say whether there is such a field, and something in it."""
        return any(True for _ in _items(self._fields.get(name, ())))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its fields."""
        return tuple(self._fields)

    def at(self, place: str) -> Struct:
        """Return the same structure under another place."""
        return Struct(self._fields, place)

    def error(self, problem: str) -> FormatError:
        """Make the error that names this structure's place."""
        return FormatError(f"{self.place} {problem}")

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a field's texts: of a string one, of a cell of strings all."""
        found = []
        for item in _items(self._fields.get(name, ())):
            empty = isinstance(item, np.ndarray) and not item.size
            if not isinstance(item, str) and not empty:
                raise self.error(f"has {_word(item)} in its field {name!r}, where text is needed")
            found.append("" if empty else str(item))
        return tuple(found)

    def text(self, name: str, default: str = "") -> str:
        """Return a field's text."""
        return (*self.texts(name), default)[0] if name in self else default

    def array(self, name: str) -> NDArray[Any]:
        """Return a field's numbers as they lie, of size 0 where there are none."""
        return self._numbers(name, self._fields.get(name, ()))

    def arrays(self, name: str) -> tuple[NDArray[Any], ...]:
        """Return the arrays in a cell, or the one array that is there without a cell."""
        return tuple(self._numbers(name, item) for item in _items(self._fields.get(name, ())))

    def reals(self, name: str, default: Sequence[float] = ()) -> tuple[float, ...]:
        """Return a field's numbers in a row."""
        numbers = self.array(name)
        return tuple(map(float, numbers.ravel("F"))) if numbers.size else tuple(default)

    def wholes(self, name: str, default: Sequence[int] = ()) -> tuple[int, ...]:
        """Return a field's whole numbers in a row; MATLAB keeps them as floats."""
        numbers = self.reals(name, default)
        if any(not float(number).is_integer() or abs(number) > _LARGEST for number in numbers):
            raise self.error(f"has {numbers} in its field {name!r}, where whole numbers are needed")
        return tuple(map(int, numbers))

    def structs(self, name: str) -> tuple[Struct, ...]:
        """Return the structures in a cell or in an array of structures."""
        return tuple(
            Struct(self._fields_of(name, item), f"{self.place}: {name} {index}")
            for index, item in enumerate(_items(self._fields.get(name, ())), 1)
        )

    def struct(self, name: str) -> Struct:
        """Return the structure in a field, an empty one where there is none."""
        # Absent metadata is often written as [] or as 0.
        if not isinstance(self._fields.get(name), list) or name not in self:
            return Struct({}, f"{self.place}: {name}")
        return self.structs(name)[0].at(f"{self.place}: {name}")

    def _fields_of(self, name: str, item: Any) -> dict[str, Any]:
        if isinstance(item, list) and len(item) == 1:
            item = item[0]
        if not isinstance(item, dict):
            raise self.error(f"has {_word(item)} in {name!r}, where structures are needed")
        return item

    def _numbers(self, name: str, value: Any) -> NDArray[Any]:
        if isinstance(value, np.ndarray):
            return value
        if value:
            raise self.error(f"has {_word(value)} in its field {name!r}, where numbers are needed")
        return np.empty(0)


def _word(value: Any) -> str:
    if isinstance(value, Unreadable):
        return value.what
    kinds = {np.ndarray: "numbers", str: "text", dict: "a structure"}
    return kinds.get(type(value), "a cell or structures")


def _items(value: Any) -> Iterator[Any]:
    """Go through a cell or an array of structures; anything else is one item, empty ones none."""
    if isinstance(value, list):
        yield from value
    elif isinstance(value, Unreadable) or len(value):
        yield value


def read_mat(path: Path) -> Struct:
    """Read the variables of a network from a `.mat` file.

    Args:
        path: A file of MATLAB's versions 5 to 7, which SciPy and Octave write as well.

    Raises:
        FormatError: It is missing, damaged, of version 7.3, or something else.
    """
    try:
        with path.open("rb") as file:
            _check_header(path, file.read(1024))
            file.seek(0)
            variables = read_variables(memoryview(file.read()), _VARIABLES)
    except OSError as error:
        raise FormatError(
            f"{path} cannot be read ({error.strerror}); give the .mat file of a network"
        ) from None
    except DamagedMat as error:
        raise FormatError(
            f"{path} is a damaged MATLAB file ({error}); fetch or save it again"
        ) from None
    return Struct(variables, str(path))


def _check_header(path: Path, head: bytes) -> None:
    if head.startswith(_HDF5) or _HDF5 in head[512:520] or head.startswith(b"MATLAB 7.3"):
        raise FormatError(
            f"{path} is a MATLAB file of version 7.3, and only those up to version 7 can be read: "
            f"convert it in MATLAB by `net = load('{path.name}'); save('{path.stem}-v7.mat', "
            f"'-struct', 'net', '-v7')`"
        )
    if not head:
        raise FormatError(f"{path} is empty, and a .mat file is needed; fetch it again")
    if head.startswith(b"version https://git-lfs"):
        raise FormatError(f"{path} is only Git LFS's pointer to the file; run `git lfs pull`")
    if not head.startswith(b"MATLAB 5") and head[126:128] not in (b"IM", b"MI"):
        raise FormatError(
            f"{path} is no MATLAB file: its first bytes are {head[:12]!r}; give the .mat file of a "
            f"network, as MatConvNet saves it"
        )
    if len(head) < 136:
        raise FormatError(f"{path} is cut off after its header; fetch it again")
