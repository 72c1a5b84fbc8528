"""What the server answers with: bytes of a kind, or a refusal in one sentence.

Every answer says that nobody may frame it, guess another kind, load it from elsewhere, or learn
where a reader came from. Pages may run scripts and show pictures of this server alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_AT_HOME = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
NOTHING_POLICY = f"default-src 'none'; {_AT_HOME}"
"""For what is no page."""
SITE_POLICY = (
    "default-src 'none'; img-src 'self'; script-src 'self'; style-src 'self'; "
    f"style-src-attr 'unsafe-inline'; {_AT_HOME}"
)
"""For pages of a site: as they say themselves, and they may not ask the network anything."""
LIVE_POLICY = (
    "default-src 'none'; img-src 'self' data:; script-src 'self'; style-src 'self'; "
    f"connect-src 'self'; {_AT_HOME}"
)
"""For the live page: results come as pictures inside JSON."""

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""Headers of every answer."""

NO_STORE = {"Cache-Control": "no-store"}
HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    """What goes back.

    Attributes:
        body: The bytes.
        kind: Their content type.
        status: The HTTP status.
        policy: The Content-Security-Policy.
        headers: More headers.
    """

    body: bytes
    kind: str
    status: int = 200
    policy: str = NOTHING_POLICY
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A request that is not answered.

    Attributes:
        status: The HTTP status.
        sentence: Why, and what to do.
        headers: More headers.
    """

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None):
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = dict(headers or {})

    def answer(self) -> Answer:
        """Return it as JSON."""
        return as_json({"error": self.sentence}, self.status, self.headers)


def as_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return a value as JSON that nothing keeps."""
    body = json.dumps(value, allow_nan=False).encode()
    return Answer(body, "application/json", status, headers={**NO_STORE, **(headers or {})})
