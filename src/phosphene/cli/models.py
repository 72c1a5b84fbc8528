"""`phosphene models`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from phosphene.cli import options

if TYPE_CHECKING:
    from phosphene.zoo.shelf import Entry

HELP = r"""List the networks that can be opened, and which of them are on this machine.

Without a name: phosphene's own, what is in the caches of other packages, and
the kinds of files. With a part of a name: all networks that go by it.

[b]Examples[/b]
  phosphene models
  phosphene models torchvision:
  phosphene models convnext --json
"""


def models(
    part: Annotated[
        str, typer.Argument(metavar="[PART]", help="Part of a name, such as timm: or resnet.")
    ] = "",
    json: options.AsJson = False,
) -> None:
    """List the networks that can be opened, and which of them are on this machine."""
    from phosphene.errors import NetworkError
    from phosphene.zoo.shelf import FILES, SOURCES, installed, networks_of, own_networks

    asked = [prefix for prefix in SOURCES if part.startswith(prefix)]
    entries, notes = own_networks(), []
    for prefix, package in SOURCES.items():
        if asked and prefix not in asked:
            continue
        if not installed(package):
            notes.append(f"{prefix}NAME  needs pip install 'phosphene[{package}]'")
            continue
        try:
            found = networks_of(prefix)
        except NetworkError as error:
            notes.append(f"{prefix}NAME  {error}")
            continue
        entries += found
        notes.append(f"{prefix}NAME  {len(found)} networks: phosphene models {prefix}")
    if part:
        entries = [entry for entry in entries if part.lower() in entry.name.lower()]
    else:
        own = len(own_networks())
        entries = [*entries[:own], *(entry for entry in entries[own:] if entry.cached)]
    if json:
        options.print_json([asdict(entry) for entry in entries])
        return
    if entries:
        _table(entries)
    if not part:
        typer.echo("\nof other packages")
        for note in notes:
            typer.echo(f"  {note}")
        typer.echo("\nfiles")
        width = max(len(name) for name, _ in FILES)
        for name, what in FILES:
            typer.echo(f"  {name:<{width}}  {what}")
    elif not entries:
        options.say(f"no network goes by {part!r}", "yellow")
        for note in notes:
            if "pip install" in note:
                options.say(note)
        raise typer.Exit(1)


def _table(entries: list[Entry]) -> None:
    heads = ("name", "weights", "here", "MB", "licence")
    rows = [heads, *(_cells(entry) for entry in entries)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
    for row in rows:
        cells = [
            f"{cell:>{width}}" if i == 3 else f"{cell:<{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        typer.echo("  ".join(cells).rstrip())


def _cells(entry: Entry) -> tuple[str, ...]:
    size = "" if entry.megabytes is None else f"{entry.megabytes:.1f}"
    return entry.name, entry.weights, "yes" if entry.cached else "", size, entry.licence
