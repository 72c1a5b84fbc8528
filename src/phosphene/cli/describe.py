"""`phosphene describe`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from phosphene.cli import options
from phosphene.cli.grouped import grouped
from phosphene.cli.options import say
from phosphene.cli.places import claim
from phosphene.cli.records import names_of
from phosphene.errors import ImageError, NotFinite, OutOfMemory, OutputError, out_of_memory

if TYPE_CHECKING:
    from phosphene.core.network import Network
    from phosphene.descriptors import DSIFT, HOG

HELP = r"""Describe photographs by HOG or dense SIFT, in the numbers of VLFeat.

Each photograph, in gray and at its own size, becomes an .npz file with

  descriptors  (channels, rows, columns), float32
  x, y         centres of columns and rows, in pixels from 0
  norms        (rows, columns), the mean raw gradient; SIFT only
  settings     how they were made, as JSON

--variant network and --window network are the networks that the papers
inverted; they differ from VLFeat at the border, and in SIFT everywhere.

[b]Examples[/b]
  phosphene describe cat.jpg --hog
  phosphene describe cat.jpg --hogb --cell 4 --color -o cat.npz
  phosphene describe photos/ --dsift --bin 4 --step 2 -o sift/
  phosphene describe cat.jpg --hog --variant dalal-triggs
"""

_WHICH, _HOG, _SIFT = "The descriptor", "HOG alone", "SIFT alone"

Photos = Annotated[
    list[Path],
    typer.Argument(metavar="PHOTO", help="Photographs, or folders of them.", readable=False),
]
Out = Annotated[
    str | None,
    typer.Option("--out", "-o", metavar="OUT", rich_help_panel="The result",
                 help="OUT.npz for one photograph, OUT/ for a folder with a file for each.",
                 show_default="cat.hog.npz for cat.jpg, here"),
]  # fmt: skip


@dataclass(frozen=True)
class Which:
    """Which of the descriptors, and how large its cells are."""

    hog: Annotated[
        bool,
        typer.Option("--hog", help="Histograms of oriented gradients.", rich_help_panel=_WHICH),
    ] = False
    hogb: Annotated[
        bool,
        typer.Option("--hogb", rich_help_panel=_WHICH,
                     help="The same, each vote shared by two orientations: --binning bilinear."),
    ] = False  # fmt: skip
    dsift: Annotated[bool, typer.Option("--dsift", help="Dense SIFT.", rich_help_panel=_WHICH)] = (
        False
    )
    cell: Annotated[
        int,
        typer.Option("--cell", "--bin", metavar="N", min=2, rich_help_panel=_WHICH,
                     help="Side of a cell of HOG, or of a bin of SIFT, pixels."),
    ] = 8  # fmt: skip

    @property
    def name(self) -> str:
        """The one that was chosen."""
        chosen = [name for name in ("hog", "hogb", "dsift") if getattr(self, name)]
        if len(chosen) != 1:
            raise typer.BadParameter("say what describes: one of --hog, --hogb and --dsift")
        return chosen[0]


@dataclass(frozen=True)
class OfHOG:
    """What HOG alone can be asked for."""

    orientations: Annotated[
        int | None,
        typer.Option(metavar="N", min=3, help="Undirected orientations.", show_default="9",
                     rich_help_panel=_HOG),
    ] = None  # fmt: skip
    variant: Annotated[
        Literal["uoctti", "dalal-triggs", "network"] | None,
        typer.Option(help="31 channels, 36, or the papers' network of 27.", show_default="uoctti",
                     rich_help_panel=_HOG),
    ] = None  # fmt: skip
    binning: Annotated[
        Literal["hard", "bilinear", "relu"] | None,
        typer.Option(help="How votes are shared among orientations.",
                     show_default="hard; bilinear with --hogb", rich_help_panel=_HOG),
    ] = None  # fmt: skip
    exact: Annotated[
        bool,
        typer.Option("--exact", rich_help_panel=_HOG,
                     help="Bilinear shares to VLFeat's last digits, instead of to 2.5e-4."),
    ] = False  # fmt: skip
    color: Annotated[
        bool,
        typer.Option("--color", help="See colours: the steepest channel votes.",
                     rich_help_panel=_HOG),
    ] = False  # fmt: skip

    def make(self, which: Which) -> HOG:
        """Make it."""
        if which.hogb and self.binning not in (None, "bilinear"):
            raise typer.BadParameter(f"--hogb is --binning bilinear: leave out {self.binning}")
        from phosphene.descriptors import HOG

        binning = self.binning or ("bilinear" if which.hogb else "hard")
        count, variant = self.orientations or 9, self.variant or "uoctti"
        return HOG(which.cell, count, variant, binning, self.exact)


@dataclass(frozen=True)
class OfSIFT:
    """What SIFT alone can be asked for."""

    step: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Pixels from one descriptor to the next.",
                     show_default="a bin; three bins with --window network",
                     rich_help_panel=_SIFT),
    ] = None  # fmt: skip
    window: Annotated[
        Literal["gaussian", "flat", "network"] | None,
        typer.Option(help="Exact SIFT's, VLFeat's fast one, or the papers' network.",
                     show_default="gaussian", rich_help_panel=_SIFT),
    ] = None  # fmt: skip
    window_size: Annotated[
        float | None,
        typer.Option(metavar="BINS", help="Standard deviation of the window, in bins.",
                     show_default="2; 1.5 with --window network", rich_help_panel=_SIFT),
    ] = None  # fmt: skip
    bounds: Annotated[
        str | None,
        typer.Option(metavar="L,T,R,B", rich_help_panel=_SIFT,
                     help="Pixels, inclusive, among which the centres of bins lie.",
                     show_default="the whole image"),
    ] = None  # fmt: skip

    def make(self, which: Which) -> DSIFT:
        """Make it."""
        if self.window_size is not None and not self.window_size > 0:
            raise typer.BadParameter(
                f"--window-size {self.window_size:g} is none: give a number above 0"
            )
        sides = None
        if self.bounds is not None:
            parts = self.bounds.split(",")
            if len(parts) != 4 or not all(p.strip().isdecimal() for p in parts):
                raise typer.BadParameter(
                    f"--bounds {self.bounds!r} is no rectangle: write left,top,right,bottom in "
                    "pixels, as 8,8,119,87"
                )
            left, top, right, bottom = map(int, parts)
            sides = (left, top, right, bottom)
        from phosphene.descriptors import DSIFT

        return DSIFT(which.cell, self.step, self.window or "gaussian", self.window_size, sides)


@grouped
def describe(
    photos: Photos,
    *,
    which: Which,
    of_hog: OfHOG,
    of_sift: OfSIFT,
    out: Out = None,
    json: options.AsJson = False,
) -> None:
    """Describe photographs by HOG or dense SIFT, in the numbers of VLFeat."""
    name = which.name
    other, where = (of_hog, "--hog and --hogb") if name == "dsift" else (of_sift, "--dsift")
    for option, value in vars(other).items():
        if value is not None and value is not False:
            raise typer.BadParameter(f"--{option.replace('_', '-')} goes with {where}")
    descriptor = of_sift.make(which) if name == "dsift" else of_hog.make(which)
    from phosphene.cli.progress import tracked
    from phosphene.descriptors import as_network
    from phosphene.image import find

    net = as_network(descriptor, of_hog.color)
    places = _places(out, find(photos), name)
    folder = next(iter(places.values())).parent
    made = claim(folder, folder=True)
    results: list[dict[str, Any]] = []
    failed: dict[str, str] = {}
    interrupted = False
    try:
        with tracked("describing", len(places)) as step:
            for file, place in places.items():
                try:
                    results.append(_describe(net, file, place, of_hog.color))
                except (ImageError, NotFinite) as error:
                    failed[str(file)] = str(error)
                    say(f"! {'' if str(file) in str(error) else f'{file}: '}{error}", "yellow")
                else:
                    count = "{} channels x {} rows x {} columns".format(*results[-1]["shape"])
                    say(f"{file}: {count} in {place}")
                step()
    except KeyboardInterrupt:
        interrupted = True
    finally:
        if made and not results:
            with suppress(OSError):
                folder.rmdir()
    if json:
        options.print_json(
            {"settings": _settings(descriptor), "results": results, "failed": failed}
        )
    if interrupted:
        say(f"interrupted after {len(results) + len(failed)} of {len(places)}", "yellow")
        raise typer.Exit(130)
    if failed:
        raise typer.Exit(1)


def _places(out: str | None, files: Sequence[Path], kind: str) -> dict[Path, Path]:
    """Say where each photograph's numbers go."""
    path = Path(out or ".")
    if path.suffix.lower() == ".npz" and not str(out).endswith("/") and not path.is_dir():
        if len(files) > 1:
            raise OutputError(
                f"{out} is one file, and {len(files)} photographs are to be described: give a "
                "folder, as -o out/"
            )
        return {files[0]: path}
    if path.suffix and not path.is_dir() and not str(out).endswith("/"):
        raise OutputError(f"{out} is no place for numbers: end it in .npz, or in / for a folder")
    stems = {file: file.stem for file in files}
    if len(set(stems.values())) < len(files):
        stems = {file: names_of(files)[str(file)].replace("/", "-") for file in files}
    places = {file: path / f"{stem}.{kind}.npz" for file, stem in stems.items()}
    if len(set(places.values())) < len(files):
        raise OutputError("some of the photographs go by one name: describe them folder by folder")
    return places


