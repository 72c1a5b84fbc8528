"""A Caffe network's description: which layers a `.prototxt` holds for use, and what feeds them.

One file may describe several networks: layers say in `include` and `exclude` whether they are for
training (`phase: TRAIN`) or for use (`phase: TEST`), and what is asked for here is use. Layers
that bring data give the size of the input; those that measure (losses, accuracies) are left out,
except that the loss which contains a softmax or sigmoid leaves that behind, so that a network
described for training ends in its probabilities.

*Reference*: `net.cpp` (`FilterNet`, `StateMeetsRule`) and `upgrade_proto.cpp` of Caffe 1.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from phosphene.errors import FormatError
from phosphene.formats.caffe_types import kind_of_old_word, kind_of_word
from phosphene.formats.message import Message
from phosphene.formats.prototxt import parse
from phosphene.formats.signatures import is_text

# Layers that make data instead of transforming it: the first blob is the image, a second the label.
_DATA = frozenset(
    {
        "AnnotatedData", "Data", "DummyData", "HDF5Data", "ImageData", "Input", "MemoryData",
        "WindowData",
    }
)  # fmt: skip
# Layers that measure, print or discard.
_MEASURES = frozenset(
    {
        "Accuracy", "ContrastiveLoss", "EuclideanLoss", "HDF5Output", "HingeLoss", "InfogainLoss",
        "MultinomialLogisticLoss", "Silence",
    }
)  # fmt: skip
_LOSSES = {"SoftmaxWithLoss": "Softmax", "SigmoidCrossEntropyLoss": "Sigmoid"}


@dataclass(frozen=True, eq=False)
class CaffeLayer:
    """A layer as the `.prototxt` describes it.

    Attributes:
        name: Its name.
        kind: Its type as present-day Caffe spells it.
        bottoms: Blobs read.
        tops: Blobs written.
        message: The description itself.
        old: Whether it is of the generation V0, whose layers hold all options themselves.
    """

    name: str
    kind: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    message: Message
    old: bool = False

    def options(self, field: str) -> Message:
        """Return the message with the layer's options, such as `"convolution_param"`."""
        return self.message if self.old else self.message.message(field)

    def error(self, problem: str) -> FormatError:
        """Make the error that names this layer and its place in the file."""
        return FormatError(f"{self.message.place}: layer {self.name!r} ({self.kind}) {problem}")


@dataclass(frozen=True, eq=False)
class CaffeNet:
    """A network as the `.prototxt` describes it for use.

    Attributes:
        input_blob: The blob that holds the image.
        input_size: (channels, height, width) declared for it.
        layers: The layers that transform it, in order.
    """

    input_blob: str
    input_size: tuple[int, int, int]
    layers: tuple[CaffeLayer, ...]


def read_net(path: Path) -> CaffeNet:
    """Read a `.prototxt` of any of Caffe's generations.

    Raises:
        FormatError: The file is missing or binary, is not in protobuf's text format, or does not
            declare the size of the network's input.
    """
    message = parse(_read_text(path), str(path))
    every = [layer for layer in _layers(message) if _in_use(layer)]
    if not every:
        raise FormatError(
            f"{path} describes no layers (a solver's settings, perhaps); give the .prototxt that "
            f"lists the network's layers"
        )
    inputs = [*_header_inputs(message), *_layer_inputs(every)]
    if not inputs:
        raise FormatError(
            f"{path} does not say what feeds the network; begin it with "
            f'`input: "data"` and `input_shape {{ dim: [1, 3, 227, 227] }}`'
        )
    blob, size = inputs[0]
    if size is None:
        raise FormatError(
            f"{path} does not declare the size of its input {blob!r}; add "
            f"`input_shape {{ dim: [1, 3, 227, 227] }}`, or the like, in place of the data layer"
        )
    return CaffeNet(blob, size, tuple(_transforming(every)))


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FormatError(
            f"{path} cannot be read ({error.strerror}); give the network's .prototxt"
        ) from None
    if not is_text(content):
        raise FormatError(
            f"{path} is binary, and a .prototxt is text; give the .caffemodel first and the "
            f".prototxt second"
        )
    return content.decode("utf-8-sig")


