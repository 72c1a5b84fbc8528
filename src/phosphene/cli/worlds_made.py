"""Making sets of worlds: options that all of them share, writing, and the page of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phosphene.cli import options
from phosphene.cli.options import say

if TYPE_CHECKING:
    from phosphene.motion.sets import SetPlan

WHAT = "What to make"
_HOW, _RESULT = "How", "The result"


@dataclass(frozen=True)
class Making:
    """How sequences are made: options of all worlds."""

    speed: Annotated[
        str,
        typer.Option(metavar="A[-B]", rich_help_panel=WHAT,
                     help="How far things move, in pixels a frame; drawn between two."),
    ] = "1.5-4"  # fmt: skip
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", rich_help_panel=WHAT, help="Of the whole set.")
    ] = 0
    test: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", rich_help_panel=WHAT,
                     help="How many of the sequences, the last, are for testing.",
                     show_default="1 of 9, as in the thesis; none of single cubes"),
    ] = None  # fmt: skip
    workers: Annotated[
        int,
        typer.Option(min=1, metavar="N", rich_help_panel=_HOW,
                     help="Processes that share the sequences."),
    ] = 1  # fmt: skip
    shown: Annotated[
        int,
        typer.Option(min=0, metavar="N", rich_help_panel=_RESULT,
                     help="Sequences to show in index.html, evenly over all; 0 for no page."),
    ] = 6  # fmt: skip
    json: options.AsJson = False


def plan_of(kind: str, sequences: int, test: int, about: dict[str, Any]) -> SetPlan:
    """Name the sequences of a set; the last ones are for testing."""
    from phosphene.motion.sets import SetPlan

    digits = max(3, len(str(sequences - 1)))
    names = tuple(f"{kind}_{i:0{digits}d}" for i in range(sequences))
    first = sequences - test
    splits = {"train": names[:first], "test": names[first:]} if test else {}
    return SetPlan(names, about, splits)


def write(out: Path, make: Any, plan: SetPlan, making: Making) -> None:
    """Write a set and its page, and say what there is now.

    Args:
        out: Folder.
        make: From a sequence's number to the sequence.
        plan: What the set consists of.
        making: How, and what to show.
    """
    from phosphene.cli.progress import followed
    from phosphene.motion.sets import read_set, write_set

    try:
        with followed("sequences") as tick:
            written = write_set(
                out,
                make,
                plan,
                workers=making.workers,
                tick=lambda done, total: tick(done, total, "sequences"),
            )
    except KeyboardInterrupt:
        done = sum((out / "clean" / name).is_dir() for name in plan.names)
        say(
            f"interrupted after {done} of {len(plan.names)} sequences; the same command goes on "
            "from here",
            "yellow",
        )
        raise typer.Exit(130) from None
    found = read_set(out)
    frames = sum(each.frames for each in found)
    page = None
    if making.shown:
        from phosphene.cli.worlds_shown import page_of
        from phosphene.view import save

        page = save(page_of(found, making.shown), out / "index.html")
    if making.json:
        facts = {"folder": str(out), "all_frames": frames, "written": written, **found.facts}
        options.print_json(facts)
    else:
        there = "" if written else ", all there already"
        end = f"open {page}" if page else f"in {out}"
        say(f"{len(found)} sequences, {frames} frames{there}: {end}")


def held_out(given: int | None, sequences: int) -> int:
    """Say how many sequences are for testing."""
    test = round(sequences / 9) if given is None else given
    if test >= sequences:
        raise typer.BadParameter(
            f"--test {test} leaves none of {sequences} sequences to train on: give fewer"
        )
    return test


def size_of(text: str) -> tuple[int, int]:
    """Read (h, w)."""
    size = options.read_size(text, "--size")
    assert size is not None
    return size


def range_of(text: str, option: str) -> tuple[float, float]:
    """Read `2` or `1.5-4`."""
    try:
        low, high = (float(part) for part in (text.split("-") if "-" in text else (text, text)))
    except ValueError:
        raise typer.BadParameter(f"{option} {text!r} is no range: give 2 or 1-4") from None
    return low, high


def whole(number: float, option: str) -> int:
    """Take a number that has to be whole."""
    if not number.is_integer():
        raise typer.BadParameter(f"{option} takes whole numbers, as 2 or 1-3, not {number:g}")
    return int(number)


def named(files: tuple[Any, ...] | None) -> str:
    """Tell files by how many there are, and a hash of their names."""
    if files is None:
        return "drawn"
    from hashlib import sha256

    names = "\n".join(map(str, files))
    return f"{len(files)} files, SHA-256 of names {sha256(names.encode()).hexdigest()[:16]}"
