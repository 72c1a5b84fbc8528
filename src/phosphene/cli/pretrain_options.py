"""Options that all systems of `phosphene pretrain` share."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from phosphene.cli import options

if TYPE_CHECKING:
    from phosphene.pretext.pretraining import How

WHAT, LEARNS, LONG, HOW, RESULT = (
    "What is learned", "What learns", "How fast and how long", "How it runs", "The result",
)  # fmt: skip


def whole(panel: str, text: str, default: str = "", least: int = 1, *names: str) -> Any:
    """Make an option that takes a whole number."""
    return typer.Option(
        *names, min=least, metavar="N", rich_help_panel=panel, help=text,
        show_default=default or True,
    )  # fmt: skip


def number(panel: str, text: str, default: str = "", *names: str) -> Any:
    """Make an option that takes a number."""
    return typer.Option(
        *names, metavar="X", rich_help_panel=panel, help=text, show_default=default or True
    )


@dataclass(frozen=True)
class Learning:
    """What is learned from what; `None` where the system's own value holds."""

    data: Annotated[
        str,
        typer.Option("--data", "-d", metavar="DATA", rich_help_panel=WHAT,
                     help="What to learn from: shards, or a data set's folder."),
    ]  # fmt: skip
    validation: Annotated[
        str | None,
        typer.Option(metavar="DATA", rich_help_panel=WHAT, help="What to validate on.",
                     show_default="a share of the data"),
    ] = None  # fmt: skip
    held_out: Annotated[
        float | None,
        number(WHAT, "That share, of whole sequences or shards; 0 for none.", "0.1"),
    ] = None
    size: Annotated[
        int | None, whole(WHAT, "Side of the crops, in pixels.", "the backbone's own", 8)
    ] = None
    augmentation: Annotated[
        Literal["cross-pixel", "yfcc", "sintel", "cut", "validation"] | None,
        typer.Option(rich_help_panel=WHAT, show_default="cross-pixel; sintel for grouping",
                     help="What is changed at random: all (first two), all but colors, cut: crops "
                          "that are not resized, nothing."),
    ] = None  # fmt: skip
    backbone: Annotated[
        str | None,
        typer.Option("--backbone", "-b", metavar="MODEL", rich_help_panel=LEARNS,
                     help="motion-alexnet, vgg-vd-16, motion-small (for laptops), demo, or any "
                          "model with --layers.",
                     show_default="motion-alexnet; vgg-vd-16 for grouping"),
    ] = None  # fmt: skip
    layers: Annotated[
        str | None,
        typer.Option(metavar="A,B,C", rich_help_panel=LEARNS, help="Layers that are read.",
                     show_default="the backbone's own"),
    ] = None  # fmt: skip
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", rich_help_panel=LEARNS, help="Weights to begin with.",
                     show_default="random ones"),
    ] = None  # fmt: skip
    head: Annotated[
        Path | None,
        typer.Option(metavar="FILE", rich_help_panel=LEARNS,
                     help="head.safetensors of an earlier run, to begin with as well."),
    ] = None  # fmt: skip
    start: Annotated[
        Literal["random", "rescaled"] | None,
        typer.Option(rich_help_panel=LEARNS, show_default="random",
                     help="Random weights as they are, or scaled to the data layer by layer."),
    ] = None  # fmt: skip
    normalize: Annotated[
        bool | None,
        typer.Option("--normalize/--plain", rich_help_panel=LEARNS, show_default="normalize",
                     help="Batch normalization without parameters, absorbed in the end."),
    ] = None  # fmt: skip
    leave: Annotated[
        str | None,
        typer.Option(metavar="A,B", rich_help_panel=LEARNS,
                     help="Layers that are not normalized all the same."),
    ] = None  # fmt: skip
    reset: Annotated[
        str | None,
        typer.Option(metavar="A,B", rich_help_panel=LEARNS,
                     help="Layers that begin anew though there are --weights."),
    ] = None  # fmt: skip
    batch: Annotated[
        int | None,
        whole(
            LONG,
            "Pairs of a batch, of all workers together.",
            "96 for pixels, 16 for grouping, 24 and 32 for others",
        ),
    ] = None
    accumulate: Annotated[int | None, whole(LONG, "Batches of an update.", "1")] = None
    rate: Annotated[float | None, number(LONG, "Adam's step length.", "1e-4; 0.01 for flow-*")] = (
        None
    )
    drops: Annotated[
        str | None,
        typer.Option(metavar="N,N", rich_help_panel=LONG, show_default="none",
                     help="Updates behind which the rate falls to a tenth."),
    ] = None  # fmt: skip
    epochs: Annotated[int | None, whole(LONG, "Passes through the data, each validated.", "10")] = (
        None
    )
    updates: Annotated[
        int | None,
        whole(LONG, "Updates of the whole run, which the epochs share.", "what the data make"),
    ] = None
    patience: Annotated[
        int | None,
        whole(LONG, "Epochs without a better validation before it ends; 0 for never.", "3", 0),
    ] = None
    clip: Annotated[float | None, number(LONG, "Longest gradient.", "any")] = None
    seed: Annotated[int | None, whole(LONG, "Of all that is random.", "0", 0)] = None
    loaders: Annotated[
        int | None, whole(HOW, "Processes that read data, for each worker.", "0", 0)
    ] = None

    def told(self) -> dict[str, Any]:
        """Return what was given, as a setting takes it."""
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        said = {name: value for name, value in given.items() if value is not None}
        for name in ("layers", "leave", "reset"):
            if name in said:
                said[name] = tuple(part.strip() for part in said[name].split(",") if part.strip())
        if "drops" in said:
            parts = said["drops"].split(",")
            if not all(part.strip().isdigit() for part in parts):
                raise typer.BadParameter(
                    f"--drops {said['drops']!r} are no updates: write them as 1000,2000"
                )
            said["drops"] = tuple(map(int, parts))
        for name in ("weights", "head"):
            if name in said:
                said[name] = str(said[name])
        if said.get("patience") == 0:
            said["patience"] = None
        return said


