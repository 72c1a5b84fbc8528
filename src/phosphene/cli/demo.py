"""`phosphene demo`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from phosphene.cli import options
from phosphene.cli.options import say
from phosphene.cli.outputs import Output

if TYPE_CHECKING:
    from phosphene.core.network import Network
    from phosphene.panel import Panel

HELP = r"""Explain the small network that comes with phosphene, and write a report to open.

It was trained on drawn scenes. The report shows what three reversed networks
say of a dozen of them, what all eight architectures of the papers say of one,
and how the signal looks from each layer.

[b]Example[/b]
  phosphene demo
"""
_LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5")


def demo(
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", metavar="OUT", help="OUT.html for a page, OUT.png, or OUT/ for a folder."
        ),
    ] = "phosphene-demo.html",
    device: options.Device = "auto",
) -> None:
    """Explain the small network that comes with phosphene, and write a report to open."""
    from phosphene.cli.progress import tracked
    from phosphene.view import save

    with Output(out) as output:
        network = options.open_model("demo", device=device)
        panels = []
        with tracked("explaining", 3) as step:
            for panel in _report(network):
                panels.append(panel)
                step()
        assert output.path is not None
        place = save(panels, output.path)
        say(f"{len(panels)} chapters: open {place}")


def _report(network: Network) -> Iterator[Panel]:
    from phosphene.core.rules import ARCHITECTURES
    from phosphene.panel import Panel
    from phosphene.saliency.explain import explain
    from phosphene.zoo.demo import demo_scenes

    scenes = demo_scenes()
    names = tuple(f"scene {i}" for i in range(1, len(scenes) + 1))
    images = [scene.image for scene in scenes]
    many = replace(explain(network, images), names=names)
    yield replace(many.panel(), title="What made the network see this?")
    eight = replace(explain(network, images[0], rules=ARCHITECTURES), names=names[:1])
    yield replace(eight.panel(), title="Eight ways to reverse a network")
    depths = [replace(explain(network, images[0], layer=name), names=(name,)) for name in _LAYERS]
    rows = [row for depth in depths for row in depth.panel().rows]
    facts = {**depths[-1].facts, "layer": ", ".join(_LAYERS)}
    facts.pop("census", None)
    yield Panel("The strongest unit of each layer", tuple(rows), facts)
