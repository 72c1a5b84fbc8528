"""`phosphene flow`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phosphene.cli import options
from phosphene.cli.flow_results import finish, line_of, lines_of, table_of
from phosphene.cli.grouped import grouped
from phosphene.cli.motion_options import Estimating
from phosphene.cli.options import say
from phosphene.errors import FlowError, ImageError, SettingError

if TYPE_CHECKING:
    from phosphene.motion.estimate import Estimates
    from phosphene.motion.pair import Pixels
    from phosphene.motion.shown import ShownFlow

HELP = r"""Find where every pixel of a frame goes until another, or show flow that is known.

With two frames, flow is estimated and shown: in colours, as arrows, and what
the second frame, brought back by it, leaves to explain. With one file of flow
(.flo, KITTI's .png, .npz) that is shown. With --rank, estimators are tried on
worlds whose motion is exact: cubes and moving photographs, covered with the
photographs given.

Estimators (-e, repeat it to compare several)
  dis, dis:fast, dis:ultrafast   dense inverse search; good and quick
  farneback, tvl1                polynomials; total variation, fine and slow
  raft:large:FILE                RAFT of torchvision with your weights
  coarse2fine, epicflow:FOLDER   the thesis's own, by programs you installed
  "command:LINE"                 any program; {first}, {second} and {flow} in
                                 its line become files

[b]Examples[/b]
  phosphene flow 0001.jpg 0002.jpg
  phosphene flow 0001.jpg 0002.jpg -e dis -e farneback --truth true.flo
  phosphene flow 0001.jpg 0002.jpg --save flow.flo
  phosphene flow flow.flo --frame 0001.jpg -o flow.png
  phosphene flow --rank photos/ -e dis:fast -e dis:medium --json
"""
_WHAT, _RESULT, _RANK = "What is known", "The result", "Ranking"
_FLOWS = (".flo", ".npz", ".npy")

Files = Annotated[
    list[Path] | None,
    typer.Argument(metavar="FIRST SECOND | FLOW | PHOTOS",
                   help="Two frames; or a file of flow; or photographs and folders for --rank."),
]  # fmt: skip
Frame = Annotated[
    Path | None,
    typer.Option(metavar="IMAGE", rich_help_panel=_WHAT,
                 help="The frame that a file of flow starts from."),
]  # fmt: skip
Truth = Annotated[
    Path | None,
    typer.Option(metavar="FLOW", rich_help_panel=_WHAT,
                 help="The true flow: errors are measured and shown."),
]  # fmt: skip
Rank = Annotated[
    bool,
    typer.Option("--rank", rich_help_panel=_RANK,
                 help="Rank estimators on cubes and moving photographs."),
]  # fmt: skip
Sequences = Annotated[
    int,
    typer.Option(min=1, metavar="N", rich_help_panel=_RANK,
                 help="Pairs of frames of each of the two worlds, each of another sequence."),
]  # fmt: skip
Size = Annotated[
    str, typer.Option(metavar="WxH", rich_help_panel=_RANK, help="Size of these frames.")
]
Seed = Annotated[
    int,
    typer.Option(min=0, metavar="N", rich_help_panel=_RANK, help="Start of the random numbers."),
]
Save = Annotated[
    Path | None,
    typer.Option("--save", "-s", metavar="FLOW", rich_help_panel=_RESULT,
                 help="Write the flow itself: .flo, KITTI's 16-bit .png, or .npz."),
]  # fmt: skip
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="OUT", rich_help_panel=_RESULT,
                 help="OUT.html, OUT.png (.jpg, .webp), or OUT/ for both and every picture.",
                 show_default="flow.html, or ranking.html; nothing with --json or --save"),
]  # fmt: skip


@grouped
def flow(
    files: Files = None,
    frame: Frame = None,
    truth: Truth = None,
    rank: Rank = False,
    sequences: Sequences = 20,
    size: Size = "320x240",
    seed: Seed = 0,
    save: Save = None,
    out: Out = None,
    json: options.AsJson = False,
    *,
    estimating: Estimating,
) -> None:
    """Find where every pixel of a frame goes until another, or show flow that is known."""
    given = list(files or [])
    if rank:
        if truth or frame or save:
            raise typer.BadParameter("--rank has truths of its own: leave --truth, --frame, --save")
        _rank(given, estimating, sequences, _sides(size), seed, out, json)
        return
    if len(given) == 2:
        if frame is not None:
            raise typer.BadParameter("--frame goes with a file of flow; here are two frames")
        if save is not None and len(estimating.names) > 1:
            raise typer.BadParameter("--save takes the flow of one estimator: name one with -e")
        _check(given, truth, save, out)
        found = _estimates(given, truth, estimating)
        numbers, known = found.as_json(), found.found[0].flow
        lines = [line_of(each) for each in numbers["estimates"]]
        finish(found, numbers, lines, known, save, out or _page("flow.html", json or save), json)
    elif len(given) == 1:
        if estimating.estimator:
            raise typer.BadParameter(
                "a file of flow needs no estimator: leave -e, or give two frames"
            )
        _check([*given, *([frame] if frame else [])], truth, save, out)
        shown = _shown(given[0], frame, truth)
        numbers = shown.as_json()
        finish(shown, numbers, lines_of(numbers), shown.flow, save,
                out or _page("flow.html", json or save), json)  # fmt: skip
    else:
        raise typer.BadParameter(
            f"{len(given)} files were given: give two frames, or one file of flow (--rank takes "
            "photographs)"
        )


def _estimates(given: Sequence[Path], truth: Path | None, estimating: Estimating) -> Estimates:
    from phosphene.motion.estimate import estimate
    from phosphene.motion.flow_files import read_flow

    for path in given:
        if path.suffix.lower() in _FLOWS:
            raise ImageError(f"{path} is flow, where a frame is needed: show flow by itself")
    known = read_flow(truth) if truth is not None else None
    first, second = (_pixels(path) for path in given)
    facts = {"frames": ", ".join(map(str, given)), **({"truth": str(truth)} if truth else {})}
    with estimating.threads():
        return estimate(first, second, estimating.open(), truth=known, facts=facts)


def _shown(path: Path, frame: Path | None, truth: Path | None) -> ShownFlow:
    from phosphene.motion.flow_files import read_flow
    from phosphene.motion.shown import ShownFlow

    try:
        flow = read_flow(path)
    except FlowError as error:
        hint = "; for the flow between two frames give both" if path.is_file() else ""
        raise FlowError(f"{error}{hint}") from None
    known = read_flow(truth) if truth is not None else None
    return ShownFlow(flow, _pixels(frame) if frame else None, known, {"flow": str(path)})


def _rank(
    given: list[Path],
    estimating: Estimating,
    sequences: int,
    size: tuple[int, int],
    seed: int,
    out: Path | None,
    json: bool,
) -> None:
    from phosphene.cli.progress import followed
    from phosphene.image import find
    from phosphene.interruption import interruptible
    from phosphene.motion.proving import proving_ground
    from phosphene.motion.ranking import rank

    photographs = find(given) if given else []
    facts = {
        "sequences": f"{sequences} of each world, seed {seed}",
        "size": f"{size[1]}x{size[0]}",
        "photographs": str(len(photographs) or "none, drawn textures"),
        "threads": str(estimating.jobs or 1),
    }
    ground = proving_ground(sequences, size, photographs, seed)
    tries = estimating.open("dis:ultrafast", "dis:fast", "dis:medium", "farneback")
    with followed("ranking") as tick, interruptible() as stop, estimating.threads(1):
        try:
            ranking = rank(
                tries,
                ground,
                facts=facts,
                tick=lambda done, _, now: tick(done, 2 * sequences, now),
                stop=stop,
            )
        except SettingError:
            if not stop():
                raise
            say("interrupted: nothing was measured", "yellow")
            raise typer.Exit(130) from None
        stopped = stop()
    place = out or _page("ranking.html", json)
    finish(ranking, ranking.as_json(), table_of(ranking), None, None, place, json)
    for name, why in ranking.failed.items():
        say(f"{name}: {why}", "red")
    if stopped:
        say("interrupted: what was measured by then is ranked", "yellow")
        raise typer.Exit(130)
    if ranking.failed:
        raise typer.Exit(1)


def _check(given: Sequence[Path], truth: Path | None, save: Path | None, out: Path | None) -> None:
    """Let no result overwrite what it is made from."""
    from phosphene.errors import OutputError
    from phosphene.motion.flow_files import SUFFIXES

    if save is not None and save.suffix.lower() not in SUFFIXES:
        raise typer.BadParameter(f"--save {save}: let it end in {', '.join(sorted(SUFFIXES))}")
    if out is not None and out.suffix.lower() in _FLOWS:
        raise typer.BadParameter(f"-o draws pictures; the flow itself goes to --save {out}")
    read = {path.resolve() for path in (*given, *([truth] if truth else []))}
    for place in (save, out):
        if place is not None and place.resolve() in read:
            raise OutputError(f"{place} would be overwritten by what is made from it: name another")
    if save is not None and out is not None and save.resolve() == out.resolve():
        raise typer.BadParameter(f"--save and -o both go to {save}: name two files")


def _pixels(path: Path) -> Pixels:
    import numpy as np

    from phosphene.image import read

    return np.array(read(path))


def _page(name: str, silent: object) -> Path | None:
    return None if silent else Path(name)


def _sides(text: str) -> tuple[int, int]:
    """Read WxH as (h, w)."""
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise typer.BadParameter(f"--size {text!r}: give width and height, as 320x240")
    return int(height), int(width)
