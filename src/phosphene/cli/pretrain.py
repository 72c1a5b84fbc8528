"""`phosphene pretrain`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from phosphene.cli.grouped import grouped
from phosphene.cli.pretrain_options import LEARNS, WHAT, Learning, Pixels, Running, number, whole
from phosphene.cli.pretrain_run import learn, learn_stages

HELP = r"""Teach a network by what moves, or by other things that cost no labels.

There are these systems:
  cross-pixel      what moves alike shall be embedded alike (chapter 3)
  grouping         regions whose flow one simple model explains (chapter 4)
  flow-classes     predict 16 classes of flow a direction, pixel by pixel
  flow-regression  predict flow itself
  foreground       predict what moves unlike most of the frame
  rotation         tell which way up a frame is
  supervised       tell classes of photographs, a folder each: to compare with

DATA are shards of pairs (phosphene pairs build), a world (phosphene worlds),
or a data set's folder: Sintel, KITTI, FlyingChairs, DAVIS, YouTube-Objects,
folders of frames, whose flow is estimated. Options go with it:
  --data sintel:MPI-Sintel,split=train

The folder gets network.safetensors, which all verbs take as --model, and
index.html: how the loss went, and what the network makes of some frames.
Stopped, killed or out of time, the same command goes on where it was, to the
same weights. With --workers, or started by torchrun or srun, processes learn
together what one would learn from the same batches.

[b]Examples[/b]
  phosphene pretrain cross-pixel --data pairs/ -o cross/ --loaders 8
  phosphene pretrain grouping --data cube/ -b motion-small --regions 4 -o regions/
  phosphene explain cat.jpg -m cross/network.safetensors --layer conv5
"""
CROSS_PIXEL = r"""Learn embeddings of pixels that are alike where their flow is.

Of each image 512 pixels are compared, by the cosine of their embeddings and by
a Gaussian of their flow's difference; the loss says how far the one kernel is
from the other. 96 crops of 224 pixels are a batch; Adam at 1e-4, until the
validation gets no better. Losses lie near ln 512 = 6.24 and move in the third
digit: that is as it should be.

[b]Examples[/b]
  phosphene pretrain cross-pixel --data pairs/ -o cross/ --loaders 8
  phosphene pretrain cross-pixel -d pairs/ --loss alignment -o aligned/
  phosphene pretrain cross-pixel -d cube/ -b demo --batch 8 -o small/
"""
GROUPING = r"""Learn to divide images into regions whose flow a simple model explains.

There are four kinds of models:
  affine    one affine motion a region (single cubes, Sintel)
  rigid     one epipolar geometry a region (cubes in perspective); learns best
            with --hartley --knee 0.01
  entropy   few lengths of flow in a region (videos)
  constant  one flow a region: the example the thesis begins with

Presets are the thesis's runs:
  sintel    20 sequences, 3 to validate on; affine, 5 regions
  yfcc      entropy, 10 regions, in two stages: at 128 pixels without
            normalization in fc6 and fc7, then at 224 with both begun anew
Options are in place of theirs; of yfcc, --updates are the first stage's.

[b]Examples[/b]
  phosphene pretrain grouping --data cube/ -b motion-small --regions 4 -o regions/
  phosphene pretrain grouping --preset sintel --data MPI-Sintel/ -o sintel/
  phosphene pretrain grouping --preset yfcc -d yfcc150k/ -o yfcc/ --workers 4
"""
CLASSES = r"""Learn to predict classes of flow, 16 a direction, pixel by pixel.

What cross-pixel is held against. The rate is 0.01, as in the thesis.

[b]Examples[/b]
  phosphene pretrain flow-classes --data pairs/ -o classes/
"""
REGRESSION = r"""Learn to predict flow itself, pixel by pixel.

"Did not work as well in preliminary experiments" (section 3.3.5).

[b]Examples[/b]
  phosphene pretrain flow-regression --data pairs/ -o regression/
"""
FOREGROUND = r"""Learn to predict what moves unlike most of the frame.

A simple stand-in for Pathak et al.'s masks: an affine motion is fitted to the
frame, and what departs from it is in front.

[b]Examples[/b]
  phosphene pretrain foreground --data pairs/ -o front/
"""
ROTATION = r"""Learn to tell which way up frames are (Gidaris et al., ICLR 2018).

Of the layers, the last is classified by.

[b]Examples[/b]
  phosphene pretrain rotation --data pairs/ -o rotation/
"""
SUPERVISED = r"""Learn classes of photographs: DATA/CLASS/photograph.jpg.

Of the layers, the last is classified by. Where the network's own last layer
has as many classes, it gets the weights, and the labels their names.

[b]Examples[/b]
  phosphene pretrain supervised --data photographs/ -b demo -o taught/
