"""`phosphene models`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from phosphene.cli import options
from phosphene.cli.columns import in_columns

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
    from phosphene.zoo.catalogue import BORROWED
    from phosphene.zoo.shelf import FILES, installed, networks_of, own_networks

    asked = [prefix for prefix in BORROWED if part.startswith(prefix)]
    entries, notes = own_networks(), []
    for prefix, package in BORROWED.items():
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
    for line in in_columns(rows, right=(3,)):
        typer.echo(line)


def _cells(entry: Entry) -> tuple[str, ...]:
    size = "" if entry.megabytes is None else f"{entry.megabytes:.1f}"
    return entry.name, entry.weights, "yes" if entry.cached else "", size, entry.licence
