"""`phosphene layers`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from phosphene.cli import options

if TYPE_CHECKING:
    from phosphene.core.layers import Layer


def layers(
    model: Annotated[str, typer.Argument(help="demo, a .caffemodel file, or file.py:factory.")],
    weights: options.Weights = None,
    prototxt: options.Prototxt = None,
    labels: options.Labels = None,
    device: options.Device = "auto",
    input_size: options.InputSize = None,
    json: options.AsJson = False,
) -> None:
    """List a network's layers: name, kind, channels, map, and what a unit sees of the image.

    The names are those that `--layer` takes. Size, stride and centre are those of the receptive
    field in pixels of the network's input; the centre is that of the first unit.

    Example: `phosphene layers demo`
    """
    network = options.open_model(model, weights, prototxt, labels, device, input_size)
    rows = network.layers()
    if json:
        options.print_json([_as_json(layer) for layer in rows])
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{network.name}: {len(rows)} layers", title_justify="left", box=None)
    table.add_column("layer", style="bold", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    for column in ("channels", "map", "field", "stride", "centre", "weights"):
        table.add_column(column, justify="right", no_wrap=True)
    for layer in rows:
        name = f"{layer.name} ({layer.alias})" if layer.alias else layer.name
        table.add_row(name, layer.kind, *_cells(layer))
    # Piped into another program a table must not be cut to a terminal's width.
    console = Console()
    Console(width=None if console.is_terminal else 200).print(table)


def _cells(layer: Layer) -> tuple[str, ...]:
    shape, field = layer.shape, layer.field
    channels = f"{shape[0]}" if shape else ""
    side = "x".join(str(n) for n in shape[1:])
    weights = f"{layer.parameters:,}" if layer.parameters else ""
    if field is None:
        return channels, side, "", "", "", weights
    return channels, side, _pair(field.size), _pair(field.stride), _pair(field.centre), weights


def _pair(pair: tuple[float, float]) -> str:
    return f"{pair[0]:g}" if pair[0] == pair[1] else f"{pair[0]:g}x{pair[1]:g}"


def _as_json(layer: Layer) -> dict[str, Any]:
    field = layer.field
    return {
        "name": layer.name,
        "kind": layer.kind,
        "shape": list(layer.shape),
        "parameters": layer.parameters,
        "alias": layer.alias or None,
        "receptive_field": None
        if field is None
        else {"size": field.size, "stride": field.stride, "centre": field.centre},
    }
