"""A protobuf message as its text states it: fields with their values still unread.

The text format says what is a message and what is text, but not whether `96` is whole, `1` a flag
or `MAX` an enum's entry: only whoever asks knows. So values stay as written until one of the typed
getters of `Message` is called, and a value that does not fit is reported with its file and line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, NoReturn, TypeVar

from phosphene.errors import FormatError

# Blanks and comments, then one token: a string, a word or number, any other single character.
# The repeats are possessive, so that no input can make the matcher backtrack.
TOKEN = re.compile(
    r"""(?:\s++|\#[^\n]*+)*+
        ( "(?:[^"\\\n]|\\.)*+" | '(?:[^'\\\n]|\\.)*+' | [\w.+-]++ | [^\s] | \Z )""",
    re.VERBOSE,
)

_T = TypeVar("_T")


class Origin(NamedTuple):
    """A text and where it came from."""

    text: str
    source: str

    def place(self, index: int) -> str:
        """Return `"file, line n"` for the token of this index (found again, as errors are rare)."""
        offset = 0
        for count, match in enumerate(TOKEN.finditer(self.text)):
            offset = match.start(1)
            if count == index:
                break
        return f"{self.source}, line {self.text.count(chr(10), 0, offset) + 1}"


class Scalar(NamedTuple):
    """A value as written: its text, whether it stood in quotes, and which token it was."""

    text: str
    quoted: bool
    token: int


class Message:
    """A read-only mapping from a field's name to its values, in the order written.

    The getters in the singular return the last value, or `default` where there is none; without a
    default a missing field is an error. Those in the plural return all values, possibly none.
    All raise `FormatError`, with file and line, where a value cannot be read as asked.

    >>> from phosphene.formats.prototxt import parse
    >>> layer = parse('name: "pool1" pooling_param { pool: MAX kernel_size: 3 }')
    >>> layer.text("name"), layer.message("pooling_param").whole("kernel_size")
    ('pool1', 3)
    >>> layer.message("pooling_param").whole("stride", 1)
    1
    """

    __slots__ = ("_fields", "_index", "_origin")

    def __init__(self, origin: Origin, index: int, values: dict[str, list[Value]]) -> None:
        """Wrap the values of a message.

        Args:
            origin: The text that the message stands in.
            index: Which of the text's tokens the message begins with.
            values: Each field's values, in order.
        """
        self._fields = values
        self._origin = origin
        self._index = index

    def __getitem__(self, field: str) -> tuple[Value, ...]:
        return tuple(self._fields[field])

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __contains__(self, field: object) -> bool:
        return field in self._fields

    def __len__(self) -> int:
        return len(self._fields)

    @property
    def place(self) -> str:
        """File and line at which the message begins."""
        return self._origin.place(self._index)

    def texts(self, field: str) -> tuple[str, ...]:
        """Return all values of a field as text: strings without their quotes, words as they are."""
        return self._read(field, "a text", lambda scalar: scalar.text)

    def text(self, field: str, default: str | None = None) -> str:
        """Return a field as text."""
        return self._last(field, self.texts(field), default)

    def wholes(self, field: str) -> tuple[int, ...]:
        """Return all values of a field as whole numbers."""
        return self._read(field, "a whole number", _whole)

    def whole(self, field: str, default: int | None = None) -> int:
        """Return a field as a whole number."""
        return self._last(field, self.wholes(field), default)

    def reals(self, field: str) -> tuple[float, ...]:
        """Return all values of a field as numbers."""
        return self._read(field, "a number", _real)

    def real(self, field: str, default: float | None = None) -> float:
        """Return a field as a number."""
        return self._last(field, self.reals(field), default)

    def flag(self, field: str, default: bool | None = None) -> bool:
        """Return a field as a truth value."""
        return self._last(field, self._read(field, "true or false", _flag), default)

    def messages(self, field: str) -> tuple[Message, ...]:
        """Return all messages of a field."""
        values = self._fields.get(field, [])
        for value in values:
            if isinstance(value, Scalar):
                self._refuse(value, field, "a message in braces")
        return tuple(value for value in values if isinstance(value, Message))

    def message(self, field: str) -> Message:
        """Return the message of a field, or an empty one, whose getters give their defaults."""
        values = self.messages(field)
        return values[-1] if values else Message(self._origin, self._index, {})

    def _read(self, field: str, wanted: str, convert: Callable[[Scalar], _T]) -> tuple[_T, ...]:
        values = []
        for value in self._fields.get(field, ()):
            if isinstance(value, Message):
                raise FormatError(f"{value.place}: {field} should be {wanted}, but is a message")
            try:
                values.append(convert(value))
            except ValueError:
                self._refuse(value, field, wanted)
        return tuple(values)

    def _refuse(self, value: Scalar, field: str, wanted: str) -> NoReturn:
        place = self._origin.place(value.token)
        raise FormatError(f"{place}: {field} should be {wanted}, but is {value.text!r}")

    def _last(self, field: str, values: tuple[_T, ...], default: _T | None) -> _T:
        if values:
            return values[-1]
        if default is None:
            raise FormatError(f"{self.place}: the field {field!r} is missing from this message")
        return default


Value = Scalar | Message


def _whole(scalar: Scalar) -> int:
    if scalar.quoted or "_" in scalar.text:
        raise ValueError(scalar.text)
    digits = scalar.text.lstrip("-")
    octal = len(digits) > 1 and digits[0] == "0" and digits.isdigit()
    return int(scalar.text, 8 if octal else 0)


def _real(scalar: Scalar) -> float:
    if scalar.quoted or "_" in scalar.text:
        raise ValueError(scalar.text)
    try:
        return float(scalar.text)
    except ValueError:
        if scalar.text[-1:] not in ("f", "F"):
            raise
        return float(scalar.text[:-1])


def _flag(scalar: Scalar) -> bool:
    if scalar.quoted or scalar.text not in _FLAGS:
        raise ValueError(scalar.text)
    return _FLAGS[scalar.text]


_FLAGS = {"true": True, "True": True, "t": True, "1": True} | {
    "false": False, "False": False, "f": False, "0": False,
}  # fmt: skip
