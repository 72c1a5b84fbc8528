"""`phosphene caricature`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
    r"""Exaggerate in a photograph what a layer sees in it.

Whatever is active in the layer is made more active, starting from the
photograph itself: dogs become more dog. Octaves, as in deep dreams, draw
large forms first and fine ones on top.

[b]Examples[/b]
  phosphene caricature cat.jpg -m NET.caffemodel -l conv5
  phosphene caricature cat.jpg -l pool5 --octaves 4 -o dream.png
  phosphene caricature cat.jpg --descriptor dsift
  phosphene caricature photos/ -l conv4 -C 0.1 -o out/ --movie out.gif
"""
    + preimages.EPILOG
)

Strength = Annotated[
    float | None,
    typer.Option("--strength", "-C", metavar="C", callback=preimages.positive,
                 help="Weight of what is exaggerated against the priors.", show_default="1; 100 "
                 "for descriptors", rich_help_panel=preimages.WHAT),
]  # fmt: skip
Octaves = Annotated[
    int,
    typer.Option(metavar="N", min=1, rich_help_panel=preimages.WHAT,
                 help="Sizes to go through, from small to the photograph's own."),
]  # fmt: skip
Ratio = Annotated[
    float,
    typer.Option(metavar="R", rich_help_panel=preimages.WHAT,
                 help="How much larger each octave is than the one before."),
]  # fmt: skip


@grouped
def caricature(
    photos: preimages.Photos,
    layer: preimages.Layer = None,
    descriptor: preimages.Descriptor = None,
    strength: Strength = None,
    octaves: Octaves = 1,
    ratio: Ratio = 1.4,
    *,
    descending: Descending,
    result: preimages.Result,
    network: NetworkOptions,
) -> None:
    """Exaggerate in a photograph what a layer sees in it."""
    if not 1 < ratio < 100:
        raise typer.BadParameter(f"--ratio {ratio:g} makes no octave: give a number above 1")
    # Descriptors do not tell contrast: what they lead to is faint.
    result = replace(result, stretch=True) if descriptor else result
    run = Run("caricature", "exaggerating", result)
    files = run.to.photographs(photos)
    from phosphene.image import read
    from phosphene.preimage import caricature as library

    if descriptor:
        preimages.of_one_size(descriptor, layer, network.model, list(files))
    recipe = descending.recipe(library.RECIPES, library.USUAL)
    with run:
        if descriptor:
            from phosphene.descriptors.inversion import STRENGTH, network_for

            weight = STRENGTH if strength is None else strength
            net, where, batch = network_for(descriptor), "", descending.batch or 1
        else:
            weight = 1.0 if strength is None else strength
            net = network.open()
            where = preimages.a_layer(net, layer, network.model)
            batch = descending.most(net[where])

        def find(chunk: Sequence[Path], watch: Watch) -> PreImage:
            return library.caricature(
                net,
                list(chunk),
                where,
                strength=weight,
                octaves=octaves,
                ratio=ratio,
                priors=descending.priors(),
                quality=recipe,
                batch=batch,
                seed=descending.seed,
                watch=watch,
            )

        run.go(files, find, batch, parts=octaves, check=read)
