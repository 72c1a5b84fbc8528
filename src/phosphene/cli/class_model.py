"""`phosphene class-model`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from phosphene.cli import options, preimages
from phosphene.cli.descending import Descending
from phosphene.cli.finding import Run
from phosphene.cli.grouped import grouped

if TYPE_CHECKING:
    from phosphene.preimage.result import PreImage
    from phosphene.preimage.watch import Watch

HELP = (
    r"""Draw what a network takes for a class above all others.

The score before the softmax climbs from the mean image, which fades a little
at every step (Simonyan et al. 2014). --quality best draws larger, cleaner
forms; --tv adds the papers' later prior.

[b]Examples[/b]
  phosphene class-model -m NET.caffemodel -c goose -c ostrich
  phosphene class-model -m NET.caffemodel -c 99 --quality best -o goose.png
  phosphene class-model -c 0 --posterior --movie posterior.gif
"""
    + preimages.EPILOG
)

Classes = Annotated[
    list[str] | None,
    typer.Option("--class", "-c", metavar="CLASS", help="Class by name or index. Repeatable.",
                 rich_help_panel=preimages.WHAT),
]  # fmt: skip
Posterior = Annotated[
    bool,
    typer.Option("--posterior", rich_help_panel=preimages.WHAT,
                 help="Raise the probability in place of the score, which other classes can do."),
]  # fmt: skip


@grouped
def class_model(
    class_: Classes = None,
    posterior: Posterior = False,
    repeats: preimages.Repeats = 1,
    size: preimages.Size = None,
    *,
    descending: Descending,
    result: preimages.Result,
    network: options.NetworkOptions,
) -> None:
    """Draw what a network takes for a class above all others."""
    pixels = options.read_size(size, "--size")
    run = Run("class-model", "drawing", result)
    from phosphene.preimage import class_model as library

    recipe = descending.recipe(library.RECIPES, library.USUAL)
    priors = descending.priors(natural=False)
    with run:
        net = network.open()
        if not class_:
            raise typer.BadParameter(
                f"give a class with -c, by name or index: {net.name} has {net.classes}, such as "
                f"{net.label(0).split(',')[0]}"
            )
        indices = [net.class_index(name) for name in dict.fromkeys(class_)]
        batch = descending.most(net.scores)

        def find(chunk: Sequence[int], watch: Watch) -> PreImage:
            return library.class_model(
                net,
                list(chunk),
                posterior=posterior,
                repeats=repeats,
                size=pixels,
                priors=priors,
                quality=recipe,
                batch=batch,
                seed=descending.seed,
                watch=watch,
            )

        run.go({index: net.label(index) for index in indices}, find, batch, repeats=repeats)
