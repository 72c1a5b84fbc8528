"""The server: HTTP as Python's standard library speaks it, every request checked before it is read.

Many threads take requests, one computes (`worker`). Connections that say nothing are closed after
a while, and of photographs only a few are read at a time.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import sys
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from phosphene.atlas.serving.answers import ALWAYS, Answer, Refused
from phosphene.atlas.serving.doors import Doors
from phosphene.atlas.serving.files import SiteFiles, part_of
from phosphene.atlas.serving.live import Live
from phosphene.atlas.serving.requests import Request
from phosphene.errors import OutputError

PORT = 8765
_TRIED = 20
"""So many ports from the usual one on are tried."""
_SILENCE = 30.0
"""Seconds after which a connection that says nothing is closed."""
_READ_AT_ONCE = 4
_DRAINED, _PATIENCE = 2**26, 2.0
"""Bytes, and seconds between them, that are taken in of a body that was refused."""
_METHODS = ("GET", "HEAD", "POST")


class Server(ThreadingHTTPServer):
    """Serves a site, a live page, or both.

    Args:
        host: Name or address to listen on.
        port: The port; 0 for any, `None` for `PORT` or the next that is free.
        files: The site.
        live: The live page.

    Attributes:
        doors: The names it goes by.

    Raises:
        OutputError: It cannot listen there.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int | None = None,
        *,
        files: SiteFiles | None = None,
        live: Live | None = None,
    ) -> None:
        self.files = files
        self.live = live
        self.reading = threading.BoundedSemaphore(_READ_AT_ONCE)
        self._bind(host, port)
        self.doors = Doors.of(host, self.server_address[1])

    def _bind(self, host: str, port: int | None) -> None:
        ports = range(PORT, PORT + _TRIED) if port is None else (port,)
        try:
            family = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][0]
        except (OSError, UnicodeError) as error:
            raise OutputError(
                f"there is no host {host!r} to serve on ({error}): leave --host out for this "
                "machine alone"
            ) from None
        self.address_family = family
        last: OSError | None = None
        for number in ports:
            try:
                super().__init__((host, number), Handler)
                return
            except OverflowError:
                raise OutputError(f"{number} is no port: give 0 to 65535") from None
            except OSError as error:
                last = error
        assert last is not None
        wanted = str(port) if port is not None else f"{PORT} to {PORT + _TRIED - 1}"
        raise OutputError(
            f"{host} port {wanted} cannot be listened on ({last.strerror or last}): give another "
            "--port, or 0 for any"
        ) from None

    def server_bind(self) -> None:
        """Take the address without asking for the machine's name, which may take long."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over connections that broke; what else goes wrong is told on standard error."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            traceback.print_exc()


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of a connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = _SILENCE
    _body_left = False

    def version_string(self) -> str:
        """Say what serves, and no versions."""
        return "phosphene"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of requests."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what could not even be read as a request."""
        self.close_connection = True
        self.request_version = self.protocol_version  # for a head to be sent
        if code == 501:  # the library's word for methods it was not told of
            code, message = 405, "this server answers to GET, HEAD and POST"
        refused = Refused(code, message or "this is no request", {"Allow": ", ".join(_METHODS)})
        self._send(refused.answer())

    def do_GET(self) -> None:
        """Answer a request."""
        self._handle()

    do_HEAD = do_POST = do_GET

    def _handle(self) -> None:
        self._body_left = "content-length" in self.headers or "transfer-encoding" in self.headers
        try:
            answer = self._answer()
        except Refused as refused:
            answer = refused.answer()
        except ConnectionError:
            raise
        except Exception:
            traceback.print_exc()
            said = "something went wrong here; what it was stands in the terminal"
            answer = Refused(500, said).answer()
        # What was not read would be taken for the next request.
        self.close_connection = self.close_connection or self._body_left
        self._send(answer)

    def _answer(self) -> Answer:
        host = self.server.doors.check_host(self.headers.get_all("Host", []))
        if not self.path.startswith("/"):
            raise Refused(400, "ask for a path of this server")
        path = self.path.partition("#")[0].partition("?")[0]
        live, files = self.server.live, self.server.files
        ours = live is not None and (path == "/live" or path.startswith("/live/"))
        allowed = live.methods(path) if ours and live is not None else ("GET", "HEAD")
        if self.command not in allowed:
            said = f"{path[:200]} answers to {' and '.join(allowed)}"
            raise Refused(405, said, {"Allow": ", ".join(allowed)})
        if self.command == "POST":
            origins = self.headers.get_all("Origin", [])
            sites = self.headers.get_all("Sec-Fetch-Site", [])
            self.server.doors.check_origin(host, origins, sites)
        request = Request(
            self.command,
            path,
            self.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
            self._read,
            self.headers.get("Range"),
        )
        if ours and live is not None:
            return live.post(request) if request.method == "POST" else live.get(path)
        if path == "/favicon.ico":  # which browsers ask for by themselves
            return Answer(b"", "image/x-icon", 204)
        if files is not None:
            return part_of(files.answer(path), request.asked_range)
        if path == "/" and live is not None:
            return Answer(b"", "text/plain", 303, headers={"Location": "/live"})
        raise Refused(404, "there is no such page here")

    def _read(self, most: int) -> bytes:
        """Read the body."""
        said = self.headers.get_all("Content-Length", [])
        length = said[0].strip() if len(said) == 1 else ""
        if "transfer-encoding" in self.headers or not (length.isascii() and length.isdigit()):
            raise Refused(411, "a body has to say how long it is (Content-Length)")
        if len(length) > 15 or int(length) > most:
            whole = most // 2**20
            size = f"{whole} MB" if whole else f"{most // 2**10} KB"
            raise Refused(413, f"at most {size} are taken: shrink the photograph first")
        if not self.server.reading.acquire(blocking=False):
            raise Refused(
                503, "too many photographs are coming in: try again in a moment",
                {"Retry-After": "5"},
            )  # fmt: skip
        try:
            body = self.rfile.read(int(length))
        except TimeoutError:
            raise Refused(408, "the body did not come: send it again") from None
        finally:
            self.server.reading.release()
        if len(body) < int(length):
            raise Refused(400, "the body ended before its end: send it again")
        self._body_left = False
        return body

    def _send(self, answer: Answer) -> None:
        # Whoever has gone away needs no answer.
        with contextlib.suppress(ConnectionError, TimeoutError):
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body)))
            self.send_header("Content-Security-Policy", answer.policy)
            if answer.status == 200 and answer.headers.get("Cache-Control") == "no-cache":
                self.send_header("Accept-Ranges", "bytes")
            for name, value in {**ALWAYS, **answer.headers}.items():
                self.send_header(name, value)
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)
            if self._body_left:
                self._drain()

    def _drain(self) -> None:
        """Take in some of what was not read: a connection cut off at once loses the answer too."""
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(_PATIENCE)
        left = _DRAINED
        while left > 0 and (some := len(self.rfile.read1(2**16))):
            left -= some
