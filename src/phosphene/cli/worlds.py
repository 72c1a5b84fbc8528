"""`phosphene worlds`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phosphene.cli import worlds_made
from phosphene.cli.grouped import grouped

if TYPE_CHECKING:
    from phosphene.worlds.cubes import Scene

HELP = r"""Make worlds in motion: frames with the exact flow of every pixel.

There are three kinds of them:
  single-cube   a textured cube that moves and turns, under an orthographic
                camera: every face moves affinely
  multi-cube    some of them, passing before each other, in perspective
  photographs   things cut out of photographs, moving over other photographs

The folder is laid out as MPI-Sintel is, so that what reads Sintel reads it:
clean/ (frames), flow/ (.flo) and occlusions/; beside them are objects/ and
parts/, a number for every pixel. world.json says what was made, index.html
shows it. Interrupted, the same command goes on where it stopped; it makes
the same bytes, with any number of workers.

[b]Examples[/b]
  phosphene worlds single-cube -o cube/
  phosphene worlds multi-cube -o cubes/ --workers 8
  phosphene worlds photographs photos/ -o moving/ --frames 20 --size 240x320
"""
SINGLE = r"""Make sequences of a single cube under an orthographic camera.

As the thesis has it, 5 sequences of 99 frames. The flow of every face of the
cube (parts/) is exactly affine in the pixel.

[b]Examples[/b]
  phosphene worlds single-cube -o cube/
  phosphene worlds single-cube -o cube/ --photo photos/ --speed 2
"""
MULTI = r"""Make sequences of several cubes in perspective.

As the thesis has it, 45 sequences of 198 frames, the last 5 for testing. The
flow of every cube (objects/) obeys an epipolar constraint of its own.

[b]Examples[/b]
  phosphene worlds multi-cube -o cubes/ --workers 8
  phosphene worlds multi-cube -o few/ --sequences 4 --frames 10 --cubes 2
"""
PHOTOGRAPHS = r"""Make sequences of things that move affinely over photographs.

PHOTOS are what lies behind: photographs, or folders of them. What moves is
  --cutouts frames/ --masks masks/   things in photographs with masks beside
                                     them by the same names, as DAVIS has them
  --cutouts things/                  images with an alpha
  --drawn                            drawn things
  neither                            irregular pieces of other PHOTOS
Without PHOTOS, grounds are drawn, and so is what moves. Sequences for testing
have photographs and things of their own.

[b]Examples[/b]
  phosphene worlds photographs -o drawn/
  phosphene worlds photographs photos/ -o moving/ --sequences 200 --workers 8
  phosphene worlds photographs photos/ --cutouts fg/ --masks masks/ -o m/
