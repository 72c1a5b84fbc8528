"""`phosphene pairs build`: its options, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from phosphene.cli import options
from phosphene.cli.options import say

if TYPE_CHECKING:
    from phosphene.motion.building import Built, Plan, Settings
    from phosphene.motion.estimators import Estimator

BUILD = r"""Build shards of pairs from videos: a frame, and its flow to the frame 5 later.

VIDEOS are any number of
  film.mp4        films, whatever FFmpeg decodes; turned upright
  films/          folders: all films in them and in their folders
  frames/         a folder of images: one video; of such folders: several
  list.txt        lists, one path a line
  'films/*.mp4'   patterns

Of each video 8 random frames are taken that no end of a scene parts from the
frame 5 later, as in 204,000 videos of YFCC100m by the thesis; scaled down to
240 pixels on the shorter side. Flow is stored in 16 bits, to 1/128 pixel.

The folder gets pairs-000000.tar, ..., which webdataset and phosphene read,
and beside each its index. Interrupted, killed or out of disk, the same
command goes on where it stopped; what comes out is the same, byte for byte,
with any number of workers. Started by torchrun or srun, the processes share
the shards.

[b]Examples[/b]
  phosphene pairs build films/ -o pairs/ --workers 8
  phosphene pairs build films/ -o yfcc150k/ --frames first
  phosphene pairs build films/ -o raft/ -e raft:large.pth --device cuda
  srun -n 64 phosphene pairs build videos.txt -o /shared/pairs
