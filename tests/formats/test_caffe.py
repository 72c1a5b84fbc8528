from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from phosphene.formats.caffe import load_caffe
from phosphene.formats.layers import FullyConnected
from tests.formats import caffe_writer as write
from tests.formats.caffe_writer import HEADER, SIZE, layer, numbers
from tests.reference.caffe_pooling import across_channels_lrn, pool

IMAGE = numbers(2, *SIZE)


def opencv(path: Path, image: np.ndarray = IMAGE) -> np.ndarray:
    """Run the two files with OpenCV's own importer."""
    net = cv2.dnn.readNetFromCaffe(str(path.with_suffix(".prototxt")), str(path))
    net.enableFusion(False)
    net.setInput(image)
    return net.forward()


def compare(
    folder: Path,
    text: str,
    weights: Sequence[tuple[str, str, Sequence[np.ndarray]]] = (),
    image: np.ndarray = IMAGE,
    **how: object,
) -> nn.Module:
    path = write.save(folder, text, weights or [("none", "ReLU", [])], **how)
    net = load_caffe(path)
    with torch.no_grad():
        found = net(torch.from_numpy(image)).numpy()
    expected = opencv(path, image)
    np.testing.assert_allclose(
        found.reshape(expected.shape), expected, atol=1e-5 * max(1, np.abs(expected).max())
    )
    return net


CONVOLUTIONS = {
    "plain": ("num_output: 6 kernel_size: 3", (6, 4, 3, 3)),
    "everything": (
        "num_output: 6 kernel_h: 3 kernel_w: 2 pad_h: 2 pad_w: 1 stride_h: 1 stride_w: 2 group: 2",
        (6, 2, 3, 2),
    ),
    "repeated": (
        "num_output: 2 kernel_size: [1, 3] pad: 0 pad: 1 stride: 2 stride: 1",
        (2, 4, 1, 3),
    ),
    "dilated": ("num_output: 4 kernel_size: 3 dilation: 2 pad: 2 group: 4", (4, 1, 3, 3)),
    "partly h": ("num_output: 2 kernel_size: 3 pad_h: 1 pad_w: 0", (2, 4, 3, 3)),
}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("spelling", CONVOLUTIONS)
def test_convolution(tmp_path: Path, spelling: str, bias: bool) -> None:
    options, shape = CONVOLUTIONS[spelling]
    options = f"convolution_param {{ {options} bias_term: {str(bias).lower()} }}"
    blobs = [numbers(*shape), numbers(shape[0])][: 1 + bias]
    net = compare(tmp_path, HEADER + layer("Convolution", options), [("out", "Convolution", blobs)])
    assert type(net.get_submodule("out")) is nn.Conv2d


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ("num_output: 6 kernel_size: 3 stride: 2 pad: 1", (4, 6, 3, 3)),
        ("num_output: 6 kernel_size: 4 stride: 2 bias_term: true", (4, 6, 4, 4)),
    ],
)
def test_deconvolution(tmp_path: Path, options: str, shape: tuple[int, ...]) -> None:
    blobs = [numbers(*shape), numbers(6)]
    text = HEADER + layer("Deconvolution", f"convolution_param {{ {options} }}")
    compare(tmp_path, text, [("out", "Deconvolution", blobs)])


def test_deconvolution_in_groups_is_torchs(tmp_path: Path) -> None:
    options = "num_output: 4 kernel_size: 4 stride: 2 pad: 1 group: 4 bias_term: false"
    text = HEADER + layer("Deconvolution", f"convolution_param {{ {options} }}")
    weight = numbers(4, 1, 4, 4)
    net = load_caffe(write.save(tmp_path, text, [("out", "Deconvolution", [weight])]))
    x = torch.from_numpy(IMAGE)
    expected = torch.nn.functional.conv_transpose2d(
        x, torch.from_numpy(weight), stride=2, padding=1, groups=4
    )
    torch.testing.assert_close(net(x), expected)


