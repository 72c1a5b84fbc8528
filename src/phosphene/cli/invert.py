"""`phosphene invert`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phosphene.cli import preimages
from phosphene.cli.descending import Descending
from phosphene.cli.finding import Run
from phosphene.cli.grouped import grouped
from phosphene.cli.options import NetworkOptions, say

if TYPE_CHECKING:
    from phosphene.core.network import Network
    from phosphene.preimage.masks import Mask
    from phosphene.preimage.result import PreImage
    from phosphene.preimage.watch import Watch

HELP = (
    r"""Find images that a layer does not tell from a photograph.

What the images have in common is what the layer has kept; what differs it
has thrown away. The error is that of the code, relative to its length.

[b]Examples[/b]
  phosphene invert cat.jpg -m NET.caffemodel -l pool5
  phosphene invert cat.jpg -m NET.caffemodel -l fc8 -n 4 -o cat.png
  phosphene invert photos/ -l conv3 -C 100 -o out/ --movie out.gif
  phosphene invert cat.jpg -l conv2 --channels 0/2 --window 5
  phosphene invert cat.jpg --descriptor hog
  phosphene invert --code mean.safetensors -m my.py:net -l features
"""
    + preimages.EPILOG
)

Photos = Annotated[
    list[Path] | None,
    typer.Argument(metavar="PHOTO", help="Photographs, or folders of them.", readable=False),
]
Code = Annotated[
    Path | None,
    typer.Option(metavar="FILE", rich_help_panel=preimages.WHAT,
                 help="Invert codes of the layer from a .safetensors or .npy file, and no photos."),
]  # fmt: skip
Window = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, rich_help_panel=preimages.WHAT,
                 help="Match the central NxN positions of the layer only."),
]  # fmt: skip
Channels = Annotated[
    str | None,
    typer.Option(metavar="I/N", rich_help_panel=preimages.WHAT,
                 help="Match group I of N groups of channels only: 0/2 is AlexNet's first stream."),
]  # fmt: skip
Strength = Annotated[
    float | None,
    typer.Option("--strength", "-C", metavar="C", callback=preimages.positive,
                 help="Weight of the match against the priors.", rich_help_panel=preimages.WHAT,
                 show_default="the papers' for a layer of that depth, 300 to 1"),
]  # fmt: skip
SaveCode = Annotated[
    Path | None,
    typer.Option(metavar="FILE.safetensors", rich_help_panel=preimages.RESULT,
                 help="Write the photographs' codes, which --code takes."),
]  # fmt: skip


@grouped
def invert(
    photos: Photos = None,
    layer: preimages.Layer = None,
    descriptor: preimages.Descriptor = None,
    code: Code = None,
    window: Window = None,
    channels: Channels = None,
    strength: Strength = None,
    repeats: preimages.Repeats = 1,
    *,
    descending: Descending,
    save_code: SaveCode = None,
    result: preimages.Result,
    network: NetworkOptions,
) -> None:
    """Find images that a layer does not tell from a photograph."""
    if bool(photos) == bool(code):
        raise typer.BadParameter("give photographs, or codes with --code FILE: one of both")
    if code and save_code:
        raise typer.BadParameter("--save-code writes codes of photographs, and --code has codes")
    if save_code and save_code.suffix.lower() != ".safetensors":
        raise typer.BadParameter(f"--save-code {save_code}: end the name in .safetensors")
    mask = _mask(window, _group(channels))
    # Descriptors do not tell contrast: what they lead to is faint.
    result = replace(result, stretch=True) if descriptor else result
    run = Run("inversion", "inverting", result)
    files = run.to.photographs(photos) if photos else {}
    from phosphene.image import read

    if descriptor:
        preimages.of_one_size(descriptor, layer, network.model, list(files))
        from phosphene.descriptors import inversion

        recipes, usual = inversion.RECIPES, inversion.USUAL
        strength = strength or inversion.STRENGTH
    else:
        from phosphene.preimage.invert import RECIPES as recipes
        from phosphene.preimage.invert import USUAL as usual
    from phosphene.preimage import invert as library
    from phosphene.preimage.codes import Codes

    codes = Codes.open(code) if code else None
    asked: dict[str, Any] = {
        "strength": strength,
        "repeats": repeats,
        "mask": mask,
        "priors": descending.priors(),
        "quality": descending.recipe(recipes, usual),
        "seed": descending.seed,
    }
    with run:
        run.to.claim(save_code)
        if descriptor:
            net, where = inversion.network_for(descriptor), ""
            batch = descending.batch or 1
        else:
            net = network.open()
            where = preimages.a_layer(net, layer, network.model)
            batch = descending.most(net[where])

        def of_photographs(chunk: Sequence[Path], watch: Watch) -> PreImage:
            if descriptor:
                return inversion.invert(descriptor, list(chunk), batch=batch, watch=watch, **asked)
            return library.invert(net, list(chunk), where, batch=batch, watch=watch, **asked)

        def of_codes(chunk: Sequence[int], watch: Watch) -> PreImage:
            assert codes is not None
            some = Codes(codes.values[list(chunk)], size=codes.size, layer=codes.layer)
            if descriptor:
                return inversion.invert(descriptor, some, batch=batch, watch=watch, **asked)
            return library.invert(net, some, where, batch=batch, watch=watch, **asked)

        if codes is not None:
            names = [(i, codes.name(i)) for i in range(len(codes.values))]
            run.go(names, of_codes, batch, repeats=repeats)
            return
        if save_code:
            _save_codes(net, where, list(files), batch, save_code)
        run.go(files, of_photographs, batch, repeats=repeats, check=read)


def _group(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and int(number) < int(count)):
        raise typer.BadParameter(
            f"--channels {text!r} is no group: write I/N with I from 0 to N-1, as 0/2"
        )
    return int(number), int(count)


def _mask(side: int | None, part: tuple[int, int] | None) -> Mask | None:
    """Return the mask of a window, of a group of channels, or of what is in both."""
    from phosphene.preimage.masks import central, group, stream, window

    if side is not None and part is not None:
        return lambda code: window(code, side) * group(code, *part)
    if part is not None:
        return stream(*part)
    return None if side is None else central(side)


def _save_codes(net: Network, layer: str, files: Sequence[Path], batch: int, path: Path) -> None:
    import torch

    from phosphene.core.photographs import batches, prepared
    from phosphene.preimage.codes import Codes
    from phosphene.preimage.phi import cut_at

    def passed(*_: object) -> None:
        """Those that cannot be read are named when it is their turn."""

    ready = prepared(net, files, on_error=passed)
    phi = cut_at(net, layer)
    with torch.no_grad():
        codes = [phi(torch.cat([p.image for p in some])) for some in batches(ready, batch)]
    if codes:
        Codes(torch.cat(codes), layer=phi.layer).save(path)
        say(f"{path}: the codes of {sum(map(len, codes))} photographs")
