"""`phosphene occlude`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from phosphene.cli import asking, options
from phosphene.cli.collected import carry_out
from phosphene.cli.grouped import grouped
from phosphene.cli.occluded import Results
from phosphene.errors import ImageError, OutOfMemory, PhospheneError, UnitError, out_of_memory

if TYPE_CHECKING:
    from phosphene.core.network import Network
    from phosphene.core.unit import Unit
    from phosphene.saliency.occlusion import Occlusion

HELP = r"""Hide one part of photographs after another, and see what the network still says.

A patch of one colour is moved over the image (Zeiler & Fergus 2014). Mapped,
by the centre of the patch, are the probability of a class, the most probable
class, and the strongest feature map of a late layer. Without --class it is
the class that the network predicts; with --layer a unit of that layer.

[b]Examples[/b]
  phosphene occlude cat.jpg -m NET.caffemodel
  phosphene occlude cat.jpg -m NET.caffemodel --class tabby --patch 32 -o cat.png
  phosphene occlude cat.jpg -m NET.caffemodel -l fire5/concat -u 100
  phosphene occlude photos/ -m torchvision:vgg16 --stride 16 -o out/
"""
_WHAT, _HOW, _SPEED = "What is followed", "The patch", "How"

Class = Annotated[
    str | None,
    typer.Option("--class", "-c", metavar="CLASS", help="Class by name or index.",
                 show_default="the predicted one", rich_help_panel=_WHAT),
]  # fmt: skip
Layer = Annotated[
    str | None,
    typer.Option("--layer", "-l", metavar="NAME", rich_help_panel=_WHAT,
                 help="In place of a class a unit of this layer; nothing behind it is run."),
]  # fmt: skip
Unit_ = Annotated[
    str | None,
    typer.Option("--unit", "-u", metavar="UNIT", rich_help_panel=_WHAT, show_default="strongest",
                 help="Channel of the layer (131), or one place of it (131@6,6, 131@centre)."),
]  # fmt: skip
Out = Annotated[
    str | None,
    typer.Option("--out", "-o", metavar="OUT", rich_help_panel=asking.RESULT,
                 help="OUT.html or OUT.png (.jpg, .webp) for one photograph; OUT/ for a folder "
                 "with a picture and all maps (.npz) for each; run again, it goes on.",
                 show_default="occlusion.html, of several occlusion/; nothing with --json"),
]  # fmt: skip


@dataclass(frozen=True)
class How:
    """The patch, what is noted besides, and how it is run: arguments of `occlude`."""

    patch: Annotated[
        str | None,
        typer.Option(metavar="N|HxW", help="Its sides, pixels of what the network is shown.",
                     show_default="50/224 of the shorter side", rich_help_panel=_HOW),
    ] = None  # fmt: skip
    stride: Annotated[
        str | None,
        typer.Option(metavar="N|DOWNxRIGHT", help="Pixels from one place to the next.",
                     show_default="1/28 of the shorter side", rich_help_panel=_HOW),
    ] = None  # fmt: skip
    fill: Annotated[
        str,
        typer.Option(metavar="COLOR", rich_help_panel=_HOW,
                     help="mean (the preprocessing's), gray, black, or R,G,B from 0 to 1."),
    ] = "mean"  # fmt: skip
    border: Annotated[
        Literal["over", "inside"],
        typer.Option(rich_help_panel=_HOW,
                     help="Its centre over the whole image, or from corner to corner (Captum)."),
    ] = "over"  # fmt: skip
    feature: Annotated[
        str,
        typer.Option(metavar="LAYER|none", rich_help_panel=_WHAT,
                     help="Layer whose strongest feature map is followed as well.",
                     show_default="the last before the scores; none with --layer"),
    ] = "auto"  # fmt: skip
    reduce: Annotated[
        Literal["max", "sum"] | None,
        typer.Option(rich_help_panel=_WHAT, show_default="max",
                     help="What a unit without a place counts as."),
    ] = None  # fmt: skip
    whole: asking.Whole = False
    batch: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Places of the patch at a time.", show_default="8",
                     rich_help_panel=_SPEED),
    ] = None  # fmt: skip
    full: Annotated[
        bool,
        typer.Option("--full", rich_help_panel=_SPEED,
                     help="Run all of the network for every place: slower, the same numbers."),
    ] = False  # fmt: skip

    def arguments(self) -> dict[str, Any]:
        """Read the texts."""
        return {
            "patch": _sides(self.patch, "--patch"),
            "stride": _sides(self.stride, "--stride"),
            "fill": _fill(self.fill),
            "border": self.border,
            "feature": None if self.feature == "none" else self.feature,
            "reduce": self.reduce or "max",
            "whole": self.whole,
            "batch": self.batch,
            "incremental": not self.full,
        }


@grouped
def occlude(
    photos: asking.Photos,
    class_: Class = None,
    layer: Layer = None,
    unit: Unit_ = None,
    *,
    how: How,
    out: Out = None,
    json: options.AsJson = False,
    network: options.NetworkOptions,
) -> None:
    """Hide one part of photographs after another, and see what the network still says."""
    if class_ is not None and (layer or unit):
        raise typer.BadParameter("--class is one of the network's answers: leave out -l and -u")
    if layer is None and (unit is not None or how.reduce):
        raise typer.BadParameter("--unit and --reduce are of a layer: give it with -l, too")
    arguments = how.arguments()
    from phosphene.image import find

    found = find(photos)
    otherwise = None if json else "occlusion/" if len(found) > 1 else "occlusion.html"
    results = Results(out or otherwise)
    files = results.takes(photos, found)

    def work() -> None:
        wanted = class_ if layer is None else _unit(unit)
        net = network.open()
        for name in (layer, arguments["feature"]):
            if name not in (None, "auto"):
                net.address(name)
        if class_ is not None:
            net.class_index(class_)
        asked = {"unit": wanted, "layer": layer, **arguments}
        # However many places at a time: the numbers are the same.
        about = {k: v for k, v in asked.items() if k != "batch"} | network.origin(net)
        _run(net, results.missing(files, about), results, asked)

    carry_out(results, files, json, work)


def _run(net: Network, files: Sequence[Path], results: Results, asked: dict[str, Any]) -> None:
    """Occlude file after file; those that cannot be are named and passed over."""
    from phosphene.cli.progress import followed

    with followed("occluding") as tick:
        for number, file in enumerate(files):
            try:
                found = _occluded(net, file, asked, _part(tick, number, len(files)))
            except PhospheneError as error:
                # What is wrong with the network, or with what was asked, is no photograph's fault.
                of_all = not asked["whole"] or str(error) in results.failed.values()
                alone = len(files) == 1 and not isinstance(error, ImageError)
                if alone or (of_all and not isinstance(error, ImageError) and not results.records):
                    raise
                results.fail(file, error)
                continue
            results.add(file, found)
            if results.interrupted:
                return


def _occluded(
    net: Network, file: Path, asked: dict[str, Any], tick: Callable[[int, int, str], None]
) -> Occlusion:
    from phosphene.saliency.occlude import occlude as library

    try:
        return library(net, file, tick=tick, **asked)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        less = "a smaller --batch, or leave out --whole"
        raise OutOfMemory(f"{file} needs more memory than there is: give {less}") from None


def _part(
    tick: Callable[[int, int, str], None], number: int, count: int
) -> Callable[[int, int, str], None]:
    """Tell of one photograph's windows as of a part of all photographs' windows."""
    at = f" {number + 1} of {count}" if count > 1 else ""
    return lambda done, total, now: tick(number * total + done, count * total, now + at)


def _unit(text: str | None) -> Unit | None:
    """Read a channel, with or without a place."""
    from phosphene.core.unit import Unit

    try:
        found = None if text is None else Unit.parse(text)
    except UnitError:
        found = Unit.code()
    if found is not None and found.kind not in ("channel", "strongest"):
        raise typer.BadParameter(
            f"--unit {text!r} is no single unit: give a channel (131), with a place (131@6,6, "
            "131@centre), or strongest"
        )
    return found


def _sides(text: str | None, option: str) -> tuple[int, int] | None:
    """Read pixels, as in `8`, or down and right, as in `8x16`."""
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(p.isascii() and p.isdigit() and int(p) for p in parts):
        raise typer.BadParameter(
            f"{option} {text!r} is no number of pixels: give 1 or more (8), or two, down and "
            "right (8x16)"
        )
    return int(parts[0]), int(parts[-1])


def _fill(text: str) -> str | tuple[float, ...]:
    """Read a color: its name, or numbers in [0, 1]."""
    if text in ("mean", "gray", "black"):
        return text
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, 3) or not all(0 <= n <= 1 for n in numbers):
        raise typer.BadParameter(
            f"--fill {text!r} is no color: give mean, gray, black, or numbers from 0 to 1, as "
            "0.5,0.4,0.3"
        )
    return numbers
