"""`phosphene survey`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phosphene.cli import options
from phosphene.cli.grouped import grouped
from phosphene.cli.options import NetworkOptions, say

if TYPE_CHECKING:
    from phosphene.core.network import Network
    from phosphene.panel import Panel
    from phosphene.survey.images import ImageSet
    from phosphene.survey.store import Survey
    from phosphene.survey.sweep import Swept

HELP = r"""Find what every unit of a network answers to, over as many images as there are.

One pass over all images records all layers: the strongest images of every
unit and where on them, how much and how often it is active, the value that
only 1 in 200 of its positions lies above, and which units answer alike.

IMAGES are any number of
  photos/             folders of images, and of folders of them
  list.txt            lists, one path a line
  x-{000..009}.tar    tar shards as webdataset writes them, or a folder of them
  film.mp4            videos (--every-nth 10 takes every tenth frame)
  demo, demo:500      the demo network's dozen scenes, or 500 others

The folder gets survey.json and survey.safetensors (all that was found),
units.csv (a line for each unit), and in index.html some units of each layer
with their strongest patches, as figure 2 of Zeiler & Fergus has them. Interrupted, killed or out of
disk, the same command goes on where it stopped, with any number of workers.

[b]Examples[/b]
  phosphene survey demo:500 -m demo -o survey/
  phosphene survey photos/ -m NET.caffemodel -l fire5/concat -o survey/
  phosphene survey train-{0000..1281}.tar -m torchvision:resnet50 --workers 8
  phosphene survey films/ -m my.py:net --every-nth 25 --json