def _layers(net: Message) -> Iterator[CaffeLayer]:
    for message in net.messages("layers"):
        old = "layer" in message
        inner = message.message("layer") if old else message
        kind = inner.text("type")
        yield CaffeLayer(
            inner.text("name", ""),
            kind_of_old_word(kind) if old else kind_of_word(kind),
            message.texts("bottom"),
            message.texts("top"),
            inner,
            old,
        )
    for message in net.messages("layer"):
        yield CaffeLayer(
            message.text("name", ""),
            message.text("type"),
            message.texts("bottom"),
            message.texts("top"),
            message,
        )


def _in_use(layer: CaffeLayer) -> bool:
    include, exclude = layer.message.messages("include"), layer.message.messages("exclude")
    wanted = not include or any(map(_holds, include))
    return wanted and not any(map(_holds, exclude))


def _holds(rule: Message) -> bool:
    """Say whether a rule is met by a network in use: phase TEST, level 0, stage "deploy"."""
    return (
        rule.text("phase", "TEST") in ("TEST", "1")
        and rule.whole("min_level", 0) <= 0 <= rule.whole("max_level", 0)
        and set(rule.texts("stage")) <= {"deploy"}
        and "deploy" not in rule.texts("not_stage")
    )


_Size = tuple[int, int, int]


def _header_inputs(net: Message) -> Iterator[tuple[str, _Size | None]]:
    dims = net.wholes("input_dim")
    shapes = [shape.wholes("dim") for shape in net.messages("input_shape")]
    shapes = shapes or [dims[at : at + 4] for at in range(0, len(dims), 4)]
    for at, blob in enumerate(net.texts("input")):
        yield blob, _size(shapes[at]) if at < len(shapes) else None


def _layer_inputs(layers: list[CaffeLayer]) -> Iterator[tuple[str, _Size | None]]:
    for layer in layers:
        if layer.kind in _DATA and layer.tops:
            yield layer.tops[0], _declared(layer)


def _declared(layer: CaffeLayer) -> _Size | None:
    """Find the size of a data layer's images: a shape, a crop, or what it resizes to."""
    for field in ("input_param", "dummy_data_param"):
        if shapes := layer.options(field).messages("shape"):
            return _size(shapes[0].wholes("dim"))
    memory = layer.message.message("memory_data_param")
    if memory:
        return _size((1, memory.whole("channels"), memory.whole("height"), memory.whole("width")))
    dummy = layer.message.message("dummy_data_param")
    if "channels" in dummy:
        return _size((1, dummy.whole("channels"), dummy.whole("height"), dummy.whole("width")))
    channels = 1 if layer.message.message("transform_param").flag("force_gray", False) else 3
    for field in ("transform_param", "data_param", "image_data_param", "window_data_param"):
        options = layer.options(field)
        side = options.whole("crop_size", options.whole("cropsize", 0))
        if side:
            return channels, side, side
    resized = layer.options("image_data_param")
    height, width = resized.whole("new_height", 0), resized.whole("new_width", 0)
    return (channels, height, width) if height > 0 and width > 0 else None


def _size(dims: tuple[int, ...]) -> _Size | None:
    """Return (c, h, w) of the declared (n, c, h, w); a code (n, c) is a map of one place."""
    if not 2 <= len(dims) <= 4 or min(dims[1:]) < 1:
        return None
    channels, height, width = (*dims[1:], 1, 1)[:3]
    return channels, height, width


def _transforming(layers: list[CaffeLayer]) -> Iterator[CaffeLayer]:
    for layer in layers:
        if layer.kind in _LOSSES:
            # The second bottom is the label, the tops the loss and sometimes the probabilities.
            top = layer.tops[-1] if len(layer.tops) > 1 else layer.name
            kind = _LOSSES[layer.kind]
            yield CaffeLayer(layer.name, kind, layer.bottoms[:1], (top,), layer.message, layer.old)
        elif layer.kind not in _DATA | _MEASURES:
            yield layer