@pytest.mark.parametrize("bias", [True, False])
def test_fully_connected(tmp_path: Path, bias: bool) -> None:
    options = f"inner_product_param {{ num_output: 7 bias_term: {str(bias).lower()} }}"
    second = layer("InnerProduct", "inner_product_param { num_output: 3 }", "out", "last")
    text = HEADER + layer("InnerProduct", options) + second
    weights = [
        ("out", "InnerProduct", [numbers(7, 4 * 9 * 11), numbers(7)][: 1 + bias]),
        ("last", "InnerProduct", [numbers(3, 7), numbers(3)]),
    ]
    net = compare(tmp_path, text, weights)
    module = net.get_submodule("out")
    assert type(module) is FullyConnected
    assert module.kernel_size == (9, 11)
    assert net.get_submodule("last").kernel_size == (1, 1)
    assert net(torch.zeros(1, 4, 9, 11)).shape == (1, 3)
    assert net(torch.zeros(1, 4, 10, 13)).shape == (1, 3, 2, 3)


def test_fully_connected_stored_transposed(tmp_path: Path) -> None:
    options = "inner_product_param { num_output: 7 transpose: true }"
    weight = numbers(4 * 9 * 11, 7)
    weights = [("out", "InnerProduct", [weight, numbers(7)])]
    net = load_caffe(write.save(tmp_path, HEADER + layer("InnerProduct", options), weights))
    found = net(torch.from_numpy(IMAGE)).detach().numpy()
    np.testing.assert_allclose(found, IMAGE.reshape(2, -1) @ weight + numbers(7), rtol=1e-4)


@pytest.mark.parametrize("method", ["MAX", "AVE"])
@pytest.mark.parametrize(
    ("options", "kernel", "stride", "pad"),
    [
        ("kernel_size: 3 stride: 2", (3, 3), (2, 2), (0, 0)),
        ("kernel_size: 2 stride: 2 pad: 1", (2, 2), (2, 2), (1, 1)),
        ("kernel_size: 3 stride: 2 pad: 1", (3, 3), (2, 2), (1, 1)),
        ("kernel_h: 3 kernel_w: 5 stride: 3 pad_h: 0 pad_w: 2", (3, 5), (3, 3), (0, 2)),
        ("kernel_size: 10 stride: 4", (10, 10), (4, 4), (0, 0)),
    ],
)
def test_pooling(
    tmp_path: Path,
    method: str,
    options: str,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pad: tuple[int, int],
) -> None:
    text = HEADER + layer("Pooling", f"pooling_param {{ pool: {method} {options} }}")
    net = load_caffe(write.save(tmp_path, text, [("none", "ReLU", [])]))
    expected = np.stack([pool(each, kernel, stride, pad, method) for each in IMAGE])
    found = net(torch.from_numpy(IMAGE)).numpy()
    np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=1e-6)


PLAIN = {
    "mean": ("Pooling", "pooling_param { pool: AVE global_pooling: true }", nn.AdaptiveAvgPool2d),
    "max": ("Pooling", "pooling_param { kernel_size: 3 stride: 2 }", nn.MaxPool2d),
    "lrn": ("LRN", "lrn_param { local_size: 3 alpha: 0.5 beta: 0.6 }", nn.LocalResponseNorm),
    "within": (
        "LRN", "lrn_param { local_size: 3 alpha: 0.5 norm_region: WITHIN_CHANNEL }", None,
    ),
    "relu": ("ReLU", "", nn.ReLU),
    "leaky": ("ReLU", "relu_param { negative_slope: 0.1 }", nn.LeakyReLU),
    "elu": ("ELU", "elu_param { alpha: 0.5 }", nn.ELU),
    "sigmoid": ("Sigmoid", "", nn.Sigmoid),
    "tanh": ("TanH", "", nn.Tanh),
    "bnll": ("BNLL", "", nn.Softplus),
    "abs": ("AbsVal", "", None),
    "power": ("Power", "power_param { power: 2 scale: 0.5 shift: 1 }", None),
    "softmax": ("Softmax", "", nn.Softmax),
    "softmax of places": ("Softmax", "softmax_param { axis: -1 }", nn.Softmax),
    "dropout": ("Dropout", "dropout_param { dropout_ratio: 0.3 }", nn.Dropout),
    "flatten": ("Flatten", "", None),
}  # fmt: skip