@dataclass(frozen=True)
class Pixels:
    """What systems are told that look at single pixels."""

    pixels: Annotated[
        int | None, whole(WHAT, "Pixels of each image that are looked at.", "512", 2)
    ] = None
    hidden: Annotated[
        int | None, whole(LEARNS, "Width of the perceptron's hidden layer.", "1024; 256 for demo")
    ] = None
    offset: Annotated[
        Literal["centre", "zero"] | None,
        typer.Option(rich_help_panel=LEARNS, show_default="centre",
                     help="Read layers at the middles of receptive fields, or as Larsson does."),
    ] = None  # fmt: skip


@dataclass(frozen=True)
class Running:
    """How a run runs, and where its result goes."""

    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", rich_help_panel=RESULT,
                     help="Folder to write to, and to go on from."),
    ]  # fmt: skip
    workers: Annotated[
        int, whole(HOW, "Processes that learn together; each takes a GPU, if there are any.")
    ] = 1
    device: Annotated[
        str, typer.Option(metavar="NAME", rich_help_panel=HOW, help="cpu, cuda, mps or auto.")
    ] = "auto"
    precision: Annotated[
        Literal["32-true", "bf16-mixed", "16-mixed"],
        typer.Option(rich_help_panel=HOW, help="Of passes through the network."),
    ] = "32-true"
    minutes: Annotated[
        float | None, number(HOW, "After how many to end, as if done; it can go on.", "never")
    ] = None
    every: Annotated[float, number(HOW, "Seconds between two states that are kept.")] = 120.0
    pictures: Annotated[int, whole(RESULT, "Epochs between two pictures; 0 for none.", "", 0)] = 1
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", rich_help_panel=RESULT, help="Write for TensorBoard.")
    ] = False
    caffe: Annotated[
        bool, typer.Option("--caffe", rich_help_panel=RESULT, help="Write Caffe's weights too.")
    ] = False
    json: options.AsJson = False

    def how(self) -> How:
        """Return it as a run takes it."""
        from phosphene.pretext.pretraining import How

        if self.minutes is not None and not self.minutes > 0:
            raise typer.BadParameter(f"--minutes {self.minutes:g} is no time: give more than 0")
        return How(
            device=options.device_named(self.device), precision=self.precision,
            minutes=self.minutes, every=self.every, pictures=self.pictures,
            tensorboard=self.tensorboard, caffe=self.caffe,
        )  # fmt: skip
