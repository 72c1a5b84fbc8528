"""Protobuf's text format, in which Caffe writes networks down.

A message is a list of fields, in any order, each once or many times:

```text
layer {                          # a field holding a message; `layer: { ... }` and `< >` as well
  name: "conv1"                  # text, in either quote; adjacent pieces join: "con" 'v1'
  type: "Convolution"
  convolution_param { num_output: 96  kernel_size: [7, 7]  bias_term: true }
}
```

Separators `,` and `;` may follow a field.

*Reference*: "Text Format Language Specification", protobuf.dev. *Departures*: extension names and
`Any` literals, which Caffe does not use, are refused; a field that the schema allows once may be
repeated, and its last value counts, as it does in the binary format.
"""

from __future__ import annotations

import re
from typing import NoReturn

from phosphene.errors import FormatError
from phosphene.formats.message import TOKEN, Message, Origin, Scalar, Value

_ESCAPE = re.compile(
    rb"\\(?:x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL
)
_LETTERS = dict(zip(b"abfnrtv", b"\a\b\f\n\r\t\v", strict=True))
_CLOSING = {"{": "}", "<": ">"}
_DEEPEST = 64


def parse(text: str, source: str = "<text>") -> Message:
    """Parse a message in protobuf's text format.

    Args:
        text: The message.
        source: What to call the text in errors, such as the file's name.

    Raises:
        FormatError: The text is not in the format; names the line and what was expected there.

    >>> parse("input_dim: [1, 3, 227, 227]  # a comment").wholes("input_dim")
    (1, 3, 227, 227)
    """
    return _Parser(Origin(text, source)).message("", 0)


class _Parser:
    """Recursive descent over the tokens; the empty token marks the end."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.tokens: list[str] = TOKEN.findall(origin.text)
        self.at = 0

    def message(self, closing: str, depth: int) -> Message:
        if depth > _DEEPEST:
            self._expected(f"at most {_DEEPEST} messages within each other")
        opened = self.at
        tokens = self.tokens
        fields: dict[str, list[Value]] = {}
        while (name := tokens[self.at]) != closing:
            if not name.isidentifier():
                inside = f" or the {closing!r} of {self.origin.place(opened)}" if closing else ""
                self._expected(f"a field's name{inside}")
            self.at += 1
            values = fields.setdefault(name, [])
            following = tokens[self.at]
            if following == ":":
                self.at += 1
                following = tokens[self.at]
                if following[:1].isalnum():  # what most values are, without the detour
                    values.append(Scalar(following, False, self.at))
                    self.at += 1
                elif following == "[":
                    self._list(values, depth)
                else:
                    values.append(self._value(depth))
            elif following in _CLOSING:
                values.append(self._value(depth))
            else:
                self._expected(f"':' or '{{' after {name!r}")
            if tokens[self.at] in (",", ";"):
                self.at += 1
        if closing:
            self.at += 1
        return Message(self.origin, opened, fields)

    def _list(self, values: list[Value], depth: int) -> None:
        self.at += 1
        while self.tokens[self.at] != "]":
            values.append(self._value(depth))
            if self.tokens[self.at] == ",":
                self.at += 1
                if self.tokens[self.at] == "]":
                    self._expected("a value after ','")
            elif self.tokens[self.at] != "]":
                self._expected("',' or ']' in a list")
        self.at += 1

    def _value(self, depth: int) -> Value:
        at, token = self.at, self.tokens[self.at]
        if token in _CLOSING:
            self.at += 1
            return self.message(_CLOSING[token], depth + 1)
        if token[:1] in ("'", '"'):
            if len(token) < 2:
                self._expected(f"a closing {token} on the same line")
            pieces = []
            while (token := self.tokens[self.at])[:1] in ("'", '"') and len(token) > 1:
                pieces.append(token[1:-1])
                self.at += 1
            text = "".join(pieces)
            return Scalar(_unescape(text) if "\\" in text else text, True, at)
        if not token or not (token[0].isalnum() or token[0] in "_.+-"):
            self._expected("a value")
        self.at += 1
        return Scalar(token, False, at)

    def _expected(self, what: str) -> NoReturn:
        found = repr(self.tokens[self.at]) if self.tokens[self.at] else "the end of the file"
        raise FormatError(f"{self.origin.place(self.at)}: expected {what}, but found {found}")


def _unescape(text: str) -> str:
    def replace(match: re.Match[bytes]) -> bytes:
        hexadecimal, octal, short, long, letter = match.groups()
        if letter is not None:
            return bytes([_LETTERS.get(letter[0], letter[0])])
        if short or long:
            code = int(short or long, 16)
            return chr(code).encode(errors="replace") if code < 0x110000 else b"?"
        return bytes([(int(hexadecimal, 16) if hexadecimal else int(octal, 8)) & 0xFF])

    return _ESCAPE.sub(replace, text.encode()).decode(errors="replace")