@pytest.mark.parametrize("case", PLAIN)
def test_layers_without_weights(tmp_path: Path, case: str) -> None:
    kind, options, module = PLAIN[case]
    net = compare(tmp_path, HEADER + layer(kind, options))
    assert module is None or type(net.get_submodule("out")) is module
    assert not getattr(net.get_submodule("out"), "inplace", False)


def test_the_maximum_of_the_whole_map(tmp_path: Path) -> None:
    text = HEADER + layer("Pooling", "pooling_param { global_pooling: true }")
    net = load_caffe(write.save(tmp_path, text, [("none", "ReLU", [])]))
    np.testing.assert_array_equal(net(torch.from_numpy(IMAGE)), IMAGE.max((2, 3)))


# OpenCV overlooks k and has a default alpha of its own, hence the formula as the reference.
@pytest.mark.parametrize(
    ("options", "constants"),
    [
        ("lrn_param { local_size: 3 alpha: 0.5 beta: 0.6 k: 2 }", (3, 0.5, 0.6, 2.0)),
        ("", (5, 1.0, 0.75, 1.0)),
    ],
)
def test_normalization_constants(
    tmp_path: Path, options: str, constants: tuple[int, float, float, float]
) -> None:
    net = load_caffe(write.save(tmp_path, HEADER + layer("LRN", options), [("a", "ReLU", [])]))
    expected = across_channels_lrn(IMAGE[0].astype(np.float64), *constants)
    found = net(torch.from_numpy(IMAGE))[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        "",
        "eltwise_param { operation: SUM coeff: 1 coeff: -0.5 }",
        "eltwise_param { operation: PROD }",
        "eltwise_param { operation: MAX }",
    ],
)
def test_eltwise(tmp_path: Path, options: str) -> None:
    text = HEADER + layer("TanH", name="a") + layer("Eltwise", options, "data a")
    compare(tmp_path, text)


@pytest.mark.parametrize("axis", ["", "axis: 1", "concat_dim: 1", "axis: 2", "axis: -1"])
def test_concat(tmp_path: Path, axis: str) -> None:
    options = f"concat_param {{ {axis} }}"
    compare(tmp_path, HEADER + layer("TanH", name="a") + layer("Concat", options, "data a"))


def test_slice_and_split(tmp_path: Path) -> None:
    text = (
        HEADER
        + """
        layer { name: "s" type: "Split" bottom: "data" top: "s1" top: "s2" }
        layer { name: "cut" type: "Slice" bottom: "s1" top: "a" top: "b" top: "c"
                slice_param { slice_point: [1, 2] } }
        layer { name: "half" type: "Slice" bottom: "s2" top: "d" top: "e" }
        """
    )
    compare(tmp_path, text + layer("Concat", bottom="c a b d e"))


def test_crop(tmp_path: Path) -> None:
    pooled = layer("Pooling", "pooling_param { kernel_size: 3 stride: 2 }", name="small")
    compare(tmp_path, HEADER + pooled + layer("Crop", "crop_param { offset: 2 }", "data small"))


def test_batch_norm_scale_and_prelu(tmp_path: Path) -> None:
    variance = np.abs(numbers(4)) + 0.1
    text = HEADER + layer("BatchNorm", "batch_norm_param { eps: 0.01 }", name="bn")
    text += layer("Scale", "scale_param { bias_term: true }", "bn", "scale")
    text += layer("PReLU", "", "scale")
    weights = [
        ("bn", "BatchNorm", [numbers(4), variance, np.float32([2.5])]),
        ("scale", "Scale", [numbers(4), numbers(4)]),
        ("out", "PReLU", [numbers(4)]),
    ]
    net = compare(tmp_path, text, weights)
    norm = net.get_submodule("bn")
    assert type(norm) is nn.BatchNorm2d
    assert not norm.affine
    np.testing.assert_allclose(norm.running_mean, numbers(4) / 2.5, rtol=1e-6)
    assert norm.num_batches_tracked == 0


