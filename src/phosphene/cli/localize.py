"""`phosphene localize`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from phosphene.cli import asking, options
from phosphene.cli.cutting import CutOptions, CutResult, Job, run
from phosphene.cli.grouped import grouped

if TYPE_CHECKING:
    from phosphene.core.network import Network
    from phosphene.segmentation.result import Localization

HELP = r"""Guess where the likeliest classes of a network are on photographs.

For each of the most likely classes an object is cut out, as by segment, and
its box is the guess; ILSVRC asks for five. --protocol simonyan takes classes
and maps over ten crops, as in 2014.

A folder gets for each photograph a mask of each class (its number ends the
name), a sheet of pictures and PASCAL VOC's XML; and for the run
instances.json (COCO's), boxes.json and index.html.

[b]Examples[/b]
  phosphene localize cat.jpg -m NET.caffemodel
  phosphene localize cat.jpg -m NET.caffemodel --top 1 --json
  phosphene localize photos/ -m NET.caffemodel -o boxes/
  phosphene localize cat.jpg --protocol simonyan --voc cat.xml
"""

Top = Annotated[
    int,
    typer.Option("--top", "-n", metavar="N", min=1, help="How many classes.",
                 rich_help_panel="The map"),
]  # fmt: skip
Protocol = Annotated[
    Literal["fully-convolutional", "simonyan"],
    typer.Option(help="One pass over the whole photograph, or the mean over ten crops.",
                 rich_help_panel="The map"),
]  # fmt: skip


@grouped
def localize(
    photos: asking.Photos,
    top: Top = 5,
    protocol: Protocol = "fully-convolutional",
    *,
    cut: CutOptions,
    result: CutResult,
    network: options.NetworkOptions,
) -> None:
    """Guess where the likeliest classes of a network are on photographs."""
    if protocol == "simonyan" and cut.seed_at != "positive":
        raise typer.BadParameter("ten crops start at all positive positions: leave out --seed-at")
    arguments = cut.arguments()

    def one(net: Network, file: Path) -> Localization:
        from phosphene.segmentation.localize import localize

        return localize(net, file, top, protocol, **arguments)

    about = {"verb": "localize", "top": top, "protocol": protocol, **arguments}
    run(photos, Job("localization", one, lambda net: None, about, rows=top), result, network)
