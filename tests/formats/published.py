"""The published Caffe networks, in the layout of their own files.

`bvlc_alexnet` and `bvlc_reference_caffenet` came as V1 (`layers { type: CONVOLUTION }`) with
`input_dim` headers and in-place layers, later as V2; VGG-16 (the authors' `deploy.prototxt`) as V1;
the thesis's motion AlexNet as V2 with Python padding layers. A width below 1 makes them narrow,
so that tests need not write hundreds of megabytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

V1_WORDS = {
    "Convolution": "CONVOLUTION",
    "InnerProduct": "INNER_PRODUCT",
    "ReLU": "RELU",
    "Pooling": "POOLING",
    "LRN": "LRN",
    "Dropout": "DROPOUT",
    "Softmax": "SOFTMAX",
    "Split": "SPLIT",
}


@dataclass
class Writer:
    """Collects a description and the weights that go with it."""

    size: tuple[int, int, int]
    generation: int = 2
    width: float = 1.0
    text: str = ""
    weights: list[tuple[str, str, Sequence[np.ndarray]]] = field(default_factory=list)
    channels: int = 0
    side: int = 0
    blob: str = "data"
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def __post_init__(self) -> None:
        self.channels, self.side = self.size[0], self.size[1]
        dims = "\n".join(f"input_dim: {n}" for n in (10, *self.size))
        self.text = f'name: "published"\ninput: "data"\n{dims}\n'

    def layer(self, name: str, kind: str, options: str = "", in_place: bool = False) -> Writer:
        top = self.blob if in_place else name
        word, typed = ("layer", f'"{kind}"')
        if self.generation == 1:
            word, typed = "layers", V1_WORDS[kind]
            if kind in ("Convolution", "InnerProduct"):
                options += " blobs_lr: 1 blobs_lr: 2 weight_decay: 1 weight_decay: 0"
        self.text += (
            f'{word} {{\n  bottom: "{self.blob}" top: "{top}" name: "{name}" type: {typed}\n'
            f"  {options}\n}}\n"
        )
        self.blob = top
        return self

    def conv(
        self, name: str, outputs: int, kernel: int, stride: int = 1, pad: int = 0, group: int = 1
    ) -> Writer:
        outputs = round(outputs * self.width)
        options = f"num_output: {outputs} kernel_size: {kernel}"
        options += f" stride: {stride}" * (stride > 1) + f" pad: {pad}" * (pad > 0)
        options += f" group: {group}" * (group > 1)
        shape = (outputs, self.channels // group, kernel, kernel)
        self._weigh(name, "Convolution", shape, shape[1:], outputs)
        self.channels, self.side = outputs, (self.side + 2 * pad - kernel) // stride + 1
        return self.layer(name, "Convolution", f"convolution_param {{ {options} }}")

    def relu(self, name: str) -> Writer:
        return self.layer(name, "ReLU", in_place=True)

    def pool(self, name: str, kernel: int = 3, stride: int = 2) -> Writer:
        self.side = -(-(self.side - kernel) // stride) + 1
        options = f"pooling_param {{ pool: MAX kernel_size: {kernel} stride: {stride} }}"
        return self.layer(name, "Pooling", options)

    def norm(self, name: str) -> Writer:
        options = "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }"
        return self.layer(name, "LRN", options)

    def full(self, name: str, outputs: int, last: bool = False) -> Writer:
        outputs = outputs if last else round(outputs * self.width)
        inputs = self.channels * self.side**2
        self._weigh(name, "InnerProduct", (outputs, inputs), (inputs,), outputs)
        self.channels, self.side = outputs, 1
        return self.layer(name, "InnerProduct", f"inner_product_param {{ num_output: {outputs} }}")

    def drop(self, name: str) -> Writer:
        return self.layer(name, "Dropout", "dropout_param { dropout_ratio: 0.5 }", in_place=True)

    def _weigh(
        self, name: str, kind: str, shape: tuple[int, ...], fan: tuple[int, ...], outputs: int
    ) -> None:
        scale = np.float32(1.4 / np.sqrt(np.prod(fan)))
        kernel = self.random.standard_normal(shape, dtype=np.float32) * scale
        bias = self.random.standard_normal(outputs, dtype=np.float32) * np.float32(0.1)
        self.weights.append((name, kind, [kernel, bias]))


def alexnet(generation: int = 1, width: float = 1.0, norm_first: bool = True) -> Writer:
    """`bvlc_alexnet`, or CaffeNet, where the pools come before the norms."""
    w = Writer((3, 227, 227), generation, width)

    def norm_and_pool(i: int) -> None:
        if norm_first:
            w.norm(f"norm{i}").pool(f"pool{i}")
        else:
            w.pool(f"pool{i}").norm(f"norm{i}")

    w.conv("conv1", 96, 11, 4).relu("relu1")
    norm_and_pool(1)
    w.conv("conv2", 256, 5, 1, 2, 2).relu("relu2")
    norm_and_pool(2)
    w.conv("conv3", 384, 3, 1, 1).relu("relu3")
    w.conv("conv4", 384, 3, 1, 1, 2).relu("relu4")
    w.conv("conv5", 256, 3, 1, 1, 2).relu("relu5").pool("pool5")
    w.full("fc6", 4096).relu("relu6").drop("drop6").full("fc7", 4096).relu("relu7").drop("drop7")
    return w.full("fc8", 1000, last=True).layer("prob", "Softmax")


def vgg16(generation: int = 1, width: float = 1.0) -> Writer:
    """The sixteen-layer network of the VGG group."""
    w = Writer((3, 224, 224), generation, width)
    for i, (outputs, depth) in enumerate(
        ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), start=1
    ):
        for j in range(1, depth + 1):
            w.conv(f"conv{i}_{j}", outputs, 3, 1, 1).relu(f"relu{i}_{j}")
        w.pool(f"pool{i}", 2, 2)
    w.full("fc6", 4096).relu("relu6").drop("drop6").full("fc7", 4096).relu("relu7").drop("drop7")
    return w.full("fc8", 1000, last=True).layer("prob", "Softmax")


def motion_alexnet(width: float = 1.0) -> Writer:
    """Appendix A of the thesis, with its Python layers."""
    w = Writer((3, 224, 224), 2, width)

    def pad(name: str, top: int, bottom: int, left: int, right: int) -> None:
        w.side += top + bottom
        code = f'param_str: "[{top}, {bottom}, {left}, {right}]" module: "pad_layer"'
        w.layer(name, "Python", f'python_param {{ {code} layer: "PadLayer" }}')

    norm = "lrn_param { local_size: 5 alpha: 0.0005 beta: 0.75 k: 1.0 }"
    pad("pad_data", 3, 4, 3, 4)
    w.conv("conv1", 96, 11, 4).relu("relu1")
    pad("pad_conv1", 0, 1, 0, 1)
    w.pool("maxpool1").layer("lrn1", "LRN", norm).conv("conv2", 256, 5, 1, 2).relu("relu2")
    pad("pad_conv2", 0, 1, 0, 1)
    w.pool("maxpool2").layer("lrn2", "LRN", norm)
    for i, outputs in ((3, 384), (4, 384), (5, 256)):
        w.conv(f"conv{i}", outputs, 3, 1, 1).relu(f"relu{i}")
    pad("pad_conv5", 0, 1, 0, 1)
    w.pool("maxpool5").conv("fc6", 256, 7, 1, 3).relu("relu6")
    w.layer("caffe.Dropout_18", "Dropout", "dropout_param { dropout_ratio: 0.5 }", in_place=True)
    return w.conv("fc7", 256, 1).relu("relu7")
