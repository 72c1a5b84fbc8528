"""What comes in, and what is made of it: a request's body with every part checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from phosphene.atlas.serving.answers import Refused

LARGEST_PHOTOGRAPH = 32 * 2**20
LARGEST_QUESTION = 2**16
_LONGEST_NAME = 500


@dataclass(frozen=True)
class Request:
    """A request whose sender has been checked.

    Attributes:
        method: `GET`, `HEAD` or `POST`.
        path: As it came, quoted, without the query.
        kind: Its content type, without parameters, in small letters.
        read: Reads the body, of at most so many bytes, and raises `Refused` where it is larger,
            shorter than it says, or does not say how long it is.
        asked_range: The Range header.
    """

    method: str
    path: str
    kind: str
    read: Callable[[int], bytes]
    asked_range: str | None = None

    def photograph(self) -> bytes:
        """Return the body of a photograph.

        Raises:
            Refused: It is of no kind of image, or too large.
        """
        # What forms of other sites could send is none of these.
        if not (self.kind.startswith("image/") or self.kind == "application/octet-stream"):
            raise Refused(
                415, "send the bytes of a photograph, as image/jpeg or application/octet-stream"
            )
        return self.read(LARGEST_PHOTOGRAPH)

    def question(self, known: frozenset[str]) -> dict[str, Any]:
        """Return the body as JSON: an object of known parts.

        Raises:
            Refused: It is something else.
        """
        if self.kind != "application/json":
            raise Refused(415, "send a question as application/json")
        try:
            asked = json.loads(self.read(LARGEST_QUESTION).decode("utf-8"))
        except (ValueError, RecursionError):
            raise Refused(400, "the question is no JSON") from None
        if not isinstance(asked, dict) or set(asked) != known:
            parts = ", ".join(sorted(known))
            raise Refused(400, f"a question here is a JSON object of {parts}")
        return asked


def text(value: Any, what: str) -> str:
    """Return a text that is not too long.

    Raises:
        Refused: It is none.
    """
    if not isinstance(value, str) or len(value) > _LONGEST_NAME:
        raise Refused(400, f"{what} has to be a text of at most {_LONGEST_NAME} characters")
    return value


def number(value: Any, what: str) -> int:
    """Return a whole number from 0 on.

    Raises:
        Refused: It is none.
    """
    if type(value) is not int or not 0 <= value < 2**31:
        raise Refused(400, f"{what} has to be a whole number from 0 on")
    return value


def texts(value: Any, what: str, most: int = 64) -> list[str]:
    """Return a list of texts, each once.

    Raises:
        Refused: It is none, or too long.
    """
    if not isinstance(value, list) or len(value) > most:
        raise Refused(400, f"{what} has to be a list of at most {most} texts")
    return list(dict.fromkeys(text(entry, what) for entry in value))
