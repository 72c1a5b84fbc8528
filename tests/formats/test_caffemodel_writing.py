from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import FormatError
from phosphene.formats.caffemodel import read_caffemodel
from phosphene.formats.caffemodel_writing import write_caffemodel
from phosphene.training.free_norm import FreeNorm
from phosphene.zoo.demo import demo
from phosphene.zoo.motion_alexnet import motion_alexnet

PROTOTXT = """
name: "small"
input: "data" input_dim: 1 input_dim: 3 input_dim: 17 input_dim: 19
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 6 kernel_size: 5 stride: 2 pad: 2 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "relu1" }
layer { name: "conv2" type: "Convolution" bottom: "relu1" top: "conv2"
  convolution_param { num_output: 4 kernel_size: 3 group: 2 bias_term: false } }
layer { name: "fc3" type: "InnerProduct" bottom: "conv2" top: "fc3"
  inner_product_param { num_output: 5 } }
"""


def small(**how: object) -> Network:
    torch.manual_seed(0)
    module = nn.Sequential()
    module.add_module("conv1", nn.Conv2d(3, 6, 5, stride=2, padding=2))
    module.add_module("relu1", nn.ReLU())
    module.add_module("conv2", nn.Conv2d(6, 4, 3, groups=2, bias=False))
    module.add_module("flat", nn.Flatten())
    module.add_module("fc3", nn.Linear(4 * 7 * 8, 5))
    return Network(module, Preprocessing((17, 19), **how), name="small")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "how",
    [
        {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
        {"order": "BGR", "scale": 255.0, "mean": (104.0, 117.0, 123.0)},
        {},
    ],
    ids=["torchvision", "caffe", "plain"],
)
def test_opencv_computes_the_same(tmp_path: Path, how: dict[str, object]) -> None:
    import cv2

    net = small(**how)
    written = write_caffemodel(net, tmp_path / "small.caffemodel")
    assert written.layers == ("conv1", "conv2", "fc3")
    (tmp_path / "small.prototxt").write_text(PROTOTXT)
    theirs = cv2.dnn.readNetFromCaffe(str(tmp_path / "small.prototxt"), str(written.path))
    image = torch.rand(1, 3, 17, 19)
    bgr = 255 * image.flip(1) - torch.tensor(written.mean).float()[None, :, None, None]
    theirs.setInput(bgr.numpy())
    found = theirs.forward()
    np.testing.assert_allclose(found, net(image).detach().numpy(), rtol=1e-4, atol=1e-5)


def test_it_is_read_back(tmp_path: Path) -> None:
    net = motion_alexnet()
    write_caffemodel(net, tmp_path / "m.caffemodel")
    layers = {layer.name: layer for layer in read_caffemodel(tmp_path / "m.caffemodel")}
    assert list(layers) == ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"]
    fc6 = layers["fc6"]
    assert fc6.type == "Convolution"
    assert fc6.blobs[0].shape == (256, 256, 7, 7)
    module = net.module.get_submodule("fc6")
    assert np.array_equal(fc6.blobs[0], module.weight.detach().numpy())
    small_one = demo()
    write_caffemodel(small_one, tmp_path / "d.caffemodel")
    last = read_caffemodel(tmp_path / "d.caffemodel")[-1]
    assert last.blobs[0].shape[0] == len(small_one.labels)


def test_what_caffe_has_no_place_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="absorb it"):
        write_caffemodel(
            Network(nn.Sequential(nn.Conv2d(3, 2, 3), FreeNorm(2))), tmp_path / "a.caffemodel"
        )
    with pytest.raises(FormatError, match=r"'1' \(PReLU\) has weights"):
        write_caffemodel(
            Network(nn.Sequential(nn.Conv2d(3, 2, 3), nn.PReLU())), tmp_path / "a.caffemodel"
        )
    with pytest.raises(FormatError, match="no convolutions"):
        write_caffemodel(Network(nn.Sequential(nn.ReLU())), tmp_path / "a.caffemodel")
    with pytest.raises(FormatError, match="takes 1 channels"):
        write_caffemodel(Network(nn.Sequential(nn.Conv2d(1, 2, 3))), tmp_path / "a.caffemodel")
    assert not list(tmp_path.iterdir())
