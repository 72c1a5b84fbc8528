"""Options that several verbs share, and what they make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from phosphene.core.network import Network

_NETWORK = "The network"
_PREPROCESSING = "What the network sees (its own, unless said here)"

Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="demo, a .caffemodel file, or file.py:factory.",
        rich_help_panel=_NETWORK,
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(help="Weights for file.py:factory: safetensors or a state dict.",
                 rich_help_panel=_NETWORK),
]  # fmt: skip
Prototxt = Annotated[
    Path | None,
    typer.Option(help="Description of a caffemodel, if it is not beside it.",
                 rich_help_panel=_NETWORK),
]  # fmt: skip
Labels = Annotated[
    Path | None,
    typer.Option(help="Class names: CSV with a column 'name', or a name a line.",
                 rich_help_panel=_NETWORK),
]  # fmt: skip
Device = Annotated[
    str, typer.Option(help="cpu, cuda, or auto for the best there is.", rich_help_panel=_NETWORK)
]
InputSize = Annotated[
    str | None,
    typer.Option(help="Height and width, as 224x224.", rich_help_panel=_PREPROCESSING),
]
Mean = Annotated[
    str | None,
    typer.Option(help="Per channel, as 104,117,123.", rich_help_panel=_PREPROCESSING),
]
Std = Annotated[
    str | None, typer.Option(help="Per channel, as 1,1,1.", rich_help_panel=_PREPROCESSING)
]
Scale = Annotated[
    float | None,
    typer.Option(help="Range of its pixels: 1 or 255.", rich_help_panel=_PREPROCESSING),
]
Order = Annotated[
    str | None, typer.Option(help="RGB, BGR or gray.", rich_help_panel=_PREPROCESSING)
]
ResizeTo = Annotated[
    int | None,
    typer.Option(help="Shorter side after the resize, pixels.", rich_help_panel=_PREPROCESSING),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]

errors = Console(stderr=True, highlight=False)


def open_model(
    model: str,
    weights: Path | None = None,
    prototxt: Path | None = None,
    labels: Path | None = None,
    device: str = "auto",
    input_size: str | None = None,
    mean: str | None = None,
    std: str | None = None,
    scale: float | None = None,
    order: str | None = None,
    resize_to: int | None = None,
) -> Network:
    """Open the network that the options name, and say how it sees its images."""
    from phosphene.zoo.catalogue import Overrides, open_network

    if order not in (None, "RGB", "BGR", "gray"):
        raise typer.BadParameter(f"{order!r} is no channel order: RGB, BGR or gray")
    overrides = Overrides(
        _size(input_size), _floats(mean, "mean"), _floats(std, "std"), scale, order, resize_to
    )
    network = open_network(
        model,
        weights=weights,
        prototxt=prototxt,
        labels=labels,
        overrides=overrides,
        device=device,
    )
    errors.print(
        f"[dim]{network.name}: {network.preprocessing}, on {network.device}[/dim]", soft_wrap=True
    )
    return network


def print_json(value: Any) -> None:
    """Print a value as JSON to standard output."""
    import json

    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    parts = text.lower().split("x")
    if not all(p.isdigit() and int(p) for p in parts) or len(parts) > 2:
        raise typer.BadParameter(f"{text!r} is no size: give 224 or 224x320")
    return int(parts[0]), int(parts[-1])


def _floats(text: str | None, name: str) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no {name}: give numbers, as 104,117,123") from None
