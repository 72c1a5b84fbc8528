"""`phosphene layers`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from phosphene.cli import options
from phosphene.cli.columns import in_columns

if TYPE_CHECKING:
    from phosphene.core.layers import Layer

HELP = r"""List a network's layers: name, kind, channels, map, and what a unit sees of the image.

The names are those that --layer takes. The kernel is the layer's own window,
in places of the map it reads; field, stride and centre are those of the
receptive field, in pixels of the network's input; the centre is that of the
first unit.

[b]Examples[/b]
  phosphene layers demo
  phosphene layers NET.caffemodel --json
  phosphene layers my.py:net --input-size 320x480
"""


def layers(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=options.MODEL_HELP)],
    weights: options.Weights = None,
    prototxt: options.Prototxt = None,
    labels: options.Labels = None,
    device: options.Device = "auto",
    input_size: options.InputSize = None,
    json: options.AsJson = False,
) -> None:
    """List a network's layers: name, kind, channels, map, and what a unit sees of the image."""
    network = options.open_model(model, weights, prototxt, labels, device, input_size=input_size)
    rows = network.layers()
    if json:
        options.print_json([_as_json(layer) for layer in rows])
        return
    heads = ("layer", "kind", "channels", "map", "kernel", "field", "stride", "centre", "weights")
    table = [heads, *(_cells(layer) for layer in rows)]
    for line in in_columns(table, right=range(2, len(heads))):
        typer.echo(line)


def _cells(layer: Layer) -> tuple[str, ...]:
    name = f"{layer.name} ({layer.alias})" if layer.alias else layer.name
    shape, field = layer.shape, layer.field
    channels = f"{shape[0]}" if shape else ""
    side = "x".join(str(n) for n in shape[1:])
    kernel = _pair(layer.kernel) if layer.kernel else ""
    weights = f"{layer.parameters:,}" if layer.parameters else ""
    seen = ("", "", "")
    if field is not None:
        seen = (_pair(field.size), _pair(field.stride), _pair(field.centre))
    return name, layer.kind, channels, side, kernel, *seen, weights


def _pair(pair: tuple[float, float]) -> str:
    return f"{pair[0]:g}" if pair[0] == pair[1] else f"{pair[0]:g}x{pair[1]:g}"


def _as_json(layer: Layer) -> dict[str, Any]:
    field = layer.field
    return {
        "name": layer.name,
        "kind": layer.kind,
        "shape": list(layer.shape),
        "kernel": layer.kernel,
        "parameters": layer.parameters,
        "alias": layer.alias or None,
        "receptive_field": None
        if field is None
        else {"size": field.size, "stride": field.stride, "centre": field.centre},
    }
