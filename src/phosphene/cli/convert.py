"""`phosphene convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phosphene.cli import options

HELP = r"""Write a network's weights to safetensors, with preprocessing and labels inside.

The file opens alone where the network has a name (demo, torchvision:...) or
came from a Caffe or MatConvNet file; the weights of your own code go with it
as --weights.

[b]Examples[/b]
  phosphene convert NET.caffemodel net.safetensors
  phosphene convert torchvision:resnet50 resnet50.safetensors
  phosphene convert my.py:net --weights trained.pth net.safetensors
"""


def convert(
    model: Annotated[str, typer.Argument(metavar="IN", help=options.MODEL_HELP)],
    out: Annotated[Path, typer.Argument(metavar="OUT.safetensors", help="The file to write.")],
    weights: options.Weights = None,
    prototxt: options.Prototxt = None,
    labels: options.Labels = None,
    input_size: options.InputSize = None,
    mean: options.Mean = None,
    std: options.Std = None,
    scale: options.Scale = None,
    order: options.Order = None,
    resize_to: options.ResizeTo = None,
    interpolation: options.Interpolation = None,
) -> None:
    """Write a network's weights to safetensors, with preprocessing and labels inside."""
    if out.suffix.lower() != ".safetensors":
        raise typer.BadParameter(f"{out} is no .safetensors file: give OUT.safetensors")
    network = options.open_model(
        model,
        weights,
        prototxt,
        labels,
        "cpu",
        input_size=input_size,
        mean=mean,
        std=std,
        scale=scale,
        order=order,
        resize_to=resize_to,
        interpolation=interpolation,
    )
    from phosphene.zoo.catalogue import opens_by_name
    from phosphene.zoo.packaged import write_package

    write_package(network, out, model if opens_by_name(model) else "")
    options.say(f"{out}: {out.stat().st_size / 1e6:.1f} MB, {len(network.labels)} class names")
