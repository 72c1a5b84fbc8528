"""`phosphene dissect`."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from phosphene.cli import options
from phosphene.cli.columns import in_columns
from phosphene.cli.concept_sets import concepts_of
from phosphene.cli.grouped import grouped
from phosphene.cli.options import say
from phosphene.errors import OutputError

if TYPE_CHECKING:
    from phosphene.survey.dissection.concepts import ConceptSet
    from phosphene.survey.dissection.result import Dissection

HELP = r"""Find which units of a network detect which concepts: network dissection.

A unit is active where its code is among its largest 0.5% over all images. It
detects a concept if that is where the concept is: if the intersection over the
union of both, over all images, is 0.04 or more.

CONCEPTS are images in which it is known what each pixel shows:
  demo, demo:N  N drawn scenes: objects, parts, textures, colors
  BRODEN/       a directory in the format of Network Dissection's Broden
  PHOTOS/       photographs: the colors of their pixels, by name; and with
                masks (--masks, or frames/ and masks/ inside, as DAVIS has it)
                what is in the foreground

A folder gets a page (index.html), a CSV for each layer with the columns of the
original, and dissection.json. What fits into --memory takes one pass over the
images; anything else takes two, and the same command goes on where these were
interrupted.

[b]Examples[/b]
  phosphene dissect demo -m demo -l conv2 -l conv5
  phosphene dissect photos/ -m NET.caffemodel -l fire9/concat -o colors/
  phosphene dissect DAVIS/ -m NET.caffemodel -l conv5 --upsampling original
  phosphene dissect broden1_227/ -m torchvision:alexnet -l features.12
  phosphene dissect demo:1000 --export broden-demo/
