"""`phosphene serve`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phosphene.cli import options
from phosphene.cli.grouped import grouped
from phosphene.cli.options import NetworkOptions, say

if TYPE_CHECKING:
    from phosphene.atlas.serving.live import Live
    from phosphene.atlas.serving.server import Server
    from phosphene.atlas.serving.site_units import SiteUnits
    from phosphene.atlas.serving.worker import Worker

HELP = r"""Drop a photograph on a network and see what it sees, on a page of this machine.

The page shows the classes, which pixels made them by three reversed networks,
the strongest units of every layer and what they look at. Given the folder of
an atlas, its pages are served too, and every unit leads to its page there.

[b]Which network[/b]
  phosphene serve MODEL         a network by name or file; the demo if left out
  phosphene serve SITE          an atlas, and its network where its name is known
  phosphene serve SITE -m NET   an atlas, and the network that it was made of

A site names its network, but no file that a site names is ever opened: of a
network in a file, say -m FILE.

[b]Who can see it[/b]
  Only this machine, unless --host says otherwise: 0.0.0.0 is everybody on
  your network. Photographs stay in memory, and are forgotten. Ctrl-C ends.

[b]Examples[/b]
  phosphene serve
  phosphene serve NET.caffemodel --open
  phosphene serve site/ -m NET.caffemodel --port 9000
"""
_SERVER = "The server"


_SiteModel = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="MODEL", rich_help_panel="The network",
                 help="The network of a SITE. " + options.MODEL_HELP,
                 show_default="as the site says"),
]  # fmt: skip


@dataclass(frozen=True)
class Shown(NetworkOptions):
    """The network, which may be left to a site."""

    model: _SiteModel = None  # type: ignore[assignment]


@grouped
def serve(
    what: Annotated[
        str,
        typer.Argument(metavar="SITE|MODEL", help="Folder of an atlas, or a network."),
    ] = "demo",
    host: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Address to listen on; any but this machine's own opens the page to others.",
            rich_help_panel=_SERVER,
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, metavar="N", help="Port; 0 for any that is free.",
            show_default="8765, or the next that is free", rich_help_panel=_SERVER,
        ),
    ] = None,
    open_: Annotated[
        bool,
        typer.Option("--open", help="Open the page in a browser.", rich_help_panel=_SERVER),
    ] = False,
    *,
    network: Shown,
) -> None:  # fmt: skip
    """Drop a photograph on a network and see what it sees, on a page of this machine."""
    from phosphene.atlas.serving.files import SiteFiles
    from phosphene.atlas.serving.server import Server
    from phosphene.atlas.serving.worker import Worker

    folder = Path(what)
    is_site = folder.is_dir()
    if not is_site and network.model is not None:
        raise typer.BadParameter(
            f"{what} is no folder of an atlas, so it is the network: leave --model out"
        )
    files = SiteFiles.of(folder) if is_site else None
    # The port first: a network may take long to open.
    server, worker = Server(host, port), Worker()
    try:
        if files is None:
            server.live = _of_model(what, network, worker)
        else:
            server.live = _of_site(files.root, network, worker)
            server.files = replace(files, live=server.live is not None)
        _announce(server, host, open_)
        server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        say("ended", "dim")
    finally:
        worker.close()
        server.server_close()


def _announce(server: Server, host: str, opens: bool) -> None:
    """Say where the pages are, and who can see them."""
    from phosphene.atlas.serving.doors import is_loopback, url_of

    url = url_of(host, server.server_address[1])
    if not is_loopback(host):
        say(
            f"! --host {host} opens this page to everybody who can reach this machine: there is no "
            "password, and they can have the network compute",
            "yellow",
        )
    if server.files is not None:
        say(f"the atlas: {url}")
    if server.live is not None:
        say(f"drop a photograph: {url}live")
    say("Ctrl-C ends", "dim")
    if opens:
        import webbrowser

        webbrowser.open(url if server.files is not None else f"{url}live")


def _of_model(model: str, network: Shown, worker: Worker) -> Live:
    return _live(replace(network, model=model), worker, None)


def _of_site(root: Path, network: Shown, worker: Worker) -> Live | None:
    """Open the network of a site; `None`, and a word why, where it is not known."""
    from phosphene.atlas.serving.recorded import recorded_model
    from phosphene.atlas.serving.site_units import SiteUnits
    from phosphene.errors import PhospheneError

    site = SiteUnits.of(root)
    if network.model is not None:
        return _live(network, worker, site)
    model = recorded_model(site)
    if not model:
        name = site.facts.get("network", "")
        made = f"a network called {name!r}" if name else "a network that it does not name"
        say(f"! the site is of {made}: say --model for the page to drop photographs on", "yellow")
        return None
    try:
        return _live(replace(network, model=model), worker, site)
    except PhospheneError as error:
        say(f"! no page to drop photographs on: {error}", "yellow")
        return None


def _live(network: Shown, worker: Worker, site: SiteUnits | None) -> Live:
    """Open a network, and run it once, so that what it lacks is told now and here."""
    from phosphene.atlas.serving.live import Live
    from phosphene.atlas.serving.recorded import difference
    from phosphene.atlas.serving.seeing import Seeing

    net = network.open()
    note = difference(site, net) if site is not None else ""
    if note:
        say(f"! {note}", "yellow")
    title = f"Atlas of {site.facts.get('network', net.name)}" if site is not None else ""
    live = Live(Seeing(net, site), worker, title, (note,) if note else ())
    assert live.page
    return live
