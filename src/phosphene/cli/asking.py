"""What `explain` can be asked for: its options, and what their texts mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phosphene.errors import UnitError, UnknownRule

if TYPE_CHECKING:
    from phosphene.core.attention import Rule
    from phosphene.core.rules import Reversal
    from phosphene.core.unit import Unit

_WHAT, _HOW = "What to explain", "How"
RESULT = "The result"

Photos = Annotated[
    list[Path],
    typer.Argument(metavar="PHOTO", help="Photographs, or folders of them.", readable=False),
]
Layer = Annotated[
    str | None,
    typer.Option(
        "--layer",
        "-l",
        metavar="NAME",
        help="Layer of the unit, as `phosphene layers` names it; the class scores if left out.",
        rich_help_panel=_WHAT,
    ),
]
Units = Annotated[
    list[str] | None,
    typer.Option(
        "--unit",
        "-u",
        metavar="UNIT",
        help="Channel of the layer at its strongest position (131), elsewhere (131@6,6, "
        "131@centre, 131@positive); or strongest, random, mixture, code, noise. Repeatable.",
        rich_help_panel=_WHAT,
    ),
]
Classes = Annotated[
    list[str] | None,
    typer.Option(
        "--class",
        "-c",
        metavar="CLASS",
        help="Class by name or index, at its strongest position (tabby) or elsewhere "
        "(tabby@positive). Repeatable.",
        rich_help_panel=_WHAT,
    ),
]
Rules = Annotated[
    list[str] | None,
    typer.Option(
        "--rule",
        "-r",
        metavar="RULE",
        help="A rule of those above, or RELU/POOL/LRN such as rectify/centre/identity. Repeatable.",
        show_default="saliency, deconvnet, guided",
        rich_help_panel=_HOW,
    ),
]
To = Annotated[
    str | None,
    typer.Option(
        metavar="LAYER",
        help="Stop the signal at this layer instead of the image.",
        rich_help_panel=_HOW,
    ),
]
TenCrop = Annotated[
    bool,
    typer.Option(
        "--ten-crop",
        help="Average a class's map over ten crops of the photograph; saliency, unless "
        "rules are given.",
        rich_help_panel=_HOW,
    ),
]
Whole = Annotated[
    bool,
    typer.Option(
        "--whole",
        help="Show the network the whole photograph, not its centre crop.",
        rich_help_panel=_HOW,
    ),
]
Batch = Annotated[
    int,
    typer.Option(min=1, metavar="N", help="Photographs at a time.", rich_help_panel=_HOW),
]
Seed = Annotated[
    int,
    typer.Option(
        min=0, metavar="N", help="Start of the random units' numbers.", rich_help_panel=_HOW
    ),
]
Out = Annotated[
    str | None,
    typer.Option(
        "--out",
        "-o",
        metavar="OUT",
        help="OUT.html for one page with everything inside, OUT.png (.jpg, .webp) for one "
        "picture, OUT/ for a folder with a picture and a record for each photograph; run "
        "again, an interrupted folder goes on where it stopped.",
        show_default="explanation.html; nothing with --json",
        rich_help_panel=RESULT,
    ),
]


def read_rules(texts: Sequence[str]) -> tuple[Reversal, ...]:
    """Read rules, each once; `all` are the eight architectures."""
    from phosphene.core.rules import ARCHITECTURES, Reversal

    rules: list[Reversal] = []
    try:
        for text in texts:
            rules += ARCHITECTURES if text == "all" else [Reversal.parse(text)]
    except UnknownRule as error:
        raise typer.BadParameter(str(error)) from None
    return tuple(dict.fromkeys(rules))


def read_any_rules(texts: Sequence[str]) -> tuple[Rule, ...]:
    """Read rules, of attention too, each once; `all` are the eight architectures."""
    from phosphene.core.attention import parse_rule
    from phosphene.core.rules import ARCHITECTURES

    rules: list[Rule] = []
    try:
        for text in texts:
            rules += ARCHITECTURES if text == "all" else [parse_rule(text)]
    except UnknownRule as error:
        raise typer.BadParameter(str(error)) from None
    return tuple(dict.fromkeys(rules))


def read_units(texts: Sequence[str], classes: Sequence[str], seed: int) -> tuple[Unit, ...]:
    """Read units and classes, each once, with their positions behind an `@`."""
    from phosphene.core.unit import Unit

    try:
        units = [Unit.parse(text, seed) for text in texts]
        for text in classes:
            name, _, where = text.rpartition("@") if "@" in text else (text, "", "strongest")
            units.append(Unit.of_class(name, Unit.parse(f"0@{where}").at))
    except UnitError as error:
        raise typer.BadParameter(str(error)) from None
    return tuple(dict.fromkeys(units))