"""
_WHAT, _HOW, _RESULT = "What to dissect", "How", "The result"

Concepts = Annotated[
    str,
    typer.Argument(metavar="CONCEPTS", help="demo, demo:N, a Broden directory, or photographs."),
]
Layers = Annotated[
    list[str] | None,
    typer.Option("--layer", "-l", metavar="NAME", rich_help_panel=_WHAT,
                 help="Layer, as `phosphene layers` names it. Repeatable."),
]  # fmt: skip
Masks = Annotated[
    Path | None,
    typer.Option(metavar="DIR", rich_help_panel=_WHAT,
                 help="Masks of the photographs, named like them; 0 is background."),
]  # fmt: skip
Size = Annotated[
    str | None,
    typer.Option(metavar="HxW", rich_help_panel=_WHAT, show_default="the network's input size",
                 help="Size of the images made of scenes and photographs."),
]  # fmt: skip
Level = Annotated[
    float,
    typer.Option(metavar="SHARE", rich_help_panel=_HOW,
                 help="Share of all positions in which a unit is active."),
]  # fmt: skip
Minimum = Annotated[
    float, typer.Option(metavar="IOU", rich_help_panel=_HOW, help="From where on it detects.")
]
Upsampling = Annotated[
    Literal["centred", "original", "plain"],
    typer.Option(rich_help_panel=_HOW,
                 help="Codes to pixels: at the centres of receptive fields, there in whole label "
                 "pixels, or as a plain resize."),
]  # fmt: skip
Counting = Annotated[
    Literal["original", "lite"],
    typer.Option(rich_help_panel=_HOW,
                 help="Active area: of images that hold the category; lite: that meet it."),
]  # fmt: skip
Workers = Annotated[
    int, typer.Option(min=1, metavar="N", rich_help_panel=_HOW, help="Processes, or GPUs.")
]
Memory = Annotated[
    int,
    typer.Option(min=0, metavar="MIB", rich_help_panel=_HOW,
                 help="What may be kept in memory so that one pass over the images does."),
]  # fmt: skip
Shown = Annotated[
    int,
    typer.Option(min=0, metavar="N", rich_help_panel=_RESULT,
                 help="Detectors of each layer to show with their strongest images."),
]  # fmt: skip
Export = Annotated[
    Path | None,
    typer.Option(metavar="DIR", rich_help_panel=_RESULT,
                 help="Only write CONCEPTS as a Broden directory, and end."),
]  # fmt: skip


@grouped
def dissect(
    concepts: Concepts,
    layer: Layers = None,
    masks: Masks = None,
    size: Size = None,
    level: Level = 0.005,
    minimum: Minimum = 0.04,
    upsampling: Upsampling = "centred",
    counting: Counting = "original",
    batch: options.Batch = 8,
    workers: Workers = 1,
    memory: Memory = 512,
    shown: Shown = 8,
    out: options.OutFolder = Path("dissection"),
    export: Export = None,
    json: options.AsJson = False,
    *,
    network: options.NetworkOptions,
) -> None:
    """Find which units of a network detect which concepts."""
    given = options.read_size(size, "--size")
    if export is not None:
        _export(_opened(concepts, masks, given), export)
        return
    if not layer:
        raise typer.BadParameter("name one or more layers with --layer (`phosphene layers` lists)")
    from phosphene.cli.progress import followed
    from phosphene.survey.dissection.dissect import dissect as run
    from phosphene.survey.sweeping.folder_lock import locked

    net = network.open()
    known = _opened(concepts, masks, given or net.preprocessing.input_size)
    asked = (level, upsampling, counting, batch)
    about = repr((known.fingerprint, network.origin(net), sorted(layer), asked))
    state = out / ".passes" / hashlib.sha256(about.encode(errors="replace")).hexdigest()[:12]
    try:
        with locked(out), followed("dissecting") as tick:
            found = run(
                net, layer, known, level=level, upsampling=upsampling, counting=counting,
                minimum=minimum, shown=shown, batch=batch, folder=state, memory=memory << 20,
                workers=workers, reopen=network.reopen if workers > 1 else None, tick=tick,
            )  # fmt: skip
            page = found.write(out)
            shutil.rmtree(out / ".passes", ignore_errors=True)
    except KeyboardInterrupt:
        kept = "goes on from here" if state.exists() else "begins anew"
        say(f"interrupted; the same command {kept}", "yellow")
        raise typer.Exit(130) from None
    _report(found, page, json)
    if found.failed:
        raise typer.Exit(1)


def _opened(text: str, masks: Path | None, size: tuple[int, int] | None) -> ConceptSet:
    """Open what is named by CONCEPTS."""
    return concepts_of(text, scenes=size or (96, 96), photographs=size or (227, 227), masks=masks)


def _export(concepts: ConceptSet, folder: Path) -> None:
    from phosphene.cli.progress import followed
    from phosphene.survey.dissection.broden_writing import write_broden

    if folder.exists() and any(folder.iterdir()) and not (folder / "category.csv").exists():
        raise OutputError(f"{folder} holds other files: give an empty or a new folder")
    with followed("writing") as tick:
        failed = write_broden(concepts, folder, tick=tick)
    for name, why in failed.items():
        say(f"! {name}: {why}", "yellow")
    say(f"{len(concepts) - len(failed)} images of {concepts.name}: open {folder}")
    if failed:
        raise typer.Exit(1)


def _report(found: Dissection, page: Path, json: bool) -> None:
    if json:
        options.print_json({**found.as_json(), "output": str(page)})
        return
    rows = [("layer", "units", "detectors", "unique", "best")]
    for name, layer in found.layers.items():
        unique = sum(len(labels) for labels in layer.unique(found.minimum).values())
        best = layer.ranked()[0]
        told = f"unit {best.unit}: {best.label} ({best.category}), IoU {best.iou:.3f}"
        detectors = len(layer.detectors(found.minimum))
        rows.append((name, f"{layer.units}", f"{detectors}", f"{unique}", told))
    for line in in_columns(rows, right=(1, 2, 3)):
        say(line)
    for name, why in found.failed.items():
        say(f"! {name} was left out: {why}", "yellow")
    say(f"{found.images} images: open {page}")
