"""The `phosphene` command."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from phosphene.cli import demo, explain, layers
from phosphene.cli.options import errors
from phosphene.errors import PhospheneError

app = typer.Typer(
    name="phosphene",
    help="See what a vision network sees.",
    epilog="Start with: phosphene demo. Then: phosphene explain PHOTO --model NET.caffemodel",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("explain")(explain.explain)
app.command("layers")(layers.layers)
app.command("demo")(demo.demo)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"phosphene {version('phosphene')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; errors meant for people become one line and exit code 1."""
    try:
        app()
    except PhospheneError as error:
        errors.print(f"[bold red]phosphene:[/] {_plain(str(error))}", soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        errors.print("[yellow]interrupted[/]")
        sys.exit(130)


def _plain(text: str) -> str:
    """Keep brackets in an error's text from being read as markup."""
    return text.replace("[", r"\[")