def _describe(net: Network, file: Path, place: Path, color: bool) -> dict[str, Any]:
    """Describe one photograph, and write what was found."""
    import json

    import numpy as np
    import torch

    from phosphene.descriptors import DSIFT, HOG
    from phosphene.image import replacing
    from phosphene.provenance import versions

    image, descriptor = net.input_of(net.prepare(file)[0]), net.module
    height, width = image.shape[2:]
    assert isinstance(descriptor, HOG | DSIFT)
    try:
        with torch.no_grad():
            if isinstance(descriptor, DSIFT):
                codes, norms = (some[0].numpy() for some in descriptor.with_norms(image))
                frames = vars(descriptor.frames(height, width)).items()
                found = {name: np.array(places) for name, places in frames}
                found |= {"descriptors": codes, "norms": norms}
            else:
                found = {"descriptors": descriptor(image)[0].numpy()}
                for axis, count in zip("yx", found["descriptors"].shape[1:], strict=True):
                    found[axis] = (np.arange(count) + 0.5) * descriptor.cell - 0.5
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise OutOfMemory(
            f"{file} has more descriptors than memory holds: take larger steps, or cells"
        ) from None
    about = {"color": color, "photograph": str(file), "size": [height, width]}
    settings = {**_settings(descriptor), **about, "versions": versions()}
    with replacing(place) as written:
        np.savez(written, allow_pickle=False, settings=np.array(json.dumps(settings)), **found)
    return {"photograph": str(file), "file": str(place), "shape": [*found["descriptors"].shape]}


def _settings(descriptor: HOG | DSIFT) -> dict[str, Any]:
    """Return what a descriptor was made with, by the names of its arguments."""
    name = type(descriptor).__name__
    names = ("cell", "orientations", "variant", "binning", "exact")
    if name == "DSIFT":
        names = ("bin", "step", "window", "window_size", "bounds")
    return {"descriptor": name, **{n: getattr(descriptor, n) for n in names}}
