"""`phosphene transfer`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from phosphene.cli.grouped import grouped
from phosphene.cli.options import MODEL_HELP
from phosphene.cli.pretrain_options import HOW, RESULT, number, whole
from phosphene.cli.transfer_run import Asked, measure

WHAT, LONG = "What is measured", "How long"

HELP = r"""Measure what the features of networks are worth for other tasks.

There are these protocols, with the constants of their authors:
  classification  VOC 2007, fine-tuned or frozen; mean average precision
  detection       VOC 2007, Fast R-CNN; mean average precision
  segmentation    VOC 2012, sparse hypercolumns or FCN-32s; mean IoU
  probing         linear probes of many layers at once (ImageNet); top-1
  retrained       a softmax from some images a class (Caltech); accuracy

DATA is a data set's folder: VOC, SBD, ImageNet, Caltech, COCO, tar shards, or
a folder for each class. Options go with it: --test voc07:VOC2007,split=test
Any number of networks is compared, with the same seeds, and what the thesis's
tables report is printed beside, as quoted.

The folder gets index.html, tables (Markdown, LaTeX, CSV), compared.json, and a
folder for each run. Stopped, the same command goes on where it was. With
--workers, or started by torchrun or srun, processes share every batch.

[b]Examples[/b]
  phosphene transfer probing photos/ --held-out 0.3 -m a.pt -m b.pt -o worth/
  phosphene transfer classification VOC2007/ -m demo --layer relu7 -o worth/
  phosphene transfer probing --constants
"""
CLASSIFICATION = r"""Fine-tune for VOC 2007 classification (Kraehenbuehl et al., ICLR 2016).

A sigmoid a class on one layer, 80,000 updates of 16 crops, tested on ten; "s3"
is the thesis's longer schedule of chapter 4.

[b]Examples[/b]
  phosphene transfer classification VOC2007/ -m demo --layer relu7 -o worth/
  phosphene transfer classification VOC2007/ -m demo --layer relu7 \
    --with frozen=yes --updates 500 -o quick/
"""
DETECTION = r"""Fine-tune Fast R-CNN for VOC 2007 detection (Girshick, ICCV 2015).

150,000 updates of 2 photographs. Boxes are proposed by selective search of
OpenCV, or read: --with proposals=voc_2007_trainval.mat

[b]Examples[/b]
  phosphene transfer detection VOC2007/ -m motion-alexnet -o worth/
  phosphene transfer detection VOC2007/ -m demo --layer relu5 --updates 500 -o q/
"""
SEGMENTATION = r"""Fine-tune for VOC 2012 segmentation (Larsson et al., CVPR 2017).

A perceptron on hypercolumns at 128 points of a crop. A first stage, on nine
tenths of the data, finds out when the rate shall fall; a second, on all, does
as the first did.

[b]Examples[/b]
  phosphene transfer segmentation VOC2012/ -m motion-alexnet -o worth/
  phosphene transfer segmentation VOC2012/ -m demo --layers relu3,relu5 \
    --with falls=400,500 -o quick/
"""
PROBING = r"""Tell classes by linear probes of many layers, all at once (Zhang et al.).

The network is frozen, its maps are resized to about 9,000 numbers a layer.
--with cached=yes keeps features of centre crops on disk, a protocol of its own.

[b]Examples[/b]
  phosphene transfer probing ImageNet/ -m a.safetensors -m demo -o worth/
  phosphene transfer probing photos/ --held-out 0.3 -m demo --updates 500 -o q/
"""
RETRAINED = r"""Train a softmax on one layer, from some images a class (Zeiler and Fergus).

[b]Examples[/b]
  phosphene transfer retrained 101_ObjectCategories/ -m demo --layer relu7 -o w/
  phosphene transfer retrained photos/ -m demo --layer relu7 \
    --with teacher=logistic --with counts=1,5,10 -o quick/
