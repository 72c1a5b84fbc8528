"""`phosphene activate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phosphene.cli import options, preimages
from phosphene.cli.descending import Descending
from phosphene.cli.finding import Run
from phosphene.cli.grouped import grouped
from phosphene.cli.scales import Images, MaximaFile, maxima_of, refuse_without_scale
from phosphene.errors import FormatError, UnitError

if TYPE_CHECKING:
    from phosphene.core.network import Network
    from phosphene.preimage.activate import Direction
    from phosphene.preimage.result import PreImage
    from phosphene.preimage.watch import Watch

    Excited = int | Direction

HELP = (
    r"""Draw what excites a unit most.

How active each unit gets on real photographs is its scale, which brings units
of all layers to one weight: it is measured over --images and kept beside the
result; --maxima takes it up again. The demo network brings its images.

[b]Examples[/b]
  phosphene activate -m NET.caffemodel -l conv3 -u 0-24 --images photos/
  phosphene activate -m NET.caffemodel -l conv3 -u 7 --maxima FILE -n 4
  phosphene activate -m NET.caffemodel -c goose --images photos/ -o goose.png
  phosphene activate -l conv4 -u 3 -u 5 --quality best
  phosphene activate -l conv4 --direction mixtures.npy
"""
    + preimages.EPILOG
)

Units = Annotated[
    list[str] | None,
    typer.Option("--unit", "-u", metavar="UNIT", rich_help_panel=preimages.WHAT,
                 help="Channel of the layer, or a range: 7, 0-24. Repeatable."),
]  # fmt: skip
Classes = Annotated[
    list[str] | None,
    typer.Option("--class", "-c", metavar="CLASS", rich_help_panel=preimages.WHAT,
                 help="Unit of the class scores, by name or index. Repeatable."),
]  # fmt: skip
Directions = Annotated[
    Path | None,
    typer.Option("--direction", metavar="FILE", rich_help_panel=preimages.WHAT,
                 help="Mixtures of units: .npy or .safetensors, one a row, a number a channel."),
]  # fmt: skip
Joint = Annotated[
    bool,
    typer.Option("--joint", help="All units in one image, a tile each.",
                 rich_help_panel=preimages.WHAT),
]  # fmt: skip
Everywhere = Annotated[
    bool,
    typer.Option("--everywhere", help="The unit at all positions of its map, not in the middle; "
                 "so always with --class.", rich_help_panel=preimages.WHAT),
]  # fmt: skip
Size = Annotated[
    str | None,
    typer.Option(metavar="HxW", help="Size of the images, as 224x320.",
                 show_default="a little more than the unit sees",
                 rich_help_panel=preimages.WHAT),
]  # fmt: skip


@grouped
def activate(
    layer: preimages.Layer = None,
    unit: Units = None,
    class_: Classes = None,
    direction: Directions = None,
    images: Images = None,
    maxima: MaximaFile = None,
    strength: preimages.Strength = 1.0,
    repeats: preimages.Repeats = 1,
    joint: Joint = False,
    everywhere: Everywhere = False,
    size: Size = None,
    *,
    descending: Descending,
    result: preimages.Result,
    network: options.NetworkOptions,
) -> None:
    """Draw what excites a unit most."""
    if class_ and (layer or unit or direction):
        raise typer.BadParameter(
            "--class names units of the class scores: leave out --layer, --unit and --direction"
        )
    if not (class_ or unit or direction):
        raise typer.BadParameter(
            "say what to excite: -u UNIT (7, or 0-24), -c CLASS, or --direction FILE"
        )
    numbers, pixels = read_units(unit or []), options.read_size(size, "--size")
    refuse_without_scale(network.model, images, maxima)
    run = Run("activation", "exciting", result)
    from phosphene.preimage import activate as library

    recipe = descending.recipe(library.RECIPES, library.USUAL)
    priors, mixtures = descending.priors(), _directions(direction)
    with run:
        net = network.open()
        if class_:
            where, excited = _classes(net, class_)
        else:
            where = preimages.a_layer(net, layer, network.model)
            _check(net, where, numbers)
            excited = [(number, f"unit {number}") for number in numbers]
            excited += [(mixture, mixture.name) for mixture in mixtures]
        batch = descending.most(net[where])
        scale = maxima_of(net, where, images, maxima, batch, run)
        excited = run.sound(excited, lambda u: scale.of(u) if isinstance(u, int) else None)

        def find(chunk: Sequence[Sequence[Excited]], watch: Watch) -> PreImage:
            return library.activate(
                net,
                [one for together in chunk for one in together],
                where,
                scale,
                strength=strength,
                repeats=repeats,
                size=pixels,
                joint=joint,
                everywhere=everywhere or bool(class_ and not joint),
                priors=priors,
                quality=recipe,
                batch=batch,
                seed=descending.seed,
                watch=watch,
            )

        items = [((one,), name) for one, name in excited]
        if joint and excited:
            run.go([(tuple(one for one, _ in excited), _all(excited))], find, batch)
        else:
            run.go(items, find, batch, repeats=repeats)


def read_units(texts: Sequence[str]) -> list[int]:
    """Read channels and ranges of them, each once.

    >>> read_units(["7", "0-2", "1"])
    [7, 0, 1, 2]
    """
    found: list[int] = []
    for text in texts:
        first, dash, last = text.partition("-")
        last = last if dash else first
        if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
            raise typer.BadParameter(
                f"{text!r} is no unit: give a channel (7), or a range of them (0-24)"
            )
        found += range(int(first), int(last) + 1)
    return list(dict.fromkeys(found))


def _check(net: Network, layer: str, units: Sequence[int]) -> None:
    """Refuse units that a layer has not, before anything is measured."""
    from phosphene.core.shapes import output_shape

    count = output_shape(net[layer], net.preprocessing.input_size)[1]
    if units and max(units) >= count:
        raise UnitError(f"layer {layer!r} has units 0 to {count - 1}, and so no unit {max(units)}")


def _classes(net: Network, names: Sequence[str]) -> tuple[str, list[tuple[Excited, str]]]:
    indices = dict.fromkeys(net.class_index(name) for name in names)
    if not net.scores.layer:
        raise typer.BadParameter(
            f"the class scores of {net.name} are made in no layer of their own: draw a class with "
            "phosphene class-model"
        )
    return net.scores.layer, [(index, net.label(index)) for index in indices]


def _directions(path: Path | None) -> list[Direction]:
    if path is None:
        return []
    from phosphene.preimage.activate import Direction
    from phosphene.preimage.codes import Codes

    try:
        rows = Codes.open(path).values
    except FormatError as error:
        raise FormatError(f"--direction takes one vector a row: {error}") from error
    if rows.dim() != 2:
        raise FormatError(
            f"--direction takes one vector a row, and {path} holds numbers of shape "
            f"{tuple(rows.shape)}"
        )
    return [Direction(row, f"{path.stem} {i}") for i, row in enumerate(rows)]


def _all(excited: Sequence[tuple[Excited, str]]) -> str:
    few = ", ".join(name for _, name in excited)
    return few if len(excited) < 5 else f"{excited[0][1]} to {excited[-1][1]}"