"""
_WHAT = worlds_made.WHAT

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Out = Annotated[
    Path,
    typer.Option(
        "--out", "-o", metavar="DIR", rich_help_panel="The result", help="Folder to write to."
    ),
]


Sequences = Annotated[
    int, typer.Option(min=1, metavar="N", rich_help_panel=_WHAT, help="How many sequences.")
]
Frames = Annotated[
    int, typer.Option(min=2, metavar="N", rich_help_panel=_WHAT, help="Frames of each.")
]
Size = Annotated[
    str, typer.Option(metavar="HxW", rich_help_panel=_WHAT, help="Of a frame, in pixels.")
]
Photo = Annotated[
    list[Path] | None,
    typer.Option("--photo", metavar="PATH", rich_help_panel=_WHAT,
                 help="Photographs, or folders of them, for faces and backdrop. Repeatable.",
                 show_default="drawn textures"),
]  # fmt: skip


@app.command("single-cube", help=SINGLE)
@grouped
def single_cube(
    sequences: Sequences = 5,
    frames: Frames = 99,
    size: Size = "128x128",
    photo: Photo = None,
    *,
    making: worlds_made.Making,
    out: Out,
) -> None:
    """Make sequences of a single cube under an orthographic camera."""
    _cubes("single-cube", out, sequences, frames, size, photo, making, {})


@app.command("multi-cube", help=MULTI)
@grouped
def multi_cube(
    sequences: Sequences = 45,
    frames: Frames = 198,
    size: Size = "128x128",
    cubes: Annotated[
        str, typer.Option(metavar="A[-B]", rich_help_panel=_WHAT, help="How many cubes.")
    ] = "2-4",
    photo: Photo = None,
    *,
    making: worlds_made.Making,
    out: Out,
) -> None:
    """Make sequences of several cubes in perspective."""
    low, high = worlds_made.range_of(cubes, "--cubes")
    count = {"cubes": (worlds_made.whole(low, "--cubes"), worlds_made.whole(high, "--cubes"))}
    _cubes("multi-cube", out, sequences, frames, size, photo, making, count)


@app.command("photographs", help=PHOTOGRAPHS)
@grouped
def photographs(
    photos: Annotated[
        list[Path] | None, typer.Argument(metavar="PHOTOS", help="See above.")
    ] = None,
    cutouts: Annotated[
        list[Path] | None,
        typer.Option("--cutouts", metavar="PATH", rich_help_panel=_WHAT,
                     help="Photographs of what moves, or folders of them. Repeatable.",
                     show_default="pieces of PHOTOS"),
    ] = None,
    masks: Annotated[
        list[Path] | None,
        typer.Option("--masks", metavar="PATH", rich_help_panel=_WHAT,
                     help="Their masks: a folder, or a file for each in the same order.",
                     show_default="their alpha"),
    ] = None,
    skip_empty: Annotated[
        bool,
        typer.Option("--skip-empty", rich_help_panel=_WHAT,
                     help="Leave out cut-outs whose mask is empty, instead of refusing them."),
    ] = False,
    drawn: Annotated[
        bool, typer.Option("--drawn", rich_help_panel=_WHAT, help="Draw what moves.")
    ] = False,
    sequences: Sequences = 45,
    frames: Frames = 20,
    size: Size = "240x320",
    objects: Annotated[
        str, typer.Option(metavar="A[-B]", rich_help_panel=_WHAT, help="How many things move.")
    ] = "1-3",
    *,
    making: worlds_made.Making,
    out: Out,
) -> None:  # fmt: skip
    """Make sequences of things that move affinely over photographs."""
    if masks and not cutouts:
        raise typer.BadParameter("--masks go with --cutouts, the photographs they belong to")
    if drawn and cutouts:
        raise typer.BadParameter("--drawn things and --cutouts exclude each other")
    low, high = worlds_made.range_of(objects, "--objects")
    from phosphene.image import find
    from phosphene.worlds.moving_photographs import DrawnThings, Series, open_cutouts

    backgrounds = tuple(find(photos)) if photos else None
    found = open_cutouts(cutouts, masks or None, skip_empty=skip_empty) if cutouts else None
    things = DrawnThings() if drawn else found
    series = Series(
        count=sequences,
        test=worlds_made.held_out(making.test, sequences),
        seed=making.seed,
        backgrounds=backgrounds,
        cutouts=things,
        frames=frames,
        size=worlds_made.size_of(size),
        objects=(worlds_made.whole(low, "--objects"), worlds_made.whole(high, "--objects")),
        speed=worlds_made.range_of(making.speed, "--speed"),
    )
    about = {
        "world": "photographs", "seed": series.seed, "frames": frames, "size": series.size,
        "speed": series.speed, "objects": series.objects,
        "backgrounds": worlds_made.named(backgrounds),
        "cutouts": "pieces" if things is None and backgrounds else worlds_made.named(found),
    }  # fmt: skip
    worlds_made.write(
        out, series, worlds_made.plan_of("photographs", sequences, series.test, about), making
    )


def _cubes(
    kind: str,
    out: Path,
    sequences: int,
    frames: int,
    size: str,
    photo: list[Path] | None,
    making: worlds_made.Making,
    more: dict[str, Any],
) -> None:
    from phosphene.image import find

    textures = tuple(find(photo)) if photo else ()
    how = {
        "frames": frames,
        "size": worlds_made.size_of(size),
        "speed": worlds_made.range_of(making.speed, "--speed"),
        **more,
    }
    about = {
        "world": kind,
        "seed": making.seed,
        **how,
        "photographs": worlds_made.named(textures or None),
    }
    default = 0 if kind == "single-cube" else None
    test = worlds_made.held_out(default if making.test is None else making.test, sequences)
    make = partial(_cube_scene, kind, making.seed, photographs=textures, **how)
    worlds_made.write(out, make, worlds_made.plan_of(kind, sequences, test, about), making)


def _cube_scene(kind: str, seed: int, index: int, **how: Any) -> Scene:
    from phosphene.worlds import cubes

    make = cubes.single_cube if kind == "single-cube" else cubes.multi_cube
    return make((seed << 32) + index, **how)
