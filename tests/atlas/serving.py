"""Servers for tests, on free ports, and plain HTTP to talk to them."""

from __future__ import annotations

import http.client
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from phosphene.atlas.serving.files import SiteFiles
from phosphene.atlas.serving.live import Live
from phosphene.atlas.serving.seeing import Seeing
from phosphene.atlas.serving.server import Server
from phosphene.atlas.serving.site_units import SiteUnits
from phosphene.atlas.serving.worker import Worker
from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing

LAYERS = ("conv1", "fire2/concat", "fire3/concat")


@dataclass(frozen=True)
class Reply:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def network(labels: tuple[str, ...] = ("cat, house cat", "dog", "robin", "fish")) -> Network:
    """Make a network whose layers go by the names of the drawn atlas."""
    torch.manual_seed(0)
    module = nn.Sequential()
    channels = 3
    for name, stride in zip(LAYERS, (2, 1, 1), strict=True):
        module.add_module(name, nn.Conv2d(channels, 12, 3, stride=stride, padding=1))
        module.add_module(f"{name} relu", nn.ReLU())
        channels = 12
    module.add_module("scores", nn.Conv2d(12, len(labels), 3, stride=2))
    return Network(module, Preprocessing((16, 16)), labels, "a test network")


def photograph(seed: int = 0, size: tuple[int, int] = (24, 32), kind: str = "PNG") -> bytes:
    """Make a file of a photograph."""
    pixels = np.random.default_rng(seed).integers(0, 255, (*size, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


@dataclass
class Running:
    """A server that runs."""

    server: Server
    live: Live | None

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """Send a request; headers of the value "" are left out."""
        given = {"Host": f"127.0.0.1:{self.port}", **(headers or {})}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            data = body.encode() if isinstance(body, str) else body
            if data is not None and "Content-Length" not in given:
                given["Content-Length"] = str(len(data))
            for name, value in given.items():
                if value:
                    connection.putheader(name, value)
            connection.endheaders(data)
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def question(self, path: str, headers: dict[str, str] | None = None, **asked: Any) -> Reply:
        """Ask something as JSON."""
        kind = {"Content-Type": "application/json", **(headers or {})}
        return self.ask(path, "POST", json.dumps(asked), kind)

    def drop(self, data: bytes | None = None, **headers: str) -> Reply:
        """Send a photograph."""
        kind = {"Content-Type": "image/png", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self.ask("/live/photographs", "POST", photograph() if data is None else data, kind)


@contextmanager
def running(
    site: Path | None = None, net: Network | None = None, waiting: int = 8, host: str = "127.0.0.1"
) -> Iterator[Running]:
    """Serve a site, a network, or both, on a free port."""
    worker = Worker(waiting)
    files = SiteFiles.of(site) if site else None
    live = None
    if net is not None:
        units = SiteUnits.of(files.root) if files else None
        live = Live(Seeing(net, units), worker, "A test atlas" if files else "")
        if files:
            files = replace(files, live=True)
    server = Server(host, 0, files=files, live=live)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Running(server, live)
    finally:
        server.shutdown()
        thread.join()
        worker.close()
        server.server_close()
