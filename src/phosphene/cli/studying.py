"""What `study` can be asked for: its options, and what their texts mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phosphene.cli.columns import for_a_person, in_columns
from phosphene.cli.options import print_json, say
from phosphene.errors import ImageError, OutputError
from phosphene.studies.registry import STUDIES

if TYPE_CHECKING:
    from phosphene.studies.findings import Findings

_WHAT, _HOW, _RESULT = "What to vary", "How", "The result"
_MOST_LINES = 40

Name = Annotated[
    str | None, typer.Argument(metavar="NAME", help="Of the study; without it they are listed.")
]
Photos = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="PHOTO",
        help="Photographs, or folders of them; the demo network brings its own. For `votes`, the "
        "files of votes.",
        readable=False,
    ),
]
Layers = Annotated[
    list[str] | None,
    typer.Option(
        "--layer",
        "-l",
        metavar="NAME",
        help="Layer, as `phosphene layers` names it. Repeatable.",
        show_default="some, spread over the depth",
        rich_help_panel=_WHAT,
    ),
]
Strengths = Annotated[
    list[str] | None,
    typer.Option(
        "--strength",
        "-C",
        metavar="C",
        help="Weight of the match against the priors; none for no prior at all. Repeatable.",
        show_default="1, 20, 100, 300",
        rich_help_panel=_WHAT,
    ),
]
Units = Annotated[
    list[int] | None,
    typer.Option(
        "--unit",
        "-u",
        metavar="CHANNEL",
        min=0,
        help="Channel, in every layer. Repeatable.",
        rich_help_panel=_WHAT,
    ),
]
Classes = Annotated[
    list[str] | None,
    typer.Option(
        "--class",
        "-c",
        metavar="CLASS",
        help="Class by name or index. Repeatable.",
        rich_help_panel=_WHAT,
    ),
]
Repeats = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Random starts of each image.",
        show_default="the paper's",
        rich_help_panel=_WHAT,
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Only the first N photographs.", rich_help_panel=_WHAT),
]
Quality = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Preset of the optimiser: speed against care.", rich_help_panel=_HOW
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Iterations for each image.",
        show_default="those of the quality",
        rich_help_panel=_HOW,
    ),
]
Batch = Annotated[
    int, typer.Option(min=1, metavar="N", help="Images at a time.", rich_help_panel=_HOW)
]
Seed = Annotated[
    int, typer.Option(min=0, metavar="N", help="Start of the random numbers.", rich_help_panel=_HOW)
]
Out = Annotated[
    str | None,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR",
        help="Folder for everything; run again, an interrupted study goes on from it.",
        show_default="study-NAME/",
        rich_help_panel=_RESULT,
    ),
]
Cells = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder for what is computed, so that studies with the same images share them.",
        show_default="that of --out",
        rich_help_panel=_RESULT,
    ),
]
List = Annotated[
    bool, typer.Option("--list", help="List the studies.", rich_help_panel=_RESULT)
]  # fmt: skip


def read_strengths(texts: Sequence[str]) -> tuple[float, ...]:
    """Read strengths, each once; `none` is infinity: no prior."""
    strengths = []
    for text in texts:
        try:
            value = math.inf if text.lower() == "none" else float(text)
        except ValueError:
            value = math.nan
        if not value > 0:
            raise typer.BadParameter(
                f"--strength {text!r} is no strength: give a positive number, or none"
            )
        strengths.append(value)
    return tuple(dict.fromkeys(strengths))


def folder(out: str) -> Path:
    """Return where a study goes.

    Raises:
        OutputError: It names a file.
    """
    path = Path(out)
    if path.is_file() or (path.suffix and not out.endswith("/") and not path.is_dir()):
        raise OutputError(f"{out} is no folder, which a study needs: write -o {path.stem}/")
    return path


def readable(
    given: list[Path], place: Path, limit: int | None
) -> tuple[list[Path], dict[str, str]]:
    """List the photographs that can be read, and say which cannot.

    Args:
        given: Files and folders.
        place: Where results go; pictures in there are no photographs.
        limit: How many at most; all if `None`.

    Returns:
        The photographs, and by the names of others what is wrong with them.
    """
    if not given:
        return [], {}
    from phosphene.image import find, read

    good: list[Path] = []
    failed: dict[str, str] = {}
    inside = place.resolve()
    files = [file for file in find(given) if not file.resolve().is_relative_to(inside)]
    if not files:
        raise ImageError("there are no photographs but phosphene's own results")
    for file in files:
        if limit is not None and len(good) >= limit:
            break
        try:
            read(file)
        except ImageError as error:
            failed[str(file)] = str(error)
            say(f"! {error}", "yellow")
        else:
            good.append(file)
    return good, failed


def summary(findings: Findings) -> list[str]:
    """Return the tables for a person, in columns, as long as they are not too long."""
    lines: list[str] = []
    for table in findings.tables:
        cells = [table.columns, *([_cell(cell) for cell in row] for row in table.rows)]
        right = range(1, len(table.columns))
        if len(lines) + len(cells) < _MOST_LINES:
            lines += [table.title, *(f"  {line}" for line in for_a_person(cells, right)), ""]
    return lines


def _cell(cell: str | float | None) -> str:
    if cell is None or isinstance(cell, str):
        return cell or ""
    return f"{cell:.3g}" if isinstance(cell, float) else str(cell)


def print_list(json: bool) -> None:
    """Print the studies: their names, what they find out, and where they come from."""
    if json:
        rows = [
            {
                "name": info.name,
                "summary": info.summary,
                "reference": info.reference,
                "needs": sorted(info.needs),
            }
            for info in STUDIES.values()
        ]
        print_json(rows)
        return
    heads = ("study", "what it finds out", "where it is from")
    table = [heads, *((i.name, i.summary, i.reference) for i in STUDIES.values())]
    for line in in_columns(table):
        typer.echo(line)
    say(
        "IJCV: Mahendran & Vedaldi 2016; Th: Mahendran's thesis, 2018. Run one by "
        "phosphene study NAME; more with --help.",
        "dim",
    )
