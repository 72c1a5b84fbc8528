"""`phosphene style`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phosphene.cli import preimages
from phosphene.cli.descending import Descending
from phosphene.cli.finding import Run
from phosphene.cli.grouped import grouped
from phosphene.cli.options import NetworkOptions

if TYPE_CHECKING:
    from phosphene.preimage.result import PreImage
    from phosphene.preimage.watch import Watch

HELP = (
    r"""Paint a photograph in the style of another image.

The code of one layer keeps what is shown, the statistics of others take the
way it is painted from the painting (Gatys et al. 2016).

[b]Examples[/b]
  phosphene style cat.jpg --of starry.jpg -m NET.caffemodel -l conv4_2
  phosphene style cat.jpg --of starry.jpg -l conv3 --weight 1000 -o cat.png
  phosphene style photos/ --of ink.png -l conv3 --style-layer conv2 -o out/
"""
    + preimages.EPILOG
)

Painting = Annotated[
    Path,
    typer.Option("--of", metavar="PAINTING", help="Image to take the style of.", readable=False,
                 rich_help_panel=preimages.WHAT),
]  # fmt: skip
StyleLayers = Annotated[
    list[str] | None,
    typer.Option("--style-layer", metavar="NAME", rich_help_panel=preimages.WHAT,
                 help="Layer whose statistics are the style. Repeatable.",
                 show_default="the first of every stride"),
]  # fmt: skip
Weight = Annotated[
    float,
    typer.Option(metavar="W", callback=preimages.positive, rich_help_panel=preimages.WHAT,
                 help="Weight of the style; --strength is that of the content."),
]  # fmt: skip
FromNoise = Annotated[
    bool,
    typer.Option("--from-noise", help="Start from noise, not from the photograph.",
                 rich_help_panel=preimages.WHAT),
]  # fmt: skip


@grouped
def style(
    photos: preimages.Photos,
    painting: Painting,
    layer: preimages.Layer = None,
    style_layer: StyleLayers = None,
    strength: preimages.Strength = 10.0,
    weight: Weight = 10.0,
    from_noise: FromNoise = False,
    *,
    descending: Descending,
    result: preimages.Result,
    network: NetworkOptions,
) -> None:
    """Paint a photograph in the style of another image."""
    run = Run("style", "painting", result)
    files = run.to.photographs(photos)
    run.to.place.spare([painting], "take the style of")
    from phosphene.image import read
    from phosphene.preimage import texture as library

    recipe = descending.recipe(library.RECIPES, library.USUAL)
    priors, look = descending.priors(natural=False), read(painting)
    with run:
        net = network.open()
        where = preimages.a_layer(net, layer, network.model)
        layers = preimages.layers_of(net, style_layer)

        batch = descending.most(net[where])

        def find(chunk: Sequence[Path], watch: Watch) -> PreImage:
            return library.style(
                net,
                list(chunk),
                look,
                where,
                layers,
                strength=strength,
                weight=weight,
                from_noise=from_noise,
                priors=priors,
                quality=recipe,
                batch=batch,
                seed=descending.seed,
                watch=watch,
            )

        run.go(files, find, batch, check=read)