"""
_WHAT, _HOW, _RESULT = "What to take", "How", "The result"
_NAMED = 20
"""Videos or pairs that are named when something is wrong with them."""


@dataclass(frozen=True)
class Taking:
    """Which pairs of a video are taken."""

    pairs: Annotated[
        int | None,
        typer.Option(
            "--pairs",
            "-n",
            min=1,
            metavar="N",
            rich_help_panel=_WHAT,
            help="Pairs of each video.",
            show_default="8",
        ),
    ] = None
    gap: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="FRAMES",
            rich_help_panel=_WHAT,
            help="From a pair's first frame to its second.",
            show_default="5; 4 with --frames first",
        ),
    ] = None
    frames: Annotated[
        Literal["random", "first"],
        typer.Option(
            rich_help_panel=_WHAT,
            help="Random frames, or one pair of the first frame and the fifth.",
        ),
    ] = "random"
    across_cuts: Annotated[
        bool,
        typer.Option(
            "--across-cuts",
            rich_help_panel=_WHAT,
            help="Take pairs too where a scene ends in between.",
        ),
    ] = False
    seed: Annotated[
        int, typer.Option(metavar="N", rich_help_panel=_WHAT, help="Of the random frames.")
    ] = 0  # fmt: skip


@dataclass(frozen=True)
class Estimating:
    """How flow is estimated."""

    estimator: Annotated[
        str,
        typer.Option(
            "--estimator",
            "-e",
            metavar="NAME",
            rich_help_panel=_HOW,
            help="What estimates flow: dis, farneback, tvl1, raft:FILE, command:LINE, ... "
            "(`phosphene flow --help` explains them).",
        ),
    ] = "dis:medium"
    device: Annotated[
        str, typer.Option(metavar="NAME", rich_help_panel=_HOW, help="Where RAFT runs: cpu, cuda.")
    ] = "cpu"
    limit: Annotated[
        float,
        typer.Option(min=0.001, metavar="SECONDS", rich_help_panel=_HOW,
                     help="What a program of yours may take for two frames."),
    ] = 600.0  # fmt: skip

    def open(self) -> Estimator:
        """Open the estimator that the options name."""
        from phosphene.errors import SettingError
        from phosphene.motion.estimators import open_estimator

        try:
            return open_estimator(self.estimator, device=self.device, limit=self.limit)
        except SettingError as error:
            raise typer.BadParameter(str(error)) from None


@dataclass(frozen=True)
class Storing:
    """How pairs are stored."""

    short_side: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="PIXELS",
            rich_help_panel=_RESULT,
            help="Frames are scaled down to this shorter side; 0 for as they are.",
        ),
    ] = 240
    quality: Annotated[
        int,
        typer.Option(
            min=1,
            max=100,
            metavar="N",
            rich_help_panel=_RESULT,
            help="Of the frames' JPEGs. JPEGs that need not be scaled stay as they are.",
        ),
    ] = 95
    lossless: Annotated[
        bool, typer.Option("--lossless", rich_help_panel=_RESULT, help="Frames as PNG.")
    ] = False
    second: Annotated[
        bool,
        typer.Option("--second", rich_help_panel=_RESULT, help="Keep the later frames as well."),
    ] = False
    per_shard: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", rich_help_panel=_RESULT, help="Videos in a shard.",
                     show_default="128; a 32nd of fewer than 4096"),
    ] = None  # fmt: skip


def settings_of(taking: Taking, storing: Storing) -> Settings:
    """Put together what the options ask for."""
    from phosphene.errors import SettingError
    from phosphene.motion.building import Settings

    first = taking.frames == "first"
    if first and taking.pairs not in (None, 1):
        raise typer.BadParameter("--frames first takes one pair of each video, and so --pairs 1")
    try:
        return Settings(
            pairs=taking.pairs or (1 if first else 8),
            gap=taking.gap or (4 if first else 5),
            first=first,
            short_side=storing.short_side or None,
            quality=storing.quality,
            lossless=storing.lossless,
            second=storing.second,
            cuts=taking.across_cuts,
            seed=taking.seed,
        )
    except SettingError as error:
        raise typer.BadParameter(str(error)) from None


def say_plan(plan: Plan, json: bool) -> None:
    """Say what would be built."""
    done = sum(map(plan.done, range(plan.shards))) if plan.agree() else 0
    most = len(plan.videos) * plan.settings.pairs
    if json:
        options.print_json(
            {"videos": len(plan.videos), "pairs_at_most": most, "shards": plan.shards,
             "videos_per_shard": plan.per_shard, "shards_done": done, "output": str(plan.folder)}
        )  # fmt: skip
        return
    typer.echo(
        f"{len(plan.videos):,} videos to {most:,} pairs at most, in {plan.shards:,} shards "
        f"(videos in each: {plan.per_shard}), of which {done:,} are there"
    )


def say_built(built: Built, settings: Settings, json: bool) -> None:
    """Say what was built, and what went wrong.

    Raises:
        typer.Exit: It was interrupted (130), or a video gave no pairs (1).
    """
    if built.interrupted:
        say(
            f"interrupted after {built.shards} of {built.of} shards; the same command goes on from "
            "here",
            "yellow",
        )
        raise typer.Exit(130)
    named("!", built.failed)
    named("note:", built.notes)
    if json:
        options.print_json(
            {"output": str(built.folder), "videos": built.videos, "pairs": built.pairs,
             "shards": built.shards, "rounding": built.rounding.facts, "settings": vars(settings),
             "failed": built.failed, "notes": built.notes}
        )  # fmt: skip
    else:
        rounding = built.rounding
        lost = f", {rounding.out_of_range:,} vectors out of range" if rounding.out_of_range else ""
        typer.echo(
            f"{built.pairs:,} pairs of {built.videos - len(built.failed):,} videos in "
            f"{built.shards:,} shards: {built.folder}"
        )
        typer.echo(
            f"flow rounded by {rounding.facts['mean']:.4f} px on average, "
            f"{rounding.largest:.4f} at most{lost}"
        )
    if built.failed:
        say(f"{len(built.failed):,} of {built.videos:,} videos gave no pairs (see above)", "yellow")
        raise typer.Exit(1)


def named(mark: str, reasons: dict[str, str]) -> None:
    """Name videos or pairs, and what is wrong with each."""
    for name, why in list(reasons.items())[:_NAMED]:
        say(f"{mark} {name}: {why}", "yellow")
    if len(reasons) > _NAMED:
        say(f"{mark} and {len(reasons) - _NAMED:,} more (the indexes name them)", "yellow")
