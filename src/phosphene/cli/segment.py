"""`phosphene segment`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phosphene.cli import asking, options
from phosphene.cli.cutting import CutOptions, CutResult, Job, run
from phosphene.cli.grouped import grouped

if TYPE_CHECKING:
    from phosphene.core.network import Network
    from phosphene.segmentation.result import Segmentation

HELP = r"""Cut objects out of photographs by what a classifier looks at.

The signal of a class, sent back to the pixels, is high on its object. The
highest pixels of this map are taken for object, the lowest for background,
and a cut by colour decides on the rest. Without --class it is the class that
the network finds.

A folder gets for each photograph its mask (255 for object), a sheet of
pictures and PASCAL VOC's XML; and for the run instances.json (COCO's),
boxes.json and index.html.

[b]Examples[/b]
  phosphene segment cat.jpg -m NET.caffemodel
  phosphene segment cat.jpg -m NET.caffemodel -c tabby --mask cat.png
  phosphene segment photos/ -m NET.caffemodel --rule guided -o cut/
  phosphene segment cat.jpg --engine threshold --threshold 0.9 --fill
"""

Class = Annotated[
    str | None,
    typer.Option("--class", "-c", metavar="CLASS", help="What to cut out, by name or index.",
                 show_default="what the network finds", rich_help_panel="The map"),
]  # fmt: skip
MaskFile = Annotated[
    Path | None,
    typer.Option("--mask", metavar="FILE.png", rich_help_panel=asking.RESULT,
                 help="The mask of one photograph, in its size: 255 for object."),
]  # fmt: skip


@grouped
def segment(
    photos: asking.Photos,
    class_: Class = None,
    *,
    cut: CutOptions,
    result: CutResult,
    mask: MaskFile = None,
    network: options.NetworkOptions,
) -> None:
    """Cut objects out of photographs by what a classifier looks at."""
    arguments = cut.arguments()

    def one(net: Network, file: Path) -> Segmentation:
        from phosphene.segmentation.segment import segment

        return segment(net, file, class_, **arguments)

    def check(net: Network) -> None:
        if class_ is not None:
            net.class_index(class_)

    about = {"verb": "segment", "class": class_, **arguments}
    run(photos, Job("segmentation", one, check, about), result, network, mask)
