"""`phosphene evolution`, and what verbs that look at training runs share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phosphene.cli import asking, options
from phosphene.cli.grouped import grouped
from phosphene.cli.options import say

if TYPE_CHECKING:
    from phosphene.survey.evolution.checkpoints import Checkpoint

HELP = r"""Follow units through the checkpoints of a training run.

A row for each unit, a column for each checkpoint: the patch of the image that
the unit answers to most, and below it what a DeConvNet projects back
(Zeiler & Fergus 2014, figure 4). Where another image takes over, the column
is marked red. Curves tell, for all units, how far filters and answers are
from where they end, and a table when each layer has settled.

RUN is a folder of checkpoints (safetensors, or state dicts, in the natural
order of their names) or several files; -m is the network they belong to.
Without RUN it is the demo network's own training, eight epochs of it.

[b]Examples[/b]
  phosphene evolution
  phosphene evolution checkpoints/ -m my.py:net --images photos/
  phosphene evolution first.pt last.pt -m my.py:net -l layer1 -l layer4 --units 3
  phosphene evolution -l conv5 -u 4 -u 18 -o conv5.png
"""

Run = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[RUN]", help="A folder of checkpoints, or several files, in order.",
                   show_default="the demo network's training", readable=False),
]  # fmt: skip
Images = Annotated[
    str | None,
    typer.Option("--images", "-i", metavar="SET",
                 help="What it is shown: a folder, a list (.txt), tar shards, a video; "
                 "demo:N for N drawn scenes."),
]  # fmt: skip
Batch = Annotated[int, typer.Option(min=1, metavar="N", help="Images at a time.")]
OutPage = Annotated[
    str,
    typer.Option("--out", "-o", metavar="OUT", rich_help_panel=asking.RESULT,
                 help="OUT.html, OUT.png, or OUT/ for a folder with every tile."),
]  # fmt: skip


@grouped
def evolution(
    run: Run = None,
    images: Images = None,
    layer: Annotated[
        list[str] | None,
        typer.Option("--layer", "-l", metavar="NAME", help="Layer of the units. Repeatable.",
                     show_default="up to five convolutions, evenly"),
    ] = None,
    unit: Annotated[
        list[int] | None,
        typer.Option("--unit", "-u", metavar="N", min=0,
                     help="Unit to draw, of the only layer. Repeatable."),
    ] = None,
    units: Annotated[
        int, typer.Option(min=0, metavar="N", help="Else how many of each layer, at random.")
    ] = 6,
    rule: Annotated[
        str, typer.Option(metavar="RULE", help="How units are projected: deconvnet, guided, "
                          "saliency, or RELU/POOL/LRN."),
    ] = "deconvnet",
    seed: asking.Seed = 0,
    batch: Batch = 16,
    out: OutPage = "evolution.html",
    json: options.AsJson = False,
    *,
    network: options.NetworkOptions,
) -> None:  # fmt: skip
    """Follow units through the checkpoints of a training run."""
    if unit and len(layer or ()) != 1:
        raise typer.BadParameter("--unit is of one layer: give it with one -l")
    (rules,) = asking.read_rules([rule])[:1] or (None,)
    assert rules is not None
    place = place_of(out)
    checkpoints, shown = run_given(run, network), images_given(images, network)
    from phosphene.cli.progress import followed
    from phosphene.survey.evolution.evolve import evolve
    from phosphene.survey.images import open_images
    from phosphene.view import save

    try:
        with followed("looking") as tick:
            found = evolve(
                checkpoints,
                open_images(shown),
                tuple(layer or ()),
                {layer[0]: unit} if layer and unit else units,
                rule=rules,
                seed=seed,
                batch=batch,
                tick=tick,
            )
    except KeyboardInterrupt:
        say("interrupted: nothing is written", "yellow")
        raise typer.Exit(130) from None
    written = save(found.panel(), place)
    if json:
        options.print_json({**found.as_json(), "output": str(written)})
        return
    for name, drift in found.drift.items():
        at = "is never told" if drift.converged is None else found.checkpoints[drift.converged]
        say(f"{name}: settled at {at}; {drift.changed[-1]:.0%} of its units jump last")
    say(f"{len(found.units)} units at {len(found.checkpoints)} checkpoints: open {written}")


def run_given(run: list[Path] | None, network: options.NetworkOptions) -> list[Checkpoint]:
    """Find the checkpoints that are meant."""
    from phosphene.survey.evolution.checkpoints import demo_run, run_of

    if not run:
        if network.model != "demo":
            raise typer.BadParameter("name the run: a folder of checkpoints, or several files")
        say("the demo network's training", "dim")
        return demo_run()
    return run_of(network.open, run[0] if len(run) == 1 else list(run))


def images_given(images: str | None, network: options.NetworkOptions, scenes: int = 100) -> str:
    """Find the images that are meant: drawn scenes for the demo network, if none are given."""
    if images is None and network.model != "demo":
        raise typer.BadParameter("name what it is shown: --images FOLDER")
    return images or f"demo:{scenes}"


def place_of(out: str) -> Path:
    """Make sure that the result can be written, before any work."""
    from phosphene.cli.places import Place

    place = Place(out)
    place.claim()
    assert place.path is not None
    return place.path