"""

app = typer.Typer(no_args_is_help=True)


@dataclass(frozen=True)
class Comparing:
    """Options of all protocols."""

    data: Annotated[
        str, typer.Argument(metavar="DATA", help="A data set: its usual splits, or --test's.")
    ] = ""
    test: Annotated[
        str | None,
        typer.Option(metavar="DATA", rich_help_panel=WHAT, show_default="the usual split",
                     help="What to test with; DATA is then what to learn from alone."),
    ] = None  # fmt: skip
    held_out: Annotated[
        float | None,
        number(WHAT, "Test with a random share of DATA, which has no splits.", "none"),
    ] = None
    model: Annotated[
        list[str],
        typer.Option("--model", "-m", metavar="MODEL", rich_help_panel=WHAT,
                     help=f"Repeatable: a row each. {MODEL_HELP}"),
    ] = ("demo",)  # type: ignore[assignment] # fmt: skip
    layer: Annotated[
        str | None,
        typer.Option("--layer", "--layers", metavar="A,B", rich_help_panel=WHAT,
                     show_default="the protocol's", help="Layer, or layers, that are read."),
    ] = None  # fmt: skip
    constants: Annotated[
        bool,
        typer.Option("--constants", rich_help_panel=WHAT,
                     help="List the protocol's constants, and end."),
    ] = False  # fmt: skip
    given: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="NAME=VALUE", rich_help_panel=WHAT,
                     help="Another value of a constant. Repeatable."),
    ] = None  # fmt: skip
    seeds: Annotated[
        str,
        typer.Option(metavar="N,N", rich_help_panel=WHAT,
                     help="One run a seed; means and spreads are shown."),
    ] = "0"  # fmt: skip
    updates: Annotated[
        int | None, whole(LONG, "Updates; rates fall in proportion.", "the protocol's")
    ] = None
    rate: Annotated[float | None, number(LONG, "Step length.", "the protocol's")] = None
    batch: Annotated[int | None, whole(LONG, "Images of a batch.", "the protocol's")] = None
    loaders: Annotated[
        int, whole(HOW, "Processes that read photographs, for each worker.", "", 0)
    ] = 0
    workers: Annotated[
        int, whole(HOW, "Processes that learn together; each takes a GPU, if there are any.")
    ] = 1
    device: Annotated[
        str, typer.Option(metavar="NAME", rich_help_panel=HOW, help="cpu, cuda, mps or auto.")
    ] = "auto"
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", rich_help_panel=RESULT,
                     help="Folder to write to, and to go on from."),
    ] = None  # fmt: skip
    json: Annotated[
        bool,
        typer.Option("--json", rich_help_panel=RESULT,
                     help="Print JSON for scripts, and nothing else, to stdout."),
    ] = False  # fmt: skip


def _measured(protocol: str, comparing: Comparing, preset: str | None = None) -> None:
    told = {**vars(comparing), "models": tuple(comparing.model), "given": comparing.given or ()}
    del told["model"]
    measure(protocol, Asked(**told, preset=preset))


@app.command("classification", help=CLASSIFICATION, no_args_is_help=True)
@grouped
def classification(
    preset: Annotated[
        str | None, typer.Option(metavar="NAME", rich_help_panel=WHAT, help="thesis or s3.")
    ] = None,
    *,
    comparing: Comparing,
) -> None:
    """Measure classification."""
    _measured("classification", comparing, preset)


@app.command("detection", help=DETECTION, no_args_is_help=True)
@grouped
def detection(*, comparing: Comparing) -> None:
    """Measure detection."""
    _measured("detection", comparing)


@app.command("segmentation", help=SEGMENTATION, no_args_is_help=True)
@grouped
def segmentation(*, comparing: Comparing) -> None:
    """Measure segmentation."""
    _measured("segmentation", comparing)


@app.command("probing", help=PROBING, no_args_is_help=True)
@grouped
def probing(*, comparing: Comparing) -> None:
    """Measure by linear probes."""
    _measured("probing", comparing)


@app.command("retrained", help=RETRAINED, no_args_is_help=True)
@grouped
def retrained(
    preset: Annotated[
        str | None,
        typer.Option(metavar="NAME", rich_help_panel=WHAT, help="caltech-101 or caltech-256."),
    ] = None,
    *,
    comparing: Comparing,
) -> None:
    """Measure by a retrained softmax."""
    _measured("retrained", comparing, preset)
