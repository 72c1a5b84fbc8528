"""`phosphene find`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from phosphene.cli import options
from phosphene.cli.columns import in_columns
from phosphene.cli.compare import SET, reference_set
from phosphene.cli.options import say
from phosphene.cli.places import Place

if TYPE_CHECKING:
    from phosphene.comparison.hits import Hits

HELP = r"""Find the units that answer to a picture or to a concept.

A unit answers to PICTURE (or to --region of it) where its largest value
there is exceptional: higher than in 99 % of the images of a reference set
(--images). By chance 1 or 2 units in 100 are; how many are stands beside that.

A unit answers to --concept where it is active on the concept's pixels (IoU,
as phosphene dissect has it), or where it tells images with the concept from
those without (AUC, average precision). The set has to know the concept.

Searched are some layers of each network (-m, repeatable), or those named by
-l. Shown are the best units over all of them: where they answer, and their
strongest patches.

[b]Examples[/b]
  phosphene find cat.jpg -m NET.caffemodel --images photos/
  phosphene find cat.jpg --region 120,40,260,180 -m alexnet -m vgg-m -l conv5
  phosphene find --concept striped -m demo -m motion-small:rotation
  phosphene find --concept color:red -m NET.caffemodel --images broden1_227/
"""
_WHAT, _HOW, _RESULT = "What to find", "How", "The result"

Picture = Annotated[
    Path | None, typer.Argument(metavar="PICTURE", help="A photograph.", show_default=False)
]
Concept = Annotated[
    str | None,
    typer.Option("--concept", "-c", metavar="NAME", rich_help_panel=_WHAT,
                 help="A concept of the reference set: NAME or CATEGORY:NAME."),
]  # fmt: skip
Models = Annotated[
    list[str] | None,
    typer.Option("--model", "-m", metavar="MODEL", rich_help_panel="The networks",
                 help="Network; phosphene models lists them. Repeatable.", show_default="demo"),
]  # fmt: skip
Part = Annotated[
    str | None,
    typer.Option("--region", metavar="X0,Y0,X1,Y1", rich_help_panel=_WHAT,
                 help="The part of the picture that counts, in its pixels, x right, y down."),
]  # fmt: skip
Layers = Annotated[
    list[str] | None,
    typer.Option("--layer", "-l", metavar="NAME", rich_help_panel=_WHAT,
                 help="Layer to search, in networks that have it. Repeatable.",
                 show_default="four of each network"),
]  # fmt: skip
Images = Annotated[
    str,
    typer.Option(metavar="SET", rich_help_panel=_HOW,
                 help="Reference set: demo:N, a Broden directory, or photographs."),
]  # fmt: skip
Level = Annotated[
    float,
    typer.Option(metavar="SHARE", rich_help_panel=_HOW,
                 help="Share of its images that an answer is higher than."),
]  # fmt: skip
By_ = Annotated[
    Literal["iou", "auc", "ap"] | None,
    typer.Option("--by", rich_help_panel=_HOW, show_default="iou; auc without maps",
                 help="What units are ranked by for a concept."),
]  # fmt: skip
Count = Annotated[
    int,
    typer.Option("--top", "-n", min=1, metavar="N", rich_help_panel=_RESULT,
                 help="Units to show."),
]  # fmt: skip
Out = Annotated[
    str | None,
    typer.Option("--out", "-o", metavar="OUT", rich_help_panel=_RESULT,
                 help="OUT.html, OUT.png, or OUT/ for a folder, which also keeps what was seen of "
                 "the reference set.", show_default="found.html; nothing with --json"),
]  # fmt: skip


def find(
    picture: Picture = None,
    concept: Concept = None,
    model: Models = None,
    region: Part = None,
    layer: Layers = None,
    images: Images = SET,
    level: Level = 0.99,
    by: By_ = None,
    top: Count = 12,
    batch: options.Batch = 16,
    device: options.Device = "auto",
    out: Out = None,
    json: options.AsJson = False,
) -> None:
    """Find the units that answer to a picture or to a concept."""
    if (picture is None) == (concept is None):
        raise typer.BadParameter("say what to find: a PICTURE, or --concept NAME; one of the two")
    if region is not None and picture is None:
        raise typer.BadParameter("--region is a part of a PICTURE: give one")
    if by is not None and concept is None:
        raise typer.BadParameter("--by goes with --concept: pictures go by --level")
    place = Place(out or (None if json else "found.html"))
    if picture is not None:
        place.spare([picture], "find units for")
    place.claim()
    from phosphene.cli.progress import in_stages
    from phosphene.comparison.concept_search import find_by_concept
    from phosphene.comparison.networks import compared
    from phosphene.comparison.region import Region
    from phosphene.comparison.search import Search, find_by_picture

    part = Region.parse(region) if region else None
    if picture is not None:
        from phosphene.image import read

        read(picture)  # what cannot be read is said before images are shown
    nets = compared([options.open_model(n, device=device) for n in model or ["demo"]], least=1)
    folder = place.path / "passes" if place.path is not None and place.folder else None
    try:
        with in_stages("opening") as tick:
            search = Search(
                nets, reference_set(images, nets, folder and place.path), tuple(layer or ()),
                level, top, batch, folder, tick,
            )  # fmt: skip
            if concept is not None:
                found = find_by_concept(search, concept, by)
            else:
                found = find_by_picture(search, picture, part)
            page = found.save(place.path) if place.path is not None else None
    except KeyboardInterrupt:
        again = "; the same command goes on from here" if folder else " (a folder would keep it)"
        say(f"interrupted{again}", "yellow")
        raise typer.Exit(130) from None
    _report(found, page, json)


def _report(found: Hits, page: Path | None, json: bool) -> None:
    if json:
        options.print_json({**found.as_json(), "output": None if page is None else str(page)})
        return
    for table in found.tables():
        rows = [[_cell(cell) for cell in row] for row in table.rows]
        for line in in_columns([table.columns, *rows], range(1, len(table.columns))):
            say(line)
    for warning in found.warnings:
        say(f"! {warning}", "yellow")
    say(f"{found.title}: open {page}")


def _cell(value: str | float | None) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
