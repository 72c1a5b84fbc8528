"""How active units get on real photographs: measured, kept beside a result, taken up again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phosphene.cli import preimages
from phosphene.cli.options import say
from phosphene.cli.progress import tracked

if TYPE_CHECKING:
    from phosphene.cli.finding import Run
    from phosphene.core.network import Network
    from phosphene.preimage.maxima import Maxima

Images = Annotated[
    list[Path] | None,
    typer.Option("--images", metavar="FOLDER", rich_help_panel=preimages.WHAT, readable=False,
                 help="Photographs to measure over how active each unit gets. Repeatable."),
]  # fmt: skip
MaximaFile = Annotated[
    Path | None,
    typer.Option("--maxima", metavar="FILE", rich_help_panel=preimages.WHAT,
                 help="What was measured before: maxima-LAYER.safetensors."),
]  # fmt: skip


def refuse_without_scale(model: str, images: Sequence[Path] | None, maxima: Path | None) -> None:
    """Refuse to go on where nothing tells how active units get."""
    if images and maxima:
        raise typer.BadParameter("give --images to measure, or --maxima measured before: not both")
    if not images and not maxima and model != "demo":
        raise typer.BadParameter(
            "how active units get on real photographs has to be known: give --images FOLDER (some "
            "hundreds are best), or --maxima FILE from an earlier run"
        )


def maxima_of(
    net: Network,
    layer: str,
    images: Sequence[Path] | None,
    maxima: Path | None,
    batch: int,
    run: Run,
) -> Maxima:
    """Read the maxima of a layer's units, or measure them and keep them beside the result.

    Args:
        net: The network.
        layer: The layer.
        images: Photographs, or folders of them; the demo network's scenes if there are none.
        maxima: A file of maxima in their place.
        batch: Photographs at a time.
        run: Where the result goes, and where what cannot be read is named.
    """
    from phosphene.image import find
    from phosphene.preimage.maxima import Maxima, measure_maxima

    if maxima is not None:
        found = Maxima.open(maxima)
        found.check(net, layer)
        return found
    if images:
        photos: list[Any] = list(find(list(images)))
        source = ", ".join(map(str, images))
    else:
        from phosphene.zoo.demo import demo_scenes

        photos = [scene.image for scene in demo_scenes()]
        source = "the demo network's scenes"
        say(f"measured over {source}; --images takes others", "dim")
    with tracked("measuring", len(photos)) as step:

        def shown() -> Iterator[Any]:
            for photo in photos:
                yield photo
                step()

        found = measure_maxima(
            net, layer, shown(), batch, source, lambda photo, error: run.fail(str(photo), error)
        )
    path = run.to.beside(f"maxima-{layer.replace('/', '-')}.safetensors")
    if path is not None:
        found.save(path)
        say(f"{path}: {len(found.values)} units {found.origin}; --maxima takes it", "dim")
    return found