def test_batch_norm_that_was_never_trained(tmp_path: Path) -> None:
    weights = [("out", "BatchNorm", [numbers(4), numbers(4), np.float32([0])])]
    net = load_caffe(write.save(tmp_path, HEADER + layer("BatchNorm"), weights))
    found = net(torch.from_numpy(IMAGE)).numpy()
    np.testing.assert_allclose(found, IMAGE / np.sqrt(np.float32(1e-5)), rtol=1e-5)


@pytest.mark.parametrize("slope", [numbers(1), np.float32(0.3).reshape(())])
def test_shared_prelu(tmp_path: Path, slope: np.ndarray) -> None:
    text = HEADER + layer("PReLU", "prelu_param { channel_shared: true }")
    path = write.save(tmp_path, text, [("out", "PReLU", [slope])])
    expected = np.where(IMAGE > 0, IMAGE, slope * IMAGE)
    np.testing.assert_allclose(load_caffe(path)(torch.from_numpy(IMAGE)).detach(), expected)


V2 = (
    HEADER
    + """
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 6 kernel_size: 3 pad: 1 group: 2 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool"
        pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc"
        inner_product_param { num_output: 5 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""
)
V1 = """
input: "data" input_dim: 2 input_dim: 4 input_dim: 9 input_dim: 11
layers { name: "conv" type: CONVOLUTION bottom: "data" top: "conv" blobs_lr: 1
         convolution_param { num_output: 6 kernel_size: 3 pad: 1 group: 2 } }
layers { name: "relu" type: RELU bottom: "conv" top: "conv" }
layers { name: "pool" type: POOLING bottom: "conv" top: "pool"
         pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layers { name: "fc" type: INNER_PRODUCT bottom: "pool" top: "fc"
         inner_product_param { num_output: 5 } }
layers { name: "prob" type: SOFTMAX bottom: "fc" top: "prob" }
"""
V0 = """
input: "data" input_dim: 2 input_dim: 4 input_dim: 9 input_dim: 11
layers { layer { name: "pad" type: "padding" pad: 1 } bottom: "data" top: "pad" }
layers { layer { name: "conv" type: "conv" num_output: 6 kernelsize: 3 group: 2 biasterm: true }
         bottom: "pad" top: "conv" }
layers { layer { name: "relu" type: "relu" } bottom: "conv" top: "conv" }
layers { layer { name: "pool" type: "pool" pool: MAX kernelsize: 3 stride: 2 }
         bottom: "conv" top: "pool" }
layers { layer { name: "fc" type: "innerproduct" num_output: 5 } bottom: "pool" top: "fc" }
layers { layer { name: "prob" type: "softmax" } bottom: "fc" top: "prob" }
"""
WEIGHTS = [
    ("conv", "Convolution", [numbers(6, 2, 3, 3), numbers(6)]),
    ("relu", "ReLU", []),
    ("fc", "InnerProduct", [numbers(5, 6 * 4 * 5), numbers(5)]),
]


@pytest.mark.parametrize("stored", [0, 1, 2])
@pytest.mark.parametrize("text", [V0, V1, V2], ids=["V0", "V1", "V2"])
def test_generations(tmp_path: Path, text: str, stored: int) -> None:
    net = load_caffe(write.save(tmp_path, text, WEIGHTS, generation=stored))
    assert net.input_size == SIZE
    assert not net.training
    path = write.save(tmp_path, V2, WEIGHTS)
    with torch.no_grad():
        found = net(torch.from_numpy(IMAGE)).numpy()
    np.testing.assert_allclose(found, opencv(path), atol=1e-6)


@pytest.mark.parametrize("text", [V1, V2])
@pytest.mark.parametrize("stored", [1, 2])
def test_opencv_reads_what_the_writer_writes(tmp_path: Path, text: str, stored: int) -> None:
    compare(tmp_path, text, WEIGHTS, generation=stored)


TRAINING = """
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
        transform_param { crop_size: 99 } data_param { batch_size: 7 } }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
        transform_param { mirror: false crop_size: 9 } }