"""

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command("cross-pixel", help=CROSS_PIXEL, no_args_is_help=True)
@grouped
def cross_pixel(
    loss: Annotated[
        Literal["cross-entropy", "reversed", "alignment"],
        typer.Option(rich_help_panel=WHAT, help="How kernels are held against each other."),
    ] = "cross-entropy",
    sigma2: Annotated[float | None, number(WHAT, "Of the flow kernel.", "0.0036")] = None,
    learn_sigma: Annotated[
        bool, typer.Option("--learn-sigma", rich_help_panel=WHAT, help="Learn it along.")
    ] = False,
    dimensions: Annotated[int | None, whole(LEARNS, "Of embeddings.", "16")] = None,
    *,
    looking: Pixels,
    learning: Learning,
    running: Running,
) -> None:
    """Learn by cross-pixel flow similarity."""
    own = {"loss": loss, "sigma2": sigma2, "learn_sigma": learn_sigma, "dimensions": dimensions}
    learn("cross-pixel", {**learning.told(), **asdict(looking), **own}, running)


@app.command("grouping", help=GROUPING, no_args_is_help=True)
@grouped
def grouping(
    preset: Annotated[
        Literal["sintel", "yfcc"] | None,
        typer.Option(rich_help_panel=WHAT, help="A run of the thesis."),
    ] = None,
    model: Annotated[
        Literal["affine", "rigid", "entropy", "constant"] | None,
        typer.Option(rich_help_panel=WHAT, help="What explains a region's flow.",
                     show_default="affine"),
    ] = None,
    regions: Annotated[int | None, whole(WHAT, "How many regions.", "5", 2)] = None,
    beta: Annotated[float | None, number(WHAT, "How sharp they are: 10 or 30.", "10")] = None,
    deviation: Annotated[
        float | None, number(WHAT, "Of the first weights of scores: how far regions begin apart.",
                             "0.01")
    ] = None,
    reading: Annotated[
        Literal["mixed", "weighted"] | None,
        typer.Option(rich_help_panel=WHAT, show_default="mixed",
                     help="Of the affine loss: residual of the mixture, or of each region."),
    ] = None,
    through: Annotated[
        Literal["eigenvector", "residual"] | None,
        typer.Option(rich_help_panel=WHAT, show_default="eigenvector",
                     help="Where derivatives of the rigid loss go."),
    ] = None,
    hartley: Annotated[
        bool, typer.Option("--hartley", rich_help_panel=WHAT,
                           help="Normalize coordinates for the rigid loss.")
    ] = False,
    knee: Annotated[
        float | None, number(WHAT, "Of the rigid loss's smooth L1; 0.01 with --hartley.", "1")
    ] = None,
    bins: Annotated[int | None, whole(WHAT, "Of the entropy loss's histograms.", "16", 2)] = None,
    largest: Annotated[
        float | None, number(WHAT, "Flow in pixels that falls into the last of them.", "50")
    ] = None,
    magnitude: Annotated[
        bool, typer.Option("--magnitude", rich_help_panel=WHAT,
                           help="Look at lengths of flow alone, for the constant loss.")
    ] = False,
    *,
    learning: Learning,
    running: Running,
) -> None:  # fmt: skip
    """Learn to group by flow."""
    own = {
        "model": model, "regions": regions, "beta": beta, "deviation": deviation,
        "reading": reading, "through": through, "hartley": hartley or None, "knee": knee,
        "bins": bins, "largest": largest, "magnitude": magnitude or None,
    }  # fmt: skip
    told = {**learning.told(), **{name: v for name, v in own.items() if v is not None}}
    if preset is None:
        learn("grouping", told, running)
        return
    from phosphene.pretext.pretraining import preset as stages_of

    learn_stages(stages_of(preset, **told), running)


@app.command("flow-classes", help=CLASSES, no_args_is_help=True)
@grouped
def flow_classes(
    bins: Annotated[int | None, whole(WHAT, "Classes of each component.", "16", 2)] = None,
    *,
    looking: Pixels,
    learning: Learning,
    running: Running,
) -> None:
    """Learn to predict classes of flow."""
    learn("flow-classes", {**learning.told(), **asdict(looking), "bins": bins}, running)


@app.command("flow-regression", help=REGRESSION, no_args_is_help=True)
@grouped
def flow_regression(*, looking: Pixels, learning: Learning, running: Running) -> None:
    """Learn to predict flow."""
    learn("flow-regression", {**learning.told(), **asdict(looking)}, running)


@app.command("foreground", help=FOREGROUND, no_args_is_help=True)
@grouped
def foreground(*, looking: Pixels, learning: Learning, running: Running) -> None:
    """Learn to predict what moves unlike most of the frame."""
    learn("foreground", {**learning.told(), **asdict(looking)}, running)


@app.command("rotation", help=ROTATION, no_args_is_help=True)
@grouped
def rotation(*, learning: Learning, running: Running) -> None:
    """Learn which way up frames are."""
    learn("rotation", learning.told(), running)


@app.command("supervised", help=SUPERVISED, no_args_is_help=True)
@grouped
def supervised(*, learning: Learning, running: Running) -> None:
    """Learn classes of photographs."""
    learn("supervised", learning.told(), running)
