"""Weights that know how they want their images: safetensors with a network's metadata inside.

The header of a safetensors file has room for text. `write_package` puts there, as JSON, what one
needs beside the weights: preprocessing, class names, other names of layers, and which
architecture they belong to. That is a name of the catalogue, or for networks read from Caffe's or
MatConvNet's files the layers themselves; such a file opens alone. For any other network the
architecture is the user's own code, and has to be given.
"""

from __future__ import annotations

import base64
import inspect
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import MeanImage, Preprocessing
from phosphene.errors import FormatError, PhospheneError, UnknownModel
from phosphene.formats.layer_graph import LayerGraph, LayerSpec
from phosphene.formats.layers import KINDS
from phosphene.image import replacing
from phosphene.zoo.borrowed import RANDOM

# Version of what stands in the header.
LAYOUT = "1"


def write_package(network: Network, path: str | Path, architecture: str = "") -> None:
    """Write a network's weights with its preprocessing and labels.

    Args:
        network: The network.
        path: The file to write, `.safetensors`.
        architecture: Its name in the catalogue; empty where it has none.

    Raises:
        OutputError: The file cannot be written.
        FormatError: The network holds what is no tensor, or nothing at all.
    """
    import safetensors.torch

    state = network.module.state_dict()
    other = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if other or not state:
        what = f"state that is no tensor ({other[0]!r})" if other else "no weights"
        raise FormatError(f"{network.name} holds {what}: there is nothing safetensors could keep")
    header = {
        "format": "pt",
        "phosphene": LAYOUT,
        "name": network.name,
        "architecture": architecture.removesuffix(RANDOM),
        "preprocessing": json.dumps(asdict(network.preprocessing), default=_text),
        "labels": json.dumps(network.labels, ensure_ascii=False),
        "aliases": json.dumps(network.aliases, ensure_ascii=False),
    }
    if isinstance(network.module, LayerGraph):
        header["graph"] = json.dumps(_describe(network.module))
    elif (padding := _padded(network.module)) is not None:
        header["padding"] = str(padding)
    # Copies: safetensors keeps no two names for one memory, as modules that share weights have.
    tensors = {name: value.detach().cpu().clone().contiguous() for name, value in state.items()}
    stored = safetensors.torch.save(tensors, header)
    with replacing(path) as file:
        file.write(stored)


def read_header(path: str | Path) -> dict[str, str]:
    """Return what a safetensors file says beside its weights.

    Raises:
        FormatError: The file is missing or damaged.
    """
    import safetensors

    if not Path(path).is_file():
        raise FormatError(f"there is no file of weights {path}: check the path")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (safetensors.SafetensorError, OSError) as error:
        raise FormatError(f"{path} is no whole safetensors file ({error})") from None


def open_package(path: Path) -> Network:
    """Open a file of `write_package` by itself.

    Raises:
        UnknownModel: It does not say which architecture it belongs to, or that is not known here.
        FormatError: The file is missing or damaged, or its weights do not fit.
    """
    from phosphene.zoo.factory import load_weights

    header = read_header(path)
    architecture = header.get("architecture", "")
    if "graph" in header:
        network = Network(_rebuild(header["graph"], path), name=path.stem)
        load_weights(network.module, path)
    elif architecture:
        from phosphene.zoo.catalogue import open_network

        try:
            network = open_network(architecture, weights=path)
        except UnknownModel as error:
            raise UnknownModel(f"{path} holds weights of {architecture!r}: {error}") from error
        _pad(network.module, header.get("padding", ""), path)
    else:
        raise UnknownModel(
            f"{path} holds weights and no architecture: give --model file.py:factory and these as "
            "--weights"
        )
    restore(network, path)
    return network


def _padded(module: nn.Module) -> int | None:
    """Return by how much the first convolution pads, on all sides alike.

    Fully convolutional networks pad by 100 there and have the weights of those that do not.
    """
    first = next((layer for layer in module.modules() if isinstance(layer, nn.Conv2d)), None)
    if first is None or isinstance(first.padding, str):
        return None
    sides = {int(side) for side in first.padding}
    return sides.pop() if len(sides) == 1 else None


def _pad(module: nn.Module, said: str, path: Path) -> None:
    from phosphene.zoo.fcn import pad_first

    if not said:
        return
    if not said.isdecimal() or len(said) > 3:
        raise FormatError(f"{path}: its first layer cannot be padded by {said[:20]!r} pixels")
    if _padded(module) not in (None, int(said)):
        pad_first(module, int(said))


def restore(network: Network, path: str | Path) -> None:
    """Give a network the preprocessing, labels and aliases that come with its weights, if any do.

    Raises:
        FormatError: The file is damaged.
    """
    header = read_header(path)
    if "preprocessing" not in header:
        return
    try:
        said = {name: _tuples(value) for name, value in json.loads(header["preprocessing"]).items()}
        if (mean := said.pop("mean_image", None)) is not None:
            said["mean_image"] = MeanImage(mean["shape"], base64.b64decode(mean["data"]))
        network.preprocessing = Preprocessing(**said)
        network.labels = tuple(map(str, json.loads(header.get("labels", "[]"))))
        network.aliases = dict(json.loads(header.get("aliases", "{}")))
    except (ValueError, TypeError, AttributeError, PhospheneError) as error:
        raise FormatError(f"{path}: its metadata cannot be understood ({error})") from error
    network.name = header.get("name") or network.name


def _describe(graph: LayerGraph) -> dict[str, Any]:
    """Say which layers a graph runs, without their weights."""
    layers = [
        {
            "name": step.child,
            "kind": (child := graph.get_submodule(step.child)).__class__.__name__,
            "bottoms": step.bottoms,
            "tops": step.tops,
            "options": _options(child),
        }
        for step in graph._steps
    ]
    return {"input": graph._input, "size": graph.input_size, "layers": layers}


def _options(module: nn.Module) -> dict[str, Any]:
    """Return the arguments a layer was made with: modules keep them under the same names."""
    options = {}
    for name, parameter in inspect.signature(type(module).__init__).parameters.items():
        value = getattr(module, name, _UNSAID)
        if name == "channels" and isinstance(weight := getattr(module, "weight", None), Tensor):
            value = len(weight)  # a scale per channel keeps no other number
        if parameter.kind not in _NAMED or value is _UNSAID or name in ("device", "dtype"):
            continue
        if isinstance(value, Tensor) or (value is None and parameter.annotation in (bool, "bool")):
            value = value is not None  # a bias is kept as itself
        if value != parameter.default:
            options[name] = value
    return options


_UNSAID = object()
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def _rebuild(text: str, path: Path) -> LayerGraph:
    try:
        said = json.loads(text)
        specs = [
            LayerSpec(
                str(layer["name"]),
                str(layer["kind"]),
                tuple(map(str, layer["bottoms"])),
                tuple(map(str, layer["tops"])),
                {name: _tuples(value) for name, value in layer["options"].items()},
            )
            for layer in said["layers"]
        ]
        unknown = next((spec.kind for spec in specs if spec.kind not in KINDS), None)
        if unknown is not None:
            raise ValueError(f"there is no layer of kind {unknown!r}")
        channels, height, width = said["size"]
        return LayerGraph(specs, str(said["input"]), (channels, height, width)).eval()
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
        raise FormatError(f"{path}: its layers cannot be understood ({error})") from error


def _tuples(value: Any) -> Any:
    """Turn JSON's lists into the tuples they were."""
    if isinstance(value, dict):
        return {name: _tuples(entry) for name, entry in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _text(data: bytes) -> str:
    """Write the numbers of a mean image as text."""
    return base64.b64encode(data).decode()
