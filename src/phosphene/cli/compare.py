"""`phosphene compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phosphene.cli import options, studying
from phosphene.cli.columns import for_a_person
from phosphene.cli.concept_sets import concepts_of
from phosphene.cli.options import say
from phosphene.errors import OutputError

if TYPE_CHECKING:
    from phosphene.comparison.comparison import Comparison
    from phosphene.comparison.networks import Compared
    from phosphene.survey.dissection.concepts import ConceptSet

HELP = r"""Look at several networks side by side: what did each of them learn?

Of each network and layer: images that excite units most, what is kept of
photographs (inversion), what is made more of in them (caricature), strongest
patches, and which concepts units detect (dissection). And numbers: which way
the structures that units want run (horizontal against vertical), how many
units detect something, where picture and label of a unit disagree.

One set of images (--images) serves all networks: what units are scaled by (M),
strongest patches and concepts come from it. It is demo:N (drawn scenes), a
Broden directory, or photographs. Normalization without parameters is absorbed.

Layers of one name stand side by side. Where names differ say which, with the
networks' names or A, B, ...:  --layers A=conv5,B=features.12

A folder gets one page (index.html), figures/ (a PNG a chapter), and numbers
(comparison.json, comparison.md). Interrupted, the same command goes on where
it stopped; another photograph costs no more than itself.

[b]Examples[/b]
  phosphene compare motion-small:random motion-small:supervised \
    motion-small:cross-pixel motion-small:rotation -l relu3_2,relu5_2
  phosphene compare A.caffemodel B.caffemodel --photos cat.jpg --images photos/
  phosphene compare NET.caffemodel:random NET.caffemodel --images photos/
  phosphene compare alexnet torchvision:alexnet -l A=conv5,B=features.10
  phosphene compare demo motion-small:random --units 24 --quality best
"""
_WHAT, _HOW, _RESULT = "What to compare", "How", "The result"
SET = "demo:60"

Networks = Annotated[
    list[str], typer.Argument(metavar="NET NET...", help="Networks; phosphene models lists them.")
]
Layers = Annotated[
    list[str] | None,
    typer.Option("--layers", "--layer", "-l", metavar="NAMES", rich_help_panel=_WHAT,
                 help="Layers that all have (conv4,conv5), or one of each (A=conv5,B=features.12). "
                 "Repeatable.", show_default="two that all have, half way and at the end"),
]  # fmt: skip
Photos = Annotated[
    list[Path] | None,
    typer.Option("--photos", "-p", metavar="PHOTO", rich_help_panel=_WHAT,
                 help="Photographs, or folders of them, to invert and to exaggerate. Repeatable.",
                 show_default="one drawn scene, with drawn scenes; else none"),
]  # fmt: skip
Images = Annotated[
    str,
    typer.Option(metavar="SET", rich_help_panel=_WHAT,
                 help="The one image set: demo:N, a Broden directory, or photographs."),
]  # fmt: skip
Units = Annotated[
    int,
    typer.Option(min=1, metavar="N", rich_help_panel=_WHAT,
                 help="Units of each layer, evenly over those alive in all networks."),
]  # fmt: skip
Limit = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", rich_help_panel=_WHAT, help="Only the first N photographs."),
]
Quality = Annotated[
    str,
    typer.Option(metavar="NAME", rich_help_panel=_HOW,
                 help="quick, fast, paper or best: speed against care."),
]  # fmt: skip
Out = Annotated[
    str,
    typer.Option("--out", "-o", metavar="DIR", rich_help_panel=_RESULT,
                 help="Folder for everything."),
]  # fmt: skip


def compare(
    networks: Networks,
    layers: Layers = None,
    photos: Photos = None,
    images: Images = SET,
    units: Units = 6,
    unit: studying.Units = None,
    limit: Limit = None,
    quality: Quality = "quick",
    steps: studying.Steps = None,
    batch: options.Batch = 16,
    seed: studying.Seed = 0,
    device: options.Device = "auto",
    out: Out = "comparison",
    json: options.AsJson = False,
) -> None:
    """Look at several networks side by side."""
    place = studying.folder(out)
    from phosphene.cli.progress import followed
    from phosphene.comparison.compare import compare as run
    from phosphene.comparison.levels import read_levels, shared_levels
    from phosphene.comparison.networks import compared
    from phosphene.comparison.plan import Plan
    from phosphene.comparison.recipes import recipes_of

    files, failed = studying.readable(photos or [], place, limit)
    nets = compared([options.open_model(name, device=device) for name in networks])
    levels = read_levels(layers, nets) if layers else shared_levels(nets)
    recipes = recipes_of(quality, steps)
    far = [0, 0]
    try:
        with followed("comparing") as tick:

            def follow(done: int, total: int, what: str) -> None:
                far[:] = done, total
                tick(done, total, what)

            plan = Plan(
                nets, levels, reference_set(images, nets, place),
                _shown(files, failed, photos, images),
                units, tuple(dict.fromkeys(unit or ())), recipes, seed, batch, place, follow,
            )  # fmt: skip
            found = run(plan)
            page = found.save(place)
    except KeyboardInterrupt:
        done = f" at {100 * far[0] // far[1]} %" if far[1] else ""
        say(f"interrupted{done}; the same command goes on from here", "yellow")
        raise typer.Exit(130) from None
    _report(found, page, failed, json)
    if failed or found.failed:
        raise typer.Exit(1)


def reference_set(
    text: str, networks: tuple[Compared, ...], place: Path | None = None
) -> ConceptSet:
    """Open the one image set of some networks, in the largest of their input sizes.

    Args:
        text: As for `concepts_of`.
        networks: The networks.
        place: Where the result goes.

    Raises:
        OutputError: The result would lie among the images, and be taken for some the next time.
    """
    if place is not None and Path(text).is_dir() and _among(place, Path(text)):
        raise OutputError(
            f"{place} lies in {text}, whose pictures are the image set, and results would be among "
            "them the next time: give another place behind -o, or a folder of photographs alone"
        )
    sizes = [one.net.preprocessing.input_size for one in networks]
    size = max(size[0] for size in sizes), max(size[1] for size in sizes)
    scenes = max(size[0], 32), max(size[1], 32)
    return concepts_of(text, scenes=scenes, photographs=size)


def _shown(
    files: list[Path], failed: dict[str, str], asked: list[Path] | None, images: str
) -> tuple[Any, ...]:
    """Return the photographs; of drawn scenes one where none were asked for."""
    if files or failed or asked or images.partition(":")[0] != "demo" or Path(images).exists():
        return tuple(files)
    from phosphene.zoo.demo import demo_scenes

    return (demo_scenes()[0].image,)


def _report(found: Comparison, page: Path, failed: dict[str, str], json: bool) -> None:
    if json:
        told = {**found.as_json(), "output": str(page)}
        options.print_json({**told, "failed": {**found.failed, **failed}})
        return
    table = found.tables[0]
    cells = [table.columns, *(["" if c is None else str(c) for c in row] for row in table.rows)]
    for line in for_a_person(cells, range(1, len(table.columns))):
        say(line)
    for verdict in found.verdicts:
        say(verdict)
    for warning in found.warnings:
        say(f"! {warning}", "yellow")
    if failed:
        say(f"{len(failed)} could not be read (named above)")
    say(f"{len(found.shorts)} networks: open {page}")


def _among(place: Path, folder: Path) -> bool:
    return place.resolve().is_relative_to(folder.resolve())
