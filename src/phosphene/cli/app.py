"""The `phosphene` command."""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from phosphene.cli import (
    ablate,
    activate,
    atlas,
    caricature,
    class_model,
    compare,
    convert,
    demo,
    describe,
    diagnose,
    dissect,
    evolution,
    explain,
    find,
    flow,
    invert,
    layers,
    localize,
    models,
    occlude,
    pairs,
    pretrain,
    segment,
    serve,
    study,
    style,
    survey,
    texture,
    transfer,
    worlds,
)
from phosphene.cli.options import say
from phosphene.errors import PhospheneError, out_of_memory

_HELP = """See what a vision network sees.

[b]Start here[/b]
  phosphene demo
  phosphene explain cat.jpg --model NET.caffemodel
  phosphene invert cat.jpg --model NET.caffemodel --layer LAYER
  phosphene layers NET.caffemodel

Every command says more with --help.
"""
_MOTION = "Learning from motion"
_EPILOG = (
    "Exit codes: 0 all done, 1 something failed (and is named), 2 the command cannot be "
    "understood, 130 interrupted."
)

app = typer.Typer(
    name="phosphene",
    help=_HELP,
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("explain", help=explain.HELP, no_args_is_help=True)(explain.explain)
app.command("occlude", help=occlude.HELP, no_args_is_help=True)(occlude.occlude)
app.command("invert", help=invert.HELP, no_args_is_help=True)(invert.invert)
app.command("activate", help=activate.HELP, no_args_is_help=True)(activate.activate)
app.command("caricature", help=caricature.HELP, no_args_is_help=True)(caricature.caricature)
app.command("class-model", help=class_model.HELP, no_args_is_help=True)(class_model.class_model)
app.command("texture", help=texture.HELP, no_args_is_help=True)(texture.texture)
app.command("style", help=style.HELP, no_args_is_help=True)(style.style)
app.command("describe", help=describe.HELP, no_args_is_help=True)(describe.describe)
app.command("flow", help=flow.HELP, no_args_is_help=True, rich_help_panel=_MOTION)(flow.flow)
app.add_typer(
    pairs.app, name="pairs", help=pairs.HELP, no_args_is_help=True, rich_help_panel=_MOTION
)
app.add_typer(
    pretrain.app,
    name="pretrain",
    help=pretrain.HELP,
    no_args_is_help=True,
    rich_help_panel=_MOTION,
)
app.add_typer(
    transfer.app,
    name="transfer",
    help=transfer.HELP,
    no_args_is_help=True,
    rich_help_panel=_MOTION,
)
app.add_typer(
    worlds.app, name="worlds", help=worlds.HELP, no_args_is_help=True, rich_help_panel=_MOTION
)
app.command("segment", help=segment.HELP, no_args_is_help=True)(segment.segment)
app.command("localize", help=localize.HELP, no_args_is_help=True)(localize.localize)
app.command("dissect", help=dissect.HELP, no_args_is_help=True)(dissect.dissect)
app.command("evolution", help=evolution.HELP)(evolution.evolution)
app.command("diagnose", help=diagnose.HELP)(diagnose.diagnose)
app.command("ablate", help=ablate.HELP)(ablate.ablate)
app.command("survey", help=survey.HELP, no_args_is_help=True)(survey.survey)
app.command("serve", help=serve.HELP)(serve.serve)
app.command("atlas", help=atlas.HELP, no_args_is_help=True)(atlas.atlas)
app.command("compare", help=compare.HELP, no_args_is_help=True)(compare.compare)
app.command("find", help=find.HELP, no_args_is_help=True)(find.find)
app.command("layers", help=layers.HELP, no_args_is_help=True)(layers.layers)
app.command("models", help=models.HELP)(models.models)
app.command("convert", help=convert.HELP, no_args_is_help=True)(convert.convert)
app.command("demo", help=demo.HELP)(demo.demo)
app.command("study", help=study.HELP)(study.study)


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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; what can be foreseen to go wrong becomes one line and exit code 1.

    Args:
        arguments: Those of the process, if `None`.
    """
    try:
        # Pillow warns of large and slightly odd files, which are read all the same.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        with _terminated_is_interrupted():
            app(arguments, prog_name="phosphene")
    except (PhospheneError, MemoryError, RuntimeError) as error:
        if out_of_memory(error):
            say("phosphene: there is not enough memory: give a smaller --input-size", "red")
        elif isinstance(error, PhospheneError):
            say(f"phosphene: {error}", "red")
        else:
            raise
    except BrokenPipeError:
        pass  # whoever read the output has seen enough
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        say(f"phosphene: {where}{error.strerror or error}", "red")
    sys.exit(1)


@contextmanager
def _terminated_is_interrupted() -> Iterator[None]:
    """Let a job's end by its scheduler (SIGTERM) keep results as Ctrl-C does."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
