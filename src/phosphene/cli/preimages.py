"""What the verbs of natural pre-images can be asked for together: their subject and result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from phosphene.cli.options import AsJson

if TYPE_CHECKING:
    from phosphene.core.network import Network

WHAT, RESULT = "What to find", "The result"
MOVIES = (".gif", ".mp4", ".webm")

EPILOG = """
Ctrl-C ends it after the step under way and keeps the images so far; the same
command with --resume goes on from there.
"""


def positive(value: float | None) -> float | None:
    """Refuse weights that are not above 0, or not finite."""
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter(f"{value:g} is no weight: give a number above 0")
    return value


Photos = Annotated[
    list[Path],
    typer.Argument(metavar="PHOTO", help="Photographs, or folders of them.", readable=False),
]
Layer = Annotated[
    str | None,
    typer.Option("--layer", "-l", metavar="NAME", help="Layer, as `phosphene layers` names it.",
                 rich_help_panel=WHAT),
]  # fmt: skip
Descriptor = Annotated[
    Literal["hog", "hogb", "dsift"] | None,
    typer.Option(rich_help_panel=WHAT, show_default=False,
                 help="In place of a network and its layer: HOG, HOG with bilinear binning, or "
                 "dense SIFT, on gray photographs of one size."),
]  # fmt: skip
Layers = Annotated[
    list[str] | None,
    typer.Option("--layer", "-l", metavar="NAME", rich_help_panel=WHAT,
                 help="Layer whose statistics are matched. Repeatable.",
                 show_default="the first of every stride"),
]  # fmt: skip
Size = Annotated[
    str | None,
    typer.Option(metavar="HxW", help="Size of the images, as 224x320.", rich_help_panel=WHAT,
                 show_default="the network's own"),
]  # fmt: skip
Strength = Annotated[
    float,
    typer.Option("--strength", "-C", metavar="C", callback=positive, rich_help_panel=WHAT,
                 help="Weight of what is asked for against the priors."),
]  # fmt: skip
Repeats = Annotated[
    int,
    typer.Option("--repeats", "-n", metavar="N", min=1, rich_help_panel=WHAT,
                 help="Images of each, from different noise."),
]  # fmt: skip
Out = Annotated[
    str | None,
    typer.Option("--out", "-o", metavar="OUT", rich_help_panel=RESULT,
                 help="OUT.html for one page with everything inside, OUT.png (.jpg, .webp) for "
                 "one picture, OUT/ for a folder of both, every image and all facts.",
                 show_default="a page named after the verb; nothing with --json"),
]  # fmt: skip
Movie = Annotated[
    Path | None,
    typer.Option(metavar="FILE", rich_help_panel=RESULT,
                 help="Write how the images came about, as .gif, .mp4 or .webm."),
]  # fmt: skip
Frames = Annotated[
    int | None,
    typer.Option(metavar="N", min=2, help="Pictures of the movie.", show_default="48",
                 rich_help_panel=RESULT),
]  # fmt: skip
Stretch = Annotated[
    bool,
    typer.Option("--stretch", rich_help_panel=RESULT,
                 help="Show each image from black to white, as the papers print them."),
]  # fmt: skip
TraceFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE.csv", rich_help_panel=RESULT,
                 help="Write the energy at every step: iteration, image, objective, prior."),
]  # fmt: skip
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on where the same command was interrupted.",
                 rich_help_panel=RESULT),
]  # fmt: skip


@dataclass(frozen=True)
class Result:
    """Where a result goes, and what is written beside it."""

    out: Out = None
    stretch: Stretch = False
    movie: Movie = None
    frames: Frames = None
    trace: TraceFile = None
    resume: Resume = False
    json: AsJson = False

    def check(self) -> None:
        """Refuse what cannot be written, before any work."""
        import importlib.util

        if self.frames is not None and self.movie is None:
            raise typer.BadParameter("--frames are those of a movie: give --movie FILE.gif, too")
        if self.movie is not None:
            suffix = self.movie.suffix.lower()
            if suffix not in MOVIES:
                raise typer.BadParameter(
                    f"--movie {self.movie} names no kind of movie: end it in .gif, .mp4 or .webm"
                )
            if suffix != ".gif" and importlib.util.find_spec("av") is None:
                raise typer.BadParameter(
                    f"--movie {self.movie} needs PyAV: pip install 'phosphene[video]', or end the "
                    "name in .gif"
                )
        if self.trace is not None and self.trace.suffix.lower() != ".csv":
            raise typer.BadParameter(f"--trace {self.trace} is a table: end the name in .csv")
        if self.resume and self.json and self.out is None:
            raise typer.BadParameter("--resume finds its state beside the output: give -o, too")


def a_layer(net: Network, layer: str | None, model: str) -> str:
    """Return the layer asked for.

    Raises:
        BadParameter: None was given.
        UnknownLayer: There is none of that name.
    """
    if not layer:
        from phosphene.studies.depth import spread_layers

        few = ", ".join(spread_layers(net, 5))
        raise typer.BadParameter(
            f"give a layer with -l, such as one of {few} (`phosphene layers {model}` lists all)"
        )
    net.address(layer)
    return layer


def layers_of(net: Network, layers: Sequence[str] | None) -> tuple[str, ...]:
    """Return layers, each once, when all of them are there."""
    for layer in layers or ():
        net.address(layer)
    return tuple(dict.fromkeys(layers or ()))


def of_one_size(descriptor: str, layer: str | None, model: str, files: Sequence[Path]) -> None:
    """Make sure that a descriptor is asked for alone, and for photographs that can stand together.

    Raises:
        BadParameter: There is a network as well, or the photographs are of several sizes.
    """
    from PIL import Image

    if layer or model != "demo":
        raise typer.BadParameter(f"--descriptor {descriptor} takes the place of -m and -l: one")
    sizes: dict[tuple[int, int], Path] = {}
    for file in files:
        with suppress(OSError), Image.open(file) as photo:
            sizes.setdefault(photo.size, file)
    if len(sizes) > 1:
        (one, first), (other, second), *_ = sizes.items()
        raise typer.BadParameter(
            f"a descriptor sees photographs at their own size, and {first} ({one[0]}x{one[1]}) "
            f"and {second} ({other[0]}x{other[1]}) differ: give one at a time, or run `phosphene "
            "study descriptors`"
        )
