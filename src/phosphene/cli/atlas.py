"""`phosphene atlas`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from phosphene.cli import options
from phosphene.cli.columns import in_columns
from phosphene.cli.concept_sets import SCENES, concepts_of
from phosphene.cli.grouped import grouped
from phosphene.cli.options import NetworkOptions, say

if TYPE_CHECKING:
    from phosphene.atlas.gather import Built
    from phosphene.core.network import Network
    from phosphene.survey.dissection.concepts import ConceptSet

HELP = r"""Make a site about all units of a network, to be browsed without a server.

A page for each unit: images that excite it most, its strongest patches with
what made it fire there, the concepts it detects, statistics, and the units that
answer to the same images. A page for each layer with all its units, a drawing
of the network, and a search.

IMAGES are folders of images, lists, tar shards or videos, as for phosphene
survey; demo:N are N drawn scenes, which are taken where the demo network is
shown none.

Interrupted, killed or out of disk, the same command goes on where it stopped.
--limit-units 8 is a first look; the same command without it goes on from there.

[b]Examples[/b]
  phosphene atlas demo -o site/
  phosphene atlas NET.caffemodel --images photos/ -o site/
  phosphene atlas NET.caffemodel --images photos/ -l fire5/concat -o fire5/
  phosphene atlas torchvision:resnet50 --images photos/ --limit-units 8
  phosphene atlas NET.caffemodel --images photos/ --concepts broden1_227/
"""
_WHAT, _HOW, _RESULT = "What to show", "How", "The result"

Network_ = Annotated[
    str | None,
    typer.Argument(metavar="[MODEL]", help="The network; the same as --model.",
                   show_default=False),
]  # fmt: skip
Images = Annotated[
    list[str] | None,
    typer.Option("--images", metavar="IMAGES", rich_help_panel=_WHAT, show_default=False,
                 help="What the network is shown. Repeatable."),
]  # fmt: skip
Layers = Annotated[
    list[str] | None,
    typer.Option("--layer", "-l", metavar="NAME", rich_help_panel=_WHAT,
                 help="Layer, as `phosphene layers` names it. Repeatable.",
                 show_default="the ends of its blocks, else its activations; 12 at most"),
]  # fmt: skip
Limit = Annotated[
    int | None,
    typer.Option("--limit-units", min=1, metavar="N", rich_help_panel=_WHAT,
                 help="Units of each layer, at most, evenly over them.", show_default="all"),
]  # fmt: skip
Top = Annotated[
    int,
    typer.Option(min=1, metavar="N", rich_help_panel=_WHAT,
                 help="Strongest patches of each unit."),
]  # fmt: skip
Rules = Annotated[
    list[str] | None,
    typer.Option("--rule", "-r", metavar="RULE", rich_help_panel=_WHAT, show_default="deconvnet",
                 help="Reversed network beside the patches: deconvnet, guided, saliency, ...; or "
                 "none. Repeatable."),
]  # fmt: skip
Concepts = Annotated[
    str | None,
    typer.Option(metavar="CONCEPTS", rich_help_panel=_WHAT,
                 show_default="the colors of IMAGES; of drawn scenes all that is in them",
                 help="What to look for in the units: a Broden directory, photographs (with "
                 "frames/ and masks/ inside, what is in front), demo:N, colors, or none."),
]  # fmt: skip
Maximise = Annotated[
    Literal["quick", "fine", "none"],
    typer.Option(rich_help_panel=_HOW, help="How to find the images that excite units most."),
]
Seeds = Annotated[
    int, typer.Option(min=1, metavar="N", rich_help_panel=_HOW, help="How many of each unit.")
]
Workers = Annotated[
    int,
    typer.Option(min=1, metavar="N", rich_help_panel=_HOW,
                 help="Processes that share the images."),
]  # fmt: skip
Out = Annotated[
    Path,
    typer.Option("--out", "-o", metavar="SITE", rich_help_panel=_RESULT, help="Folder to write."),
]


@grouped
def atlas(
    net: Network_ = None,
    images: Images = None,
    layer: Layers = None,
    limit: Limit = None,
    top: Top = 9,
    rule: Rules = None,
    concepts: Concepts = None,
    maximise: Maximise = "quick",
    seeds: Seeds = 2,
    batch: options.Batch = 16,
    workers: Workers = 1,
    out: Out = Path("atlas"),
    json: options.AsJson = False,
    *,
    network: NetworkOptions,
) -> None:
    """Make a site about all units of a network."""
    network = _named(net, network)
    if not images and network.model != "demo":
        raise typer.BadParameter(
            "say what the network is shown: --images FOLDER (some hundreds or more are best)"
        )
    shown = images or [f"demo:{SCENES}"]
    from phosphene.atlas.gather import build
    from phosphene.cli.progress import in_stages
    from phosphene.survey.images import open_images

    given = open_images(shown)
    opened = network.open()
    try:
        with in_stages("opening") as tick:
            found = build(
                opened, given, out, layers=layer, count=top, maximise=maximise, seeds=seeds,
                rules=_rules(rule), dissect=_concepts(concepts, shown, opened), limit=limit,
                batch=batch, workers=workers, reopen=network.reopen, tick=tick,
            )  # fmt: skip
    except KeyboardInterrupt:
        say("interrupted; the same command goes on from here", "yellow")
        raise typer.Exit(130) from None
    _report(found, json)
    if found.failed:
        raise typer.Exit(1)


def _named(net: str | None, network: NetworkOptions) -> NetworkOptions:
    """Take the network from the argument or the option."""
    if net is None:
        return network
    if network.model not in ("demo", net):
        raise typer.BadParameter(f"two networks are named, {net} and {network.model}: give one")
    return replace(network, model=net)


def _rules(given: list[str] | None) -> list[str]:
    rules = given or ["deconvnet"]
    if "none" in rules and len(rules) > 1:
        raise typer.BadParameter("--rule none goes with no other rule")
    return [] if rules == ["none"] else rules


def _concepts(text: str | None, shown: list[str], net: Network) -> bool | ConceptSet:
    """Open what is to be looked for in the units."""
    size = net.preprocessing.input_size
    first = shown[0]
    if text is None and len(shown) == 1 and first.startswith("demo") and not Path(first).exists():
        text = first
    if text in (None, "colors", "none"):
        return text != "none"
    assert text is not None
    scenes = (max(size[0], 32), max(size[1], 32))
    return concepts_of(text, scenes=scenes, photographs=size)


def _report(found: Built, json: bool) -> None:
    layers = found.atlas.layers
    if json:
        told = {
            "page": str(found.page),
            "layers": {layer.name: len(layer.units) for layer in layers},
            "failed": found.failed,
            "warnings": list(found.atlas.warnings),
        }
        options.print_json(told)
        return
    rows = [("layer", "units", "dead", "detectors", "best")]
    for layer in layers:
        best = [unit.concepts[0] for unit in layer.units if unit.concepts]
        detected = sorted((c for c in best if c.detector), key=lambda c: -c.iou)
        dead = sum("dead" in unit.flags for unit in layer.units)
        told_best = f"{detected[0].name} {detected[0].iou:.3f}" if detected else ""
        counted = f"{len(detected)}" if best else ""
        rows.append((layer.name, f"{len(layer.units)}", f"{dead}", counted, told_best))
    for line in in_columns(rows, right=(1, 2, 3)):
        say(line)
    for name, why in list(found.failed.items())[:20]:
        say(f"! {name}: {why}", "yellow")
    for warning in found.atlas.warnings:
        say(f"! {warning}", "yellow")
    say(f"{sum(len(layer.units) for layer in layers)} units: open {found.page}")
