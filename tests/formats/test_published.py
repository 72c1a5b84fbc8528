"""The published Caffe networks open by their own layout and answer as OpenCV's importer does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import FormatError
from phosphene.formats.caffe import load_caffe
from tests.formats.caffe_writer import save
from tests.formats.published import Writer, alexnet, motion_alexnet, vgg16


def written(folder: Path, network: Writer) -> Path:
    return save(folder, network.text, network.weights, generation=network.generation)


@pytest.mark.parametrize(
    "network",
    [alexnet(1, 1 / 8), alexnet(2, 1 / 8), alexnet(1, 1 / 8, norm_first=False), vgg16(1, 1 / 16)],
    ids=["alexnet V1", "alexnet V2", "caffenet V1", "vgg-16 V1"],
)
def test_it_agrees_with_opencv(tmp_path: Path, network: Writer) -> None:
    path = written(tmp_path, network)
    module = load_caffe(path)
    x = np.random.default_rng(1).uniform(-4, 4, (2, *network.size)).astype(np.float32)
    peer = cv2.dnn.readNetFromCaffe(str(path.with_suffix(".prototxt")), str(path))
    peer.setInput(x)
    with torch.no_grad():
        ours = module(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(ours, peer.forward().reshape(ours.shape), atol=1e-5)
    assert ours.max() > 2e-3, "a flat answer would compare nothing"


def test_layers_have_the_papers_fields(tmp_path: Path) -> None:
    module = load_caffe(written(tmp_path, alexnet(1, 1 / 8)))
    net = Network(module, Preprocessing((227, 227)))
    fields = {layer.name: layer.field for layer in net.layers()}
    sizes = {"conv1": 11, "pool1": 19, "conv2": 51, "pool2": 67, "conv5": 163, "pool5": 195}
    for name, size in {**sizes, "fc6": 355, "fc8": 355}.items():
        field = fields[name]
        assert field is not None
        assert field.size == (size, size), name


def test_the_motion_network_and_its_python_layers(tmp_path: Path) -> None:
    module = load_caffe(written(tmp_path, motion_alexnet(1 / 8)))
    net = Network(module, Preprocessing((224, 224)))
    layers = {layer.name: layer for layer in net.layers()}
    sides = {"conv1": 56, "maxpool1": 28, "maxpool2": 14, "conv5": 14, "maxpool5": 7, "fc7": 7}
    for name, side in sides.items():
        assert layers[name].shape[1:] == (side, side), name
    centres = {"conv1": (4, 2), "maxpool1": (8, 6), "maxpool2": (16, 14), "maxpool5": (32, 30)}
    for name, (stride, centre) in centres.items():
        field = layers[name].field
        assert field is not None
        assert (field.stride, field.centre) == ((stride, stride), (centre, centre)), name


@pytest.mark.parametrize(
    "code",
    ['layer: "PadLayer" param_str: "[1, 2]"', 'layer: "Mine" param_str: "[1, 1, 1, 1]"', ""],
)
def test_other_python_layers_are_refused(tmp_path: Path, code: str) -> None:
    network = Writer((3, 9, 9))
    network.layer("odd", "Python", f"python_param {{ {code} }}").conv("conv", 2, 3)
    with pytest.raises(FormatError, match=r"'odd' \(Python\) .* only PadLayer"):
        load_caffe(written(tmp_path, network))


@pytest.mark.slow
def test_a_large_file_is_held_about_twice(tmp_path: Path) -> None:
    """VGG-16 at its full 550 MB: never more than 2.2 times its size above the empty process."""
    path = written(tmp_path, vgg16(1))
    assert path.stat().st_size > 550e6
    code = f"""
import pathlib, torch
from phosphene.formats.caffe import load_caffe
def status(kind):
    text = pathlib.Path("/proc/self/status").read_text()
    return int(text.partition(kind + ":")[2].split()[0]) * 1024
pathlib.Path("/proc/self/clear_refs").write_text("5")
rest = status("VmRSS")
module = load_caffe({str(path)!r})
print(status("VmHWM") - rest)
"""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("only Linux tells the peak of a process")
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(ran.stdout) < 2.2 * path.stat().st_size


@pytest.mark.slow
def test_weights_move_between_formats(tmp_path: Path) -> None:
    """A Caffe file's weights, taken into the native definition, answer alike, layer by layer."""
    from phosphene.zoo.alexnet import caffenet
    from phosphene.zoo.transplant import transplant

    module = load_caffe(written(tmp_path, alexnet(1, norm_first=False)))
    native = caffenet(preprocessing=Preprocessing((227, 227)))
    report = transplant(module.state_dict(), native.module)
    assert report.complete
    assert len(report.matched) == 16
    x = torch.rand(1, 3, 227, 227) * 8 - 4
    layers = ["conv1", "norm1", "pool5", "fc6", "fc8", "prob"]
    ours = Network(module, Preprocessing((227, 227))).record(x, layers)[1]
    theirs = native.record(x, layers)[1]
    for layer in layers:
        torch.testing.assert_close(ours[layer], theirs[layer], rtol=1e-4, atol=1e-5)
