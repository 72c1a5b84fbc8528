"""`phosphene demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phosphene.cli import options


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the report goes.")] = Path(
        "phosphene-demo.html"
    ),
    device: options.Device = "cpu",
) -> None:
    """Explain the small network that comes with phosphene, and write a report to open.

    The network was trained on generated scenes; the report shows what three reversed networks
    say of a dozen of them, what all eight architectures of the papers say of one, and how the
    signal looks from each layer.
    """
    from phosphene.cli.progress import tracked
    from phosphene.core.rules import ARCHITECTURES
    from phosphene.saliency.explain import explain
    from phosphene.view import save
    from phosphene.zoo.demo import demo_scenes

    network = options.open_model("demo", device=device)
    scenes = [scene.image for scene in demo_scenes()]
    layers = [name for name in ("conv1", "conv2", "conv3", "conv4", "conv5") if name]
    with tracked("explaining", 2 + len(layers)) as step:
        panels = [explain(network, scenes).panel()]
        step()
        panels.append(explain(network, scenes[0], rules=ARCHITECTURES).panel())
        step()
        for layer in layers:
            panels.append(explain(network, scenes[0], layer=layer).panel())
            step()
    path = save(panels, out)
    options.errors.print(f"open {path.resolve()}", soft_wrap=True, markup=False)
