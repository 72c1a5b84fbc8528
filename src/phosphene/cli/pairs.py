"""`phosphene pairs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phosphene.cli import options, pairs_built
from phosphene.cli.grouped import grouped
from phosphene.cli.options import say
from phosphene.cli.pairs_built import BUILD, named

if TYPE_CHECKING:
    from phosphene.motion.checking import Checked
    from phosphene.motion.statistics import Statistics

HELP = r"""Turn videos into pairs of frames with their flow, for learning from motion.

  phosphene pairs build films/ -o pairs/    videos to shards of pairs
  phosphene pairs show pairs/               some of them as pictures
  phosphene pairs stats pairs/              how far things move in them
  phosphene pairs check pairs/              whether all of it is whole
"""
CHECK = r"""Check that shards are whole, and that all that they hold can be read.

SHARDS are a folder, or .tar files. Every pair is decoded, and its sizes are
compared; --quick compares each shard's length and checksum with its index.
What is damaged is listed; the exit code is then 1.

[b]Examples[/b]
  phosphene pairs check pairs/
  phosphene pairs check pairs/ --quick
"""
SHOW = r"""Show some pairs: frames beside their flow in the colours of the wheel.

PAIRS are a folder of shards, .tar files, or a known data set's folder
(Sintel, KITTI, FlyingChairs, ...).

[b]Examples[/b]
  phosphene pairs show pairs/
  phosphene pairs show pairs/ --sample 7 --count 40 --arrows -o sheet.html
"""
STATS = r"""Count how far things move: lengths of vectors, what stands still, sizes.

PAIRS are a folder of shards, .tar files, or a known data set's folder
(Sintel, KITTI, FlyingChairs, ...).

[b]Examples[/b]
  phosphene pairs stats pairs/
  phosphene pairs stats pairs/ --all --json
"""
app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Source = Annotated[list[str], typer.Argument(metavar="PAIRS", help="See above.")]


@app.command("build", help=BUILD, no_args_is_help=True)
@grouped
def build(
    videos: Annotated[list[str], typer.Argument(metavar="VIDEOS", help="See above.")],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", rich_help_panel="The result",
                     help="Folder to write to."),
    ],
    workers: Annotated[
        int,
        typer.Option(min=1, metavar="N", rich_help_panel="How",
                     help="Processes that share the videos."),
    ] = 1,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", rich_help_panel="The result",
                     help="Say what would be done, and end."),
    ] = False,
    json: options.AsJson = False,
    *,
    taking: pairs_built.Taking,
    estimating: pairs_built.Estimating,
    storing: pairs_built.Storing,
) -> None:  # fmt: skip
    """Build shards of pairs from videos."""
    from phosphene.cli.progress import followed
    from phosphene.motion.building import build as build_pairs
    from phosphene.motion.building import planned

    settings = pairs_built.settings_of(taking, storing)
    how: dict[str, Any] = {"estimator": estimating.open(), "per_shard": storing.per_shard}
    if dry_run:
        pairs_built.say_plan(planned(videos, out, settings, **how), json)
        return
    what = "videos to pairs"
    with followed(what) as tick:
        built = build_pairs(
            videos, out, settings, workers=workers,
            tick=lambda done, total: tick(done, total, what), **how,
        )  # fmt: skip
    pairs_built.say_built(built, settings, json)


@app.command("check", help=CHECK, no_args_is_help=True)
def check(
    shards: Annotated[list[str], typer.Argument(metavar="SHARDS", help="See above.")],
    quick: Annotated[
        bool, typer.Option("--quick", help="Compare lengths and checksums; decode nothing.")
    ] = False,
    json: options.AsJson = False,
) -> None:
    """Check that shards are whole, and that all that they hold can be read."""
    from phosphene.cli.progress import followed
    from phosphene.motion.checking import check as check_pairs

    with followed("checking") as tick:
        found = check_pairs(
            list(shards), quick=quick, tick=lambda done, total: tick(done, total, "checking")
        )
    _checked(found, json)


def _checked(found: Checked, json: bool) -> None:
    if json:
        options.print_json(vars(found))
    else:
        for name, why in found.damaged.items():
            typer.echo(f"{name}: {why}")
        typer.echo(f"{found.pairs:,} pairs in {found.shards:,} shards are whole")
    if found.damaged:
        say(f"{len(found.damaged):,} shards or pairs are damaged", "yellow")
        raise typer.Exit(1)


@app.command("show", help=SHOW, no_args_is_help=True)
def show(
    source: Source,
    count: Annotated[
        int, typer.Option("--count", "-n", min=1, metavar="N", help="How many pairs.")
    ] = 16,
    sample: Annotated[int, typer.Option(metavar="SEED", help="Which: another seed, others.")] = 0,
    arrows: Annotated[bool, typer.Option("--arrows", help="Draw flow as arrows too.")] = False,
    second: Annotated[
        bool, typer.Option("--second", help="Show the later frames, where they were kept.")
    ] = False,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="A picture (.png) or page (.html).")
    ] = Path("pairs.html"),
) -> None:
    """Show some pairs: frames beside their flow."""
    from phosphene.motion.contact_sheet import contact_sheet

    sheet = contact_sheet(_one(source), count, seed=sample, arrows=arrows, second=second)
    named("!", sheet.damaged)
    say(f"{len(sheet.pairs)} of {sheet.of:,} pairs: open {sheet.save(out)}")
    if sheet.damaged:
        raise typer.Exit(1)


@app.command("stats", help=STATS, no_args_is_help=True)
def stats(
    source: Source,
    sample: Annotated[
        int, typer.Option(min=1, metavar="N", help="Pairs to read, at random.")
    ] = 1000,
    every: Annotated[bool, typer.Option("--all", help="Read all of them.")] = False,
    still: Annotated[
        float, typer.Option(min=0.001, metavar="PIXELS", help="What moves by less stands still.")
    ] = 0.5,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the sample.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Diagrams: .png, .svg or .html."),
    ] = None,
    json: options.AsJson = False,
) -> None:
    """Count how far things move."""
    from phosphene.cli.progress import followed
    from phosphene.motion.statistics import statistics

    with followed("reading flow") as tick:
        found = statistics(
            _one(source), sample=None if every else sample, threshold=still, seed=seed,
            tick=lambda done, total: tick(done, total, "reading flow"),
        )  # fmt: skip
    named("!", found.damaged)
    page = found.save(out) if out is not None else None
    if json:
        options.print_json(found.as_json())
    else:
        for line in _lines(found):
            typer.echo(line)
    if page is not None:
        say(f"diagrams: open {page}")
    if found.damaged:
        raise typer.Exit(1)


def _lines(found: Statistics) -> list[str]:
    q = found.quantiles
    lines = [
        f"{found.pairs:,} pairs, of which {found.sampled:,} were read",
        f"length: mean {found.mean:.2f} px, median {q['0.5']:.2f}, 90 % below {q['0.9']:.2f}, "
        f"99 % below {q['0.99']:.2f}, longest {found.longest:.1f}",
        f"still (below {found.threshold:g} px): {found.still:.1%} of pixels, "
        f"{found.still_pairs:.1%} of pairs",
        "sizes: " + ", ".join(f"{size} {many:,}" for size, many in found.sizes.most_common(8)),
    ]
    if found.per_video:
        counts = sorted(found.per_video.items(), reverse=True)
        lines.append("pairs of a video: " + ", ".join(f"{n} of {many:,}" for n, many in counts))
    return lines


def _one(source: list[str]) -> str | list[str | Path]:
    return source[0] if len(source) == 1 else list(source)
