"""A MatConvNet network's description, brought to one form from the structures it is saved in.

*SimpleNN* is a cell of layers, each reading what the one before it writes. The field names changed
once: `filters` and `biases` became `weights`, `normalize` became `lrn`, and what is known about the
network moved into `meta`. *DagNN*, a graph, keeps layers (`dagnn.Conv`, with the options in a
`block`), parameters and variables by name, in any order. Either may lie in the file itself or in a
variable `net`.

Layers that measure are left out, except that SimpleNN's `softmaxloss` leaves its softmax behind.

*Reference*: `vl_simplenn_tidy.m`, `DagNN.saveobj` and `DagNN.loadobj` of MatConvNet 1.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from phosphene.errors import FormatError, nearest
from phosphene.formats.matconvnet_file import Struct, read_mat

_MODERN = {"normalize": "lrn", "softmaxloss": "softmax"}
_DAGNN = {
    "BatchNorm": "bnorm", "Concat": "concat", "Conv": "conv", "ConvTranspose": "convt",
    "Crop": "crop", "DropOut": "dropout", "LRN": "lrn", "Pooling": "pool", "ReLU": "relu",
    "Scale": "scale", "Sigmoid": "sigmoid", "SoftMax": "softmax", "Sum": "sum",
}  # fmt: skip
# What an image's variable is called, where several variables wait to be fed.
_IMAGES = ("data", "input", "image", "x0")


@dataclass(frozen=True, eq=False)
class MatLayer:
    """A layer as the file describes it.

    Attributes:
        name: Its name, `"layer7"` for the seventh if it has none.
        kind: Its type, in the words of SimpleNN.
        bottoms: Variables read.
        tops: Variables written.
        options: Its options.
        weights: Its arrays, in MatConvNet's order.
    """

    name: str
    kind: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    options: Struct
    weights: tuple[NDArray[Any], ...] = ()

    def error(self, problem: str) -> FormatError:
        """Make the error that names this layer and its file."""
        return self.options.error(problem)


@dataclass(frozen=True, eq=False)
class MatNet:
    """A network as the file describes it.

    Attributes:
        input_blob: The variable that holds the image.
        layers: The layers, in an order in which they can run.
        meta: What is said about its images and classes, under today's names.
    """

    input_blob: str
    layers: tuple[MatLayer, ...]
    meta: Struct


def read_matconvnet_net(path: Path) -> MatNet:
    """Read a network from a `.mat` file of either structure.

    Raises:
        FormatError: The file is unreadable or holds no network of MatConvNet.
    """
    file = read_mat(path)
    net = file.struct("net").at(str(path)) if "net" in file and "layers" not in file else file
    if "layers" not in net:
        raise FormatError(
            f"{path} holds no network: it has no variable `layers`, nor one in `net`; give a .mat "
            f"file as MatConvNet saves it (an object of the class DagNN as what its `saveobj` "
            f"returns)"
        )
    layers = net.structs("layers")
    # Files of the old structure hold `normalization` and `classes` beside the layers.
    meta = net.struct("meta") if "meta" in net else net
    if any("block" in layer for layer in layers) or "params" in net:
        found = list(_dagnn(net, layers))
        image = _image(found, str(path))
        return MatNet(image, tuple(_in_order(found, image)), meta)
    found = list(_simplenn(layers, str(path)))
    if not found:
        raise FormatError(f"{path} holds only layers that measure, and no network before them")
    return MatNet("x0", tuple(found), meta)


def _simplenn(layers: Sequence[Struct], path: str) -> Iterator[MatLayer]:
    bottom = "x0"
    for index, layer in enumerate(layers, 1):
        name, kind = layer.text("name") or f"layer{index}", layer.text("type")
        layer = layer.at(f"{path}: layer {name!r} ({kind or 'of no type'})")
        if kind == "loss":
            continue
        weights = layer.arrays("weights") if "weights" in layer else _old_weights(layer)
        top = f"x{index}"
        yield MatLayer(name, _MODERN.get(kind, kind), (bottom,), (top,), layer, weights)
        bottom = top


def _old_weights(layer: Struct) -> tuple[NDArray[Any], ...]:
    names = ("filters", "biases", "moments")
    return tuple(layer.array(name) for name in names if name in layer.names)


def _dagnn(net: Struct, layers: Sequence[Struct]) -> Iterator[MatLayer]:
    params = {each.text("name"): each for each in net.structs("params")}
    for index, layer in enumerate(layers, 1):
        name, kind = layer.text("name") or f"layer{index}", layer.text("type")
        place = f"{net.place}: layer {name!r} ({kind or 'of no type'})"
        layer = layer.at(place)
        word = kind.removeprefix("dagnn.")
        if "Loss" in word or "Accuracy" in word or word == "Error":
            continue
        bottoms, tops = layer.texts("inputs"), layer.texts("outputs")
        if len(tops) != 1 or not bottoms:
            raise layer.error(
                f"reads {len(bottoms)} variables and writes {len(tops)}; it has to read some and "
                f"write one"
            )
        options = layer.struct("block").at(place)
        weights = tuple(_param(layer, each, params) for each in layer.texts("params"))
        yield MatLayer(name, _DAGNN.get(word, kind), bottoms, tops, options, weights)


def _param(layer: Struct, name: str, params: Mapping[str, Struct]) -> NDArray[Any]:
    if name not in params:
        raise layer.error(
            f"needs the parameter {name!r}, which the file does not hold{nearest(name, params)}"
        )
    return params[name].array("value")


def _image(layers: Sequence[MatLayer], path: str) -> str:
    """Find the variable that is fed the image: one that layers read and none writes."""
    written = {top for layer in layers for top in layer.tops}
    fed = dict.fromkeys(b for layer in layers for b in layer.bottoms if b not in written)
    usual = [name for name in _IMAGES if name in fed]
    if len(fed) == 1 or usual:
        return usual[0] if usual else next(iter(fed))
    listed = ", ".join(map(repr, fed)) or "none"
    raise FormatError(
        f"{path} has to be fed one image, and the variables that no layer writes are: {listed}"
    )


def _in_order(layers: Sequence[MatLayer], image: str) -> Iterator[MatLayer]:
    """Put layers behind those that they read from, and otherwise leave them in their order."""
    ready, waiting = {image}, list(layers)
    while waiting:
        layer = next((each for each in waiting if ready.issuperset(each.bottoms)), None)
        if layer is None:
            missing = next(b for b in waiting[0].bottoms if b not in ready)
            raise waiting[0].error(
                f"reads {missing!r}, which no layer writes before it; a network is fed one image "
                f"here, as {image!r}"
            )
        waiting.remove(layer)
        ready.update(layer.tops)
        yield layer
