"""Who may ask: requests that name this server by one of its own names, and pages of this server.

A page elsewhere cannot read answers, as browsers keep origins apart; but a name that its owner
turns to 127.0.0.1 (DNS rebinding) would make it the same origin, and a form can be sent anywhere.
So the Host header has to be one of a few names, and whatever computes must not come from another
site (`Origin`, `Sec-Fetch-Site`).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from phosphene.atlas.serving.answers import Refused

_OWN = ("localhost", "127.0.0.1", "[::1]")
_EVERY = ("0.0.0.0", "::", "")


@dataclass(frozen=True)
class Doors:
    """The names that a server goes by.

    Attributes:
        names: Host names and addresses, as they stand in a URL.
        port: The port.
        any_address: Whether every numeric address is one of them, as of a server that listens on
            all: numbers cannot be turned to another machine.
    """

    names: frozenset[str]
    port: int
    any_address: bool = False

    @classmethod
    def of(cls, host: str, port: int) -> Doors:
        """Return the names of a server on a host and port."""
        said = {_in_url(host)} - {""}
        every = host in _EVERY
        if every:
            said = {socket.gethostname().lower()}
        return cls(frozenset({*_OWN, *said}), port, every)

    def check_host(self, given: Sequence[str]) -> str:
        """Return the Host header of a request, its one.

        Raises:
            Refused: There is none, there are several, or it names another host.
        """
        if len(given) != 1:
            raise Refused(400, "a request needs one Host header")
        host = given[0].strip().lower()
        name, port = _split(host)
        if port != self.port or not (name in self.names or (self.any_address and _number(name))):
            raise Refused(
                403,
                "the Host header names another server: open the address that `phosphene serve` "
                "printed (--host NAME serves under another name)",
            )
        return host

    def check_origin(self, host: str, origins: Sequence[str], sites: Sequence[str]) -> None:
        """Make sure that a request that computes was not sent by a page of another site.

        Args:
            host: The Host header, checked.
            origins: The Origin headers; programs other than browsers send none.
            sites: The Sec-Fetch-Site headers, likewise.

        Raises:
            Refused: It was.
        """
        own = {f"http://{host}"}
        if set(map(str.lower, origins)) - own or set(sites) - {"same-origin"}:
            raise Refused(403, "pages of other sites may not ask this server for anything")


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a host."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def url_of(host: str, port: int) -> str:
    """Return the address to open, with a slash at its end."""
    shown = "localhost" if host in _EVERY else _in_url(host)
    return f"http://{shown}:{port}/"


def _in_url(host: str) -> str:
    host = host.lower().strip("[]")
    return f"[{host}]" if ":" in host else host


def _split(host: str) -> tuple[str, int]:
    """Return name and port; -1 for a port that is none."""
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        return host, 80
    return name, int(port) if port.isascii() and port.isdigit() and len(port) < 6 else -1


def _number(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
