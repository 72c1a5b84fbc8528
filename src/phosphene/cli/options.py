"""Options that several verbs share, and what they make."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from phosphene.core.network import Network

_NETWORK = "The network"
_PREPROCESSING = "How the network is shown a photograph (its own way, unless said here)"

MODEL_HELP = (
    "demo, torchvision:NAME, timm:NAME, hf:NAME, a file (Caffe, MatConvNet, TorchScript, "
    "torch.export, safetensors), or FILE.py:FUNCTION; phosphene models lists them."
)

Model = Annotated[
    str,
    typer.Option("--model", "-m", metavar="MODEL", help=MODEL_HELP, rich_help_panel=_NETWORK),
]
Weights = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Weights in place of its own, safetensors or a state dict.",
                 rich_help_panel=_NETWORK),
]  # fmt: skip
Prototxt = Annotated[
    Path | None,
    typer.Option(metavar="FILE", rich_help_panel=_NETWORK,
                 help="Description of a caffemodel, if not NET.prototxt or deploy.prototxt."),
]  # fmt: skip
Labels = Annotated[
    Path | None,
    typer.Option(metavar="FILE", rich_help_panel=_NETWORK,
                 help="Class names: CSV with a column 'name', or one name a line."),
]  # fmt: skip
Device = Annotated[
    str,
    typer.Option(metavar="NAME", help="cpu, cuda, or auto for the best there is.",
                 rich_help_panel=_NETWORK),
]  # fmt: skip
InputSize = Annotated[
    str | None,
    typer.Option(metavar="HxW", help="Size of its input, as 224x224.",
                 rich_help_panel=_PREPROCESSING),
]  # fmt: skip
Mean = Annotated[
    str | None,
    typer.Option(metavar="A,B,C", help="Subtracted per channel, as 104,117,123.",
                 rich_help_panel=_PREPROCESSING),
]  # fmt: skip
Std = Annotated[
    str | None,
    typer.Option(metavar="A,B,C", help="Divided by per channel, as 0.229,0.224,0.225.",
                 rich_help_panel=_PREPROCESSING),
]  # fmt: skip
Scale = Annotated[
    float | None,
    typer.Option(metavar="1|255", help="Range of its pixels.", rich_help_panel=_PREPROCESSING),
]
Order = Annotated[
    Literal["RGB", "BGR", "gray"] | None,
    typer.Option(help="Order of its channels.", rich_help_panel=_PREPROCESSING),
]
ResizeTo = Annotated[
    int | None,
    typer.Option(metavar="PIXELS", min=1, help="Shorter side before the centre crop.",
                 rich_help_panel=_PREPROCESSING),
]  # fmt: skip
Interpolation = Annotated[
    Literal["bilinear", "bicubic"] | None,
    typer.Option(help="Kernel of the resize.", rich_help_panel=_PREPROCESSING),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print JSON for scripts, and nothing else, to stdout.",
                 rich_help_panel="The result"),
]  # fmt: skip

Batch = Annotated[
    int, typer.Option(min=1, metavar="N", rich_help_panel="How", help="Images at a time.")
]
OutFolder = Annotated[
    Path,
    typer.Option("--out", "-o", metavar="DIR", rich_help_panel="The result",
                 help="Folder to write to."),
]  # fmt: skip

# Files that hold a network with its weights.
_WHOLE = (".caffemodel", ".mat", ".pt", ".pth", ".pt2", ".safetensors")

terminal = Console(stderr=True, highlight=False, emoji=False)
"""Where everything but results goes: standard error."""


def say(text: str, style: str = "") -> None:
    """Print a line for a person to standard error, as it stands."""
    terminal.print(Text(text, style=style), soft_wrap=True)


def open_model(
    model: str,
    weights: Path | None = None,
    prototxt: Path | None = None,
    labels: Path | None = None,
    device: str = "auto",
    *,
    input_size: str | None = None,
    mean: str | None = None,
    std: str | None = None,
    scale: float | None = None,
    order: str | None = None,
    resize_to: int | None = None,
    interpolation: str | None = None,
) -> Network:
    """Open the network that the options name, and say how it is shown its images."""
    if weights and (model == "demo" or model.lower().endswith(_WHOLE)):
        raise typer.BadParameter(
            "--weights go with --model FILE.py:FUNCTION, or another network that is made by code"
        )
    if prototxt and not model.lower().endswith(".caffemodel"):
        raise typer.BadParameter("--prototxt goes with --model NET.caffemodel")
    if scale is not None and not 0 < scale < math.inf:
        raise typer.BadParameter(f"--scale {scale:g} is no range of pixels: give 1 or 255")
    size = read_size(input_size, "--input-size")
    means, stds = _floats(mean, "--mean"), _floats(std, "--std")
    if stds and not all(stds):
        raise typer.BadParameter("--std must not be 0")
    from phosphene.zoo.catalogue import Overrides, open_network

    overrides = Overrides(size, means, stds, scale, order, resize_to, interpolation)
    network = open_network(
        model,
        weights=weights,
        prototxt=prototxt,
        labels=labels,
        overrides=overrides,
        device=device,
    )
    guessed = model.lower().endswith(".caffemodel") and not any(vars(overrides).values())
    assumed = " (assumed, as Caffe's files do not say; options override it)" if guessed else ""
    say(f"{network.name} on {network.device}, shown {network.preprocessing}{assumed}", "dim")
    if network.labels and len(network.labels) != network.classes:
        say(
            f"! {len(network.labels)} class names were given, and {network.name} has "
            f"{network.classes} classes: names may be wrong",
            "yellow",
        )
    return network


@dataclass(frozen=True)
class NetworkOptions:
    """The network, and how it is shown photographs: all options of `open_model`."""

    model: Model = "demo"
    weights: Weights = None
    prototxt: Prototxt = None
    labels: Labels = None
    device: Device = "auto"
    input_size: InputSize = None
    mean: Mean = None
    std: Std = None
    scale: Scale = None
    order: Order = None
    resize_to: ResizeTo = None
    interpolation: Interpolation = None

    def open(self) -> Network:
        """Open the network, and say how it is shown its images."""
        return open_model(**vars(self))

    def reopen(self) -> Network:
        """Open the network in another process, which says nothing."""
        from contextlib import redirect_stderr
        from io import StringIO

        with redirect_stderr(StringIO()):
            return self.open()

    def origin(self, network: Network) -> dict[str, Any]:
        """Tell what a network was made from, as its files may change.

        Files of weights are told by size and time; Python files of the user's, and what they have
        imported from beside them, by what they hold.
        """
        from phosphene.provenance import sources, versions
        from phosphene.zoo.catalogue import RANDOM

        model = self.model.removesuffix(RANDOM)
        code = ".py:" in model
        path = Path(model.rpartition(":")[0] if code else model)
        beside = [path.with_suffix(".prototxt"), path.with_name("deploy.prototxt")]
        named = (*(() if code else (path, *beside)), self.weights, self.prototxt)
        stats = {str(p): p.stat() for p in named if p and p.is_file()}
        return {
            "model": self.model,
            "files": {name: (stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()},
            "code": sources(path) if code else {},
            "sees": network.preprocessing,
            "labels": network.labels,
            "phosphene": versions()["phosphene"],
        }


def device_named(name: str) -> str:
    """Return where training runs: what was named, or for `auto` a GPU if there is one."""
    if name != "auto":
        return name
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def print_json(value: Any) -> None:
    """Print a value as JSON to standard output."""
    import json

    typer.echo(json.dumps(value, indent=2))


def read_size(text: str | None, option: str) -> tuple[int, int] | None:
    """Read (h, w) as in `224x320`; a single number is both.

    Args:
        text: What was given.
        option: The option it was given to.
    """
    if text is None:
        return None
    parts = text.lower().split("x")
    if not all(p.isascii() and p.isdigit() and int(p) for p in parts) or len(parts) > 2:
        raise typer.BadParameter(f"{option} {text!r} is no size: give 224 or 224x320")
    return int(parts[0]), int(parts[-1])


def _floats(text: str | None, name: str) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not values or not all(map(math.isfinite, values)):
        raise typer.BadParameter(f"{name} {text!r} is no list of numbers: write it as 104,117,123")
    return values
