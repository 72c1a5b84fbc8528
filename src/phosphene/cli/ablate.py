"""`phosphene ablate`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phosphene.cli import asking, options
from phosphene.cli.evolution import Batch, Images, images_given, place_of
from phosphene.cli.grouped import grouped
from phosphene.cli.options import say

if TYPE_CHECKING:
    from phosphene.survey.ablation.cuts import Cut

HELP = r"""Take layers or units out of a network, and measure what it loses.

Accuracy and loss are measured on images whose class is known: by the folder
each is in, by a CSV (columns file and class; labels.csv in the folder is
found), or as drawn scenes. A layer that is removed lets pass what it is given,
in the shape of what it gave; units (LAYER:1,2,3) are set to zero, or to their
mean over the images. Without any --cut each convolution is removed in turn.

With --retrain variants of the demo network, with layers removed or resized,
are trained from the start, alike, and compared (Zeiler & Fergus 2014, table
3). first-layer trains one with AlexNet's first layer (11x11, stride 4) and
the repaired one. An interrupted study goes on where it stopped.

[b]Examples[/b]
  phosphene ablate
  phosphene ablate -m NET.caffemodel --images photos/ --cut conv1 --cut pool1
  phosphene ablate --cut conv5:1,2,3 --at-mean
  phosphene ablate --retrain first-layer -o first/
  phosphene ablate --retrain all --epochs 12 -o study/
"""
_MEASURED, _RETRAINED = "Measured as it is", "Trained again"


@dataclass(frozen=True)
class Again:
    """The retrained ablation."""

    retrain: Annotated[
        list[str] | None,
        typer.Option(metavar="all|first-layer|NAME", rich_help_panel=_RETRAINED,
                     help="Which variants of the demo network to train. Repeatable."),
    ] = None  # fmt: skip
    scenes: Annotated[
        int, typer.Option(min=64, metavar="N", help="Drawn scenes to learn from.",
                          rich_help_panel=_RETRAINED),
    ] = 4800  # fmt: skip
    epochs: Annotated[
        int, typer.Option(min=1, metavar="N", help="Passes through them.",
                          rich_help_panel=_RETRAINED),
    ] = 12  # fmt: skip
    measured: Annotated[
        int, typer.Option(min=1, metavar="N", help="Other scenes, to measure on.",
                          rich_help_panel=_RETRAINED),
    ] = 2000  # fmt: skip


@grouped
def ablate(
    images: Images = None,
    labels_csv: Annotated[
        Path | None,
        typer.Option("--classes", metavar="FILE", rich_help_panel=_MEASURED,
                     help="CSV with the class of every image: columns file, and index or class."),
    ] = None,
    cut: Annotated[
        list[str] | None,
        typer.Option("--cut", "-c", metavar="LAYER[:UNITS]", rich_help_panel=_MEASURED,
                     help="What to take out: conv3, or conv5:1,2,3. Repeatable."),
    ] = None,
    at_mean: Annotated[
        bool, typer.Option("--at-mean", rich_help_panel=_MEASURED,
                           help="Set units to their mean over the images, not to zero."),
    ] = False,
    batch: Batch = 16,
    seed: asking.Seed = 0,
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="OUT", rich_help_panel=asking.RESULT,
                          help="OUT.html, OUT.png, or OUT/ for a folder; with --retrain a folder "
                          "keeps the trained networks, and an interrupted study."),
    ] = "ablation.html",
    json: options.AsJson = False,
    *,
    again: Again,
    network: options.NetworkOptions,
) -> None:  # fmt: skip
    """Take layers or units out of a network, and measure what it loses."""
    if again.retrain:
        if images or cut or network.model != "demo":
            raise typer.BadParameter(
                "--retrain trains the demo network: leave out -m, -i and --cut"
            )
        _retrain(again, seed, out, json)
        return
    place = place_of(out)
    shown = images_given(images, network)
    from phosphene.cli.progress import followed
    from phosphene.survey.ablation.ablate import ablate as library
    from phosphene.survey.ablation.cuts import Cut
    from phosphene.survey.ablation.labels import labelled
    from phosphene.view import save

    net = network.open()
    cuts = [_cut(text, at_mean) for text in cut or ()]
    if not cuts:
        rows = [row for row in net.layers() if row.kind == "Conv2d"]
        cuts = [Cut(row.name) for row in rows[:-1]]
    opened, classes = labelled(net, shown, labels_csv)
    with followed("measuring") as tick:
        found = library(net, opened, classes, cuts, batch=batch, tick=tick)
    written = save(found.panel(), place)
    if json:
        options.print_json({**found.as_json(), "output": str(written)})
    else:
        say(f"{net.name}: accuracy {found.whole.accuracy:.1%} of {found.whole.count} images")
        for each, scores in found.cuts.items():
            lost = scores.accuracy - found.whole.accuracy
            say(f"{each}: {scores.accuracy:.1%} ({100 * lost:+.1f} points)")
        say(f"{len(found.cuts)} cuts: open {written}")
    for name, reason in found.failed.items():
        say(f"! {name}: {reason}", "yellow")
    if found.failed:
        raise typer.Exit(1)


def _retrain(again: Again, seed: int, out: str, json: bool) -> None:
    from phosphene.survey.ablation.retrain import Setting
    from phosphene.survey.ablation.study import chosen, study

    variants = chosen(again.retrain or ())
    setting = Setting(again.scenes, again.epochs, again.measured, seed=seed)
    place = place_of(out)
    from phosphene.cli.progress import followed
    from phosphene.view import save

    folder = place / "runs" if place.is_dir() else None
    with followed("drawing scenes") as tick:
        found = study(variants, setting, folder=folder, tick=tick)
    if not found.variants:
        say("interrupted before the first variant was trained" + _goes_on(folder), "yellow")
        raise typer.Exit(130)
    written = save(found.panel(), place)
    if json:
        options.print_json({**found.as_json(), "output": str(written)})
    else:
        for one in found.variants:
            faults = found.diagnoses[one.variant.name].faults
            said = f"; {faults[0].sentence}" if faults else ""
            say(f"{one.variant.name}: accuracy {one.accuracy:.1%}{said}")
        say(f"{len(found.variants)} networks: open {written}")
    if found.interrupted:
        say(f"interrupted{_goes_on(folder)}", "yellow")
        raise typer.Exit(130)


def _goes_on(folder: Path | None) -> str:
    return "; the same command goes on from here" if folder else ""


def _cut(text: str, mean: bool) -> Cut:
    """Read `conv3` or `conv5:1,2,3`."""
    from phosphene.survey.ablation.cuts import Cut

    layer, colon, units = text.rpartition(":")
    if not colon:
        if mean:
            raise typer.BadParameter(
                f"--at-mean is of units, and {text!r} names none: give {text}:1,2"
            )
        return Cut(text)
    parts = units.split(",")
    if not layer or not all(p.isascii() and p.isdigit() for p in parts):
        raise typer.BadParameter(f"--cut {text!r} is no cut: give a layer, or LAYER:1,2,3")
    return Cut(layer, tuple(int(p) for p in parts), "mean" if mean else "zero")