"""
_GRID = 9
"""Patches of a unit that a picture shows, at most."""
_WHAT, _HOW, _RESULT = "What to survey", "How", "The result"

Images = Annotated[list[str], typer.Argument(metavar="IMAGES", help="See above.")]
Layers = Annotated[
    list[str] | None,
    typer.Option("--layer", "-l", metavar="NAME", rich_help_panel=_WHAT,
                 help="Layer, as `phosphene layers` names it. Repeatable.",
                 show_default="the ends of its blocks, else its activations; 12 at most"),
]  # fmt: skip
EveryNth = Annotated[
    int,
    typer.Option(min=1, metavar="N", rich_help_panel=_WHAT,
                 help="Of how many frames of a video one is taken."),
]  # fmt: skip
Member = Annotated[
    str,
    typer.Option(metavar="SUFFIX", rich_help_panel=_WHAT,
                 help="Which image of a sample in a tar, if it has several: jpg, seg.png."),
]  # fmt: skip
Top = Annotated[
    int,
    typer.Option("--top", "-n", min=1, metavar="N", rich_help_panel=_HOW,
                 help="Strongest images to keep of every unit."),
]  # fmt: skip
Exact = Annotated[
    bool,
    typer.Option("--exact", rich_help_panel=_HOW,
                 help="Find quantiles from all positions, not from a sample; some units may need a "
                 "second pass."),
]  # fmt: skip
Whole = Annotated[
    bool,
    typer.Option("--whole", rich_help_panel=_HOW,
                 help="Show the network whole photographs, not their centre crops."),
]  # fmt: skip
Workers = Annotated[
    int,
    typer.Option(min=1, metavar="N", rich_help_panel=_HOW,
                 help="Processes, or GPUs, that share the images (Lightning Fabric)."),
]  # fmt: skip
Every = Annotated[
    float,
    typer.Option(min=0.001, metavar="SECONDS", rich_help_panel=_HOW,
                 help="Time between two states on disk."),
]  # fmt: skip
Shown = Annotated[
    int,
    typer.Option(min=0, metavar="N", rich_help_panel=_RESULT,
                 help="Units of each layer to show with their strongest patches, evenly over those "
                 "that answer to anything; 0 for none."),
]  # fmt: skip
Rule = Annotated[
    str,
    typer.Option("--rule", "-r", metavar="RULE", rich_help_panel=_RESULT,
                 help="Reversed network beside the patches: deconvnet, guided, saliency, ..."),
]  # fmt: skip


@grouped
def survey(
    images: Images,
    layer: Layers = None,
    every_nth: EveryNth = 1,
    member: Member = "",
    top: Top = 9,
    exact: Exact = False,
    whole: Whole = False,
    batch: options.Batch = 16,
    workers: Workers = 1,
    every: Every = 120.0,
    shown: Shown = 6,
    rule: Rule = "deconvnet",
    out: options.OutFolder = Path("survey"),
    json: options.AsJson = False,
    *,
    network: options.NetworkOptions,
) -> None:
    """Find what every unit of a network answers to, over as many images as there are."""
    from phosphene.survey.choice import default_layers
    from phosphene.survey.images import open_images

    given = open_images(images, every_nth=every_nth, member=member)
    net = network.open()
    layers = tuple(layer) if layer else default_layers(net)
    if not layer:
        say(f"surveying {', '.join(layers)} (--layer takes others)", "dim")
    how = {
        "batch": batch, "whole": whole, "every": every, "workers": workers,
        "reopen": network.reopen,
    }  # fmt: skip
    swept = _swept(net, given, _collectors(net, layers, top, exact), out, how, "surveying")
    found = _finished(net, given, swept, out, network)
    if found is None:
        return
    if exact:
        _again(net, given, found, how)
    pictures = _pictures(net, given, found, shown, rule, whole) if shown else []
    _report(found, pictures, rule, json)


def _collectors(net: Network, layers: tuple[str, ...], top: int, exact: bool) -> dict[str, Any]:
    from phosphene.survey.correlation import Correlation
    from phosphene.survey.quantiles import Quantiles
    from phosphene.survey.statistics import Statistics, bounds_of
    from phosphene.survey.top_patches import TopPatches

    return {
        "statistics": Statistics(layers, bounds_of(net, layers)),
        "top patches": TopPatches(layers, top),
        "quantiles": Quantiles(layers, exact=exact),
        "correlation": Correlation(layers),
    }


def _swept(
    net: Network,
    images: ImageSet,
    collectors: dict[str, Any],
    folder: Path,
    how: dict[str, Any],
    what: str,
) -> Swept:
    """Sweep with a progress bar; end the command where it is interrupted."""
    from phosphene.cli.progress import swept_over
    from phosphene.survey.sweep import sweep

    with swept_over(what) as tick:
        swept = sweep(net, images, collectors, folder=folder, tick=tick, **how)
    if swept.interrupted:
        done = swept.count + len(swept.failed)
        total = f" of {images.count}" if images.count is not None else ""
        say(f"interrupted after {done}{total} images; the same command goes on from here", "yellow")
        raise typer.Exit(130)
    return swept


def _finished(
    net: Network, images: ImageSet, swept: Swept, out: Path, network: NetworkOptions
) -> Survey | None:
    """Store what was found; of several processes the first does."""
    from phosphene.errors import ImageError
    from phosphene.survey.store import store
    from phosphene.training.launching import leads

    if not leads():
        return None
    for name, why in list(swept.failed.items())[:20]:
        say(f"! {name}: {why}", "yellow")
    if not swept.count:
        raise ImageError(f"none of the images of {images.name} could be read")
    origin = {name: str(value) for name, value in network.origin(net).items()}
    chosen = {name: str(v) for name, v in vars(network).items() if v is not None}
    return store(out, swept, net, images, {"origin": origin, "network": chosen})


def _again(net: Network, images: ImageSet, found: Survey, how: dict[str, Any]) -> None:
    """Find the exact quantiles that one pass has missed, if any."""
    from phosphene.survey.store import AGAIN

    second = found.collector("quantiles").again()
    if second is not None:
        folder = found.folder / AGAIN
        _swept(net, images, {"quantiles": second}, folder, how, "second pass for exact quantiles")


def _pictures(
    net: Network, images: ImageSet, found: Survey, shown: int, rule: str, whole: bool
) -> list[Panel]:
    """Draw some units of every layer as in figure 2 of Zeiler & Fergus."""
    from phosphene.cli.progress import followed
    from phosphene.cli.surveyed import some_units
    from phosphene.errors import ReversalError
    from phosphene.survey.figure2 import figure2

    top, units = found.collector("top patches"), some_units(found, shown)
    try:
        with followed("strongest patches") as tick:
            most = min(top.count, _GRID)
            figure = figure2(
                net, images, top, units, rule, count=most, whole=whole, tick=tick
            )  # fmt: skip
    except ReversalError as error:
        say(f"! no pictures of patches: {error} (--rule takes other ones)", "yellow")
        return []
    figure.save(found.folder / "figure2.png")
    return [figure.panel()]


def _report(found: Survey, pictures: list[Panel], rule: str, json: bool) -> None:
    from phosphene.cli.surveyed import as_json, summary, write_units
    from phosphene.view import save

    write_units(found, found.folder / "units.csv")
    panel = found.panel()
    for figure in pictures:
        facts = {"pictures": figure.title, **figure.facts, **panel.facts}
        warnings = (*panel.warnings, *figure.warnings)
        title = f"{panel.title}, and what {rule} sends back"
        panel = replace(panel, title=title, rows=figure.rows, facts=facts, warnings=warnings)
    page = save(panel, found.folder / "index.html")
    if json:
        options.print_json(as_json(found))
    else:
        for line in summary(found):
            typer.echo(line)
        say(f"{found.count} images at {found.rate:.1f} a second: open {page}")
    if found.failed:
        say(f"{len(found.failed)} could not be read (named above)", "yellow")
        raise typer.Exit(1)
