"""`phosphene texture`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from phosphene.cli import options, preimages
from phosphene.cli.descending import Descending
from phosphene.cli.finding import Run
from phosphene.cli.grouped import grouped

if TYPE_CHECKING:
    from phosphene.preimage.result import PreImage
    from phosphene.preimage.watch import Watch

HELP = (
    r"""Make new images of a photograph's texture.

What goes together in the channels of a layer is kept, and where on the image
it stands is not: grass stays grass, blade by blade another.

[b]Examples[/b]
  phosphene texture grass.jpg -m NET.caffemodel
  phosphene texture grass.jpg -m NET.caffemodel --size 384x512 -o grass.png
  phosphene texture grass.jpg -l conv1 -l pool2 -n 3
"""
    + preimages.EPILOG
)


@grouped
def texture(
    photos: preimages.Photos,
    layer: preimages.Layers = None,
    strength: preimages.Strength = 100.0,
    repeats: preimages.Repeats = 1,
    size: preimages.Size = None,
    *,
    descending: Descending,
    result: preimages.Result,
    network: options.NetworkOptions,
) -> None:
    """Make new images of a photograph's texture."""
    pixels = options.read_size(size, "--size")
    run = Run("texture", "weaving", result)
    files = run.to.photographs(photos)
    from phosphene.image import read
    from phosphene.preimage import texture as library

    recipe = descending.recipe(library.RECIPES, library.USUAL)
    priors = descending.priors(natural=False)
    with run:
        net = network.open()
        layers = preimages.layers_of(net, layer)
        batch = descending.most(net[layers[-1]] if layers else net.output)

        def find(chunk: Sequence[Path], watch: Watch) -> PreImage:
            return library.texture(
                net,
                list(chunk),
                layers,
                strength=strength,
                repeats=repeats,
                size=pixels,
                priors=priors,
                quality=recipe,
                batch=batch,
                seed=descending.seed,
                watch=watch,
            )

        run.go(files, find, batch, repeats=repeats, check=read)