layer { name: "unheard of" type: "Python" bottom: "data" top: "x" include { phase: TRAIN } }
layer { name: "deeper" type: "Python" bottom: "data" top: "x" include { min_level: 1 } }
layer { name: "drop" type: "Python" bottom: "data" top: "x" exclude { phase: TEST } }
layer { name: "staged" type: "Python" bottom: "data" top: "x" include { stage: "train" } }
layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" include { stage: "deploy" }
        pooling_param { kernel_size: 2 } }
layer { name: "accuracy" type: "Accuracy" bottom: "pool" bottom: "label" top: "accuracy"
        include { phase: TEST } }
layer { name: "quiet" type: "Silence" bottom: "label" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "pool" bottom: "label" top: "loss" }
"""


def test_a_network_described_for_training(tmp_path: Path) -> None:
    net = load_caffe(write.save(tmp_path, TRAINING, [("none", "ReLU", [])]))
    assert [name for name, _ in net.named_children()] == ["pool", "loss"]
    assert net.input_size == (3, 9, 9)
    x = torch.randn(2, 3, 9, 9)
    torch.testing.assert_close(net(x), net.pool(x).softmax(1))


@pytest.mark.parametrize(
    ("data", "size"),
    [
        ("type: 'Input' input_param { shape { dim: [1, 2, 8, 9] } }", (2, 8, 9)),
        ("type: 'DummyData' dummy_data_param { shape { dim: [1, 2, 8, 9] } }", (2, 8, 9)),
        ("type: 'DummyData' dummy_data_param { channels: 2 height: 8 width: 9 }", (2, 8, 9)),
        ("type: 'MemoryData' memory_data_param { channels: 2 height: 8 width: 9 }", (2, 8, 9)),
        ("type: 'ImageData' image_data_param { new_height: 8 new_width: 9 }", (3, 8, 9)),
        ("type: 'Data' data_param { crop_size: 8 }", (3, 8, 8)),
        ("type: 'Data' transform_param { crop_size: 8 force_gray: true }", (1, 8, 8)),
        ("type: 'Input' input_param { shape { dim: 1 dim: 7 } }", (7, 1, 1)),
    ],
)
def test_what_feeds_a_network(tmp_path: Path, data: str, size: tuple[int, int, int]) -> None:
    text = f'layer {{ name: "data" top: "data" {data} }}' + layer("ReLU")
    assert load_caffe(write.save(tmp_path, text, [("a", "ReLU", [])])).input_size == size


def test_aliases_of_blobs(tmp_path: Path) -> None:
    text = HEADER + 'layer { name: "r.1" type: "ReLU" bottom: "data" top: "b" }\n'
    text += 'layer { name: "r2" type: "ReLU" bottom: "b" top: "b" }'
    net = load_caffe(write.save(tmp_path, text, [("a", "ReLU", [])]))
    assert net.aliases == {"r.1": "r_1", "b": "r2"}


def test_squeezenet_as_opencv_opens_it(shared: Path) -> None:
    folder = shared / "data" / "squeezenet"
    net = load_caffe(folder / "squeezenet.caffemodel")
    assert net.input_size == (3, 227, 227)
    assert net.aliases == {}
    assert "fire2/conv1x1_1" in dict(net.named_modules())
    reference = cv2.dnn.readNetFromCaffe(
        str(folder / "deploy.prototxt"), str(folder / "squeezenet.caffemodel")
    )
    mean = np.float32([104, 117, 123])
    for path in sorted((shared / "data" / "imagenet_sample").glob("*.jpg"))[:5]:
        image = cv2.imread(str(path)).astype(np.float32) - mean
        top, left = ((n - 227) // 2 for n in image.shape[:2])
        crop = image[top : top + 227, left : left + 227].transpose(2, 0, 1)[None]
        reference.setInput(np.ascontiguousarray(crop))
        with torch.inference_mode():
            found = net(torch.from_numpy(np.ascontiguousarray(crop)))
        assert found.shape == (1, 1000)
        np.testing.assert_allclose(found, reference.forward().reshape(1, -1), atol=1e-4)
