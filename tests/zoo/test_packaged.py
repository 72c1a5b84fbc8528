"""Weights with preprocessing and labels inside: written, read back, and damaged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import MeanImage, Preprocessing
from phosphene.errors import FormatError, OutputError, UnknownModel
from phosphene.formats.layer_graph import LayerGraph, LayerSpec
from phosphene.formats.layers import KINDS
from phosphene.zoo.catalogue import open_network
from phosphene.zoo.fcn import pad_first
from phosphene.zoo.packaged import read_header, write_package

SAID = Preprocessing((12, 16), (1.0, 2.0, 3.0), (0.5,), 255.0, "BGR", resize_to=20)

LAYERS = (
    LayerSpec("conv", "Conv2d", ("data",), ("c",),
              {"in_channels": 3, "out_channels": 4, "kernel_size": (3, 3), "padding": (1, 1),
               "groups": 1, "bias": False}),
    LayerSpec("bn", "BatchNorm2d", ("c",), ("c",), {"num_features": 4, "eps": 1e-3}),
    LayerSpec("scale", "Scale", ("c",), ("c",), {"channels": 4}),
    LayerSpec("relu", "ReLU", ("c",), ("c",)),
    LayerSpec("lrn", "LocalResponseNorm", ("c",), ("n",), {"size": 3, "alpha": 0.5, "k": 2.0}),
    LayerSpec("within", "WithinChannelLRN", ("c",), ("w",), {"size": 3, "alpha": 0.5}),
    LayerSpec("leaky", "LeakyReLU", ("w",), ("w",), {"negative_slope": 0.1}),
    LayerSpec("join", "Concat", ("n", "w"), ("j",), {"dim": 1}),
    LayerSpec("part", "Slice", ("j",), ("a", "b"), {"sizes": (6, 2), "dim": 1}),
    LayerSpec("pad", "ZeroPad2d", ("a",), ("a",), {"padding": (1, 1, 1, 1)}),
    LayerSpec("max", "MaxPool2d", ("a",), ("a",), {"kernel_size": (3, 3), "stride": (2, 2),
                                                  "padding": (0, 0), "ceil_mode": True}),
    LayerSpec("prelu", "PReLU", ("a",), ("a",), {"num_parameters": 6}),
    LayerSpec("power", "Power", ("a",), ("p",), {"power": 2.0, "scale": 0.5, "shift": 1.0}),
    LayerSpec("sum", "Eltwise", ("a", "p"), ("s",), {"operation": "sum",
                                                    "coefficients": (1.0, -0.5)}),
    LayerSpec("drop", "Dropout", ("s",), ("s",), {"p": 0.25}),
    LayerSpec("fc", "FullyConnected", ("s",), ("f",),
              {"in_channels": 6, "out_channels": 5, "kernel_size": (7, 9)}),
    LayerSpec("avg", "AdaptiveAvgPool2d", ("f",), ("g",), {"output_size": 1}),
    LayerSpec("prob", "Softmax", ("g",), ("prob",), {"dim": 1}),
)  # fmt: skip


def test_a_network_with_a_name(tmp_path: Path) -> None:
    demo, path = open_network("demo"), tmp_path / "demo.safetensors"
    with torch.no_grad():
        demo.module.conv1.weight.mul_(2)
    demo.preprocessing, demo.labels = SAID, tuple("abcdefghij")
    write_package(demo, path, "demo")
    again = open_network(path)
    assert again.name == "demo"
    assert again.preprocessing == SAID
    assert again.labels == demo.labels
    assert type(again.module) is type(demo.module)
    state = demo.module.state_dict()
    assert all(torch.equal(v, state[k]) for k, v in again.module.state_dict().items())


def test_a_padding_that_is_not_the_architectures_goes_along(tmp_path: Path) -> None:
    net, path = open_network("motion-small:random"), tmp_path / "padded.safetensors"
    x = torch.rand(1, 3, 32, 32)
    unpadded = net["relu2_2"](x)
    pad_first(net.module, 40)
    write_package(net, path, "motion-small")
    again = open_network(path)["relu2_2"](x)
    assert again.shape != unpadded.shape
    assert torch.equal(again, net["relu2_2"](x))
    header = {**read_header(path), "padding": "many"}
    save_file(load_file(path), path, header)
    with pytest.raises(FormatError, match="cannot be padded by 'many'"):
        open_network(path)


def test_a_graph_of_layers_goes_along(tmp_path: Path) -> None:
    module = LayerGraph(LAYERS, "data", (3, 12, 16)).eval()
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.uniform_(0.1, 1)
    net = Network(module, SAID, "vwxyz", "graph")
    write_package(net, tmp_path / "g.safetensors")
    again = open_network(tmp_path / "g.safetensors")
    image = torch.rand(2, 3, 12, 16)
    torch.testing.assert_close(again(image), net(image), rtol=0, atol=0)
    assert again.aliases == net.aliases == module.aliases
    assert [str(layer) for layer in again.layers()] == [str(layer) for layer in net.layers()]
    for name, child in module.named_children():
        assert repr(again.module.get_submodule(name)) == repr(child)


# Options as a file's reader would give them, away from the defaults wherever there are any.
POOL = {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0, 1, 1)}
OPTIONS: dict[str, dict[str, object]] = {
    "AdaptiveAvgPool2d": {"output_size": (2, 3)},
    "AdaptiveMaxPool2d": {"output_size": 1},
    "AvgPool2d": {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0), "ceil_mode": True,
                  "count_include_pad": False},
    "BatchNorm2d": {"num_features": 4, "eps": 1e-3, "affine": False},
    "Concat": {"dim": 2},
    "Conv2d": {"in_channels": 4, "out_channels": 6, "kernel_size": (3, 2), "stride": (2, 1),
               "padding": (1, 0), "dilation": (1, 2), "groups": 2, "bias": False},
    "ConvTranspose2d": {"in_channels": 4, "out_channels": 6, "kernel_size": (3, 2),
                        "stride": (2, 1), "padding": (1, 0), "groups": 2, "bias": False},
    "Crop": {"offset": (1, 2)},
    "Dropout": {"p": 0.25},
    "ELU": {"alpha": 0.5},
    "Eltwise": {"operation": "sum", "coefficients": (1.0, -2.0)},
    "FullyConnected": {"in_channels": 4, "out_channels": 6, "kernel_size": (3, 2), "bias": False},
    "LeakyReLU": {"negative_slope": 0.1},
    "LocalResponseNorm": {"size": 3, "alpha": 0.5, "beta": 0.5, "k": 2.0},
    "MaxPool2d": {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0), "ceil_mode": True},
    "PReLU": {"num_parameters": 4},
    "PaddedAvgPool2d": POOL,
    "PaddedMaxPool2d": POOL,
    "Power": {"power": 2.0, "scale": 0.5, "shift": 1.0},
    "Scale": {"channels": 4, "bias": False},
    "Slice": {"sizes": (1, 3), "dim": 1},
    "Softmax": {"dim": 1},
    "Softplus": {"beta": 2.0},
    "WithinChannelLRN": {"size": 3, "alpha": 0.5, "beta": 0.5},
    "ZeroPad2d": {"padding": (1, 0, 2, 1)},
}  # fmt: skip
NONE = {"Absolute", "Flatten", "Identity", "ReLU", "ReLU6", "Sigmoid", "Tanh"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_layer_comes_back_as_it_was(kind: str, tmp_path: Path) -> None:
    assert (kind in OPTIONS) != (kind in NONE), "a new kind: say here what options it takes"
    tops = ("x", "y") if kind == "Slice" else ("x",)
    first = LayerSpec("first", "Conv2d", ("data",), ("c",),
                      {"in_channels": 3, "out_channels": 4, "kernel_size": (1, 1)})  # fmt: skip
    bottoms = ("c", "c") if kind in ("Concat", "Crop", "Eltwise") else ("c",)
    layer = LayerSpec("layer", kind, bottoms, tops, OPTIONS.get(kind, {}))
    net = Network(LayerGraph([first, layer], "data", (3, 12, 16)).eval(), SAID)
    write_package(net, tmp_path / "g.safetensors")
    again = open_network(tmp_path / "g.safetensors").module
    one, other = net.module.get_submodule("layer"), again.get_submodule("layer")
    assert type(one) is type(other)
    assert plain(one) == plain(other)
    assert again._steps == net.module._steps


def plain(module: nn.Module) -> dict[str, object]:
    names = [name for name in vars(module) if not name.startswith("_")]
    shapes = {name: tuple(t.shape) for name, t in module.state_dict().items()}
    return {**{name: getattr(module, name) for name in names}, "shapes": shapes}


def test_a_mean_image_goes_along(tmp_path: Path) -> None:
    image = MeanImage.of(np.random.default_rng(0).random((3, 96, 96)))
    demo = open_network("demo")
    demo.preprocessing = Preprocessing((96, 96), image.mean, mean_image=image)
    write_package(demo, tmp_path / "d.safetensors", "demo")
    again = open_network(tmp_path / "d.safetensors")
    assert again.preprocessing == demo.preprocessing
    assert again.preprocessing.mean_image == image


def test_squeezenet(shared: Path, tmp_path: Path) -> None:
    net = open_network(shared / "data" / "squeezenet" / "squeezenet.caffemodel")
    write_package(net, tmp_path / "s.safetensors")
    again = open_network(tmp_path / "s.safetensors")
    image = torch.rand(1, 3, 227, 227)
    torch.testing.assert_close(again(image), net(image), rtol=0, atol=0)
    assert again.labels == net.labels
    assert again.preprocessing == net.preprocessing


FACTORY = """
import torch
from phosphene import Network, Preprocessing

def plain():
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1))

def whole():
    return Network(plain(), Preprocessing((40, 40)), "efgh")
"""


def test_weights_of_the_users_own_code(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(FACTORY)
    net = open_network(f"{tmp_path / 'own.py'}:plain")
    net.preprocessing, net.labels = SAID, tuple("abcd")
    write_package(net, tmp_path / "w.safetensors")
    with pytest.raises(UnknownModel, match=r"no architecture: give --model file\.py:factory"):
        open_network(tmp_path / "w.safetensors")
    again = open_network(f"{tmp_path / 'own.py'}:plain", weights=tmp_path / "w.safetensors")
    assert again.preprocessing == SAID
    assert again.labels == tuple("abcd")
    # What the factory itself says of its network stands.
    whole = open_network(f"{tmp_path / 'own.py'}:whole", weights=tmp_path / "w.safetensors")
    assert whole.preprocessing.input_size == (40, 40)
    assert whole.labels == tuple("efgh")


def test_shared_and_strided_weights(tmp_path: Path) -> None:
    one = nn.Conv2d(3, 3, 1)
    with torch.no_grad():
        one.weight = nn.Parameter(torch.rand(3, 3, 1, 1).transpose(0, 1))
    net = Network(nn.Sequential(one, nn.ReLU(), one))
    write_package(net, tmp_path / "w.safetensors")
    stored = load_file(tmp_path / "w.safetensors")
    assert torch.equal(stored["0.weight"], stored["2.weight"])
    assert torch.equal(stored["0.weight"], one.weight)


def test_the_header_says_no_path_of_this_machine(tmp_path: Path) -> None:
    write_package(open_network("demo"), tmp_path / "d.safetensors", "demo")
    header = read_header(tmp_path / "d.safetensors")
    assert header["phosphene"] == "1"
    assert json.loads(header["labels"])
    assert not any(str(tmp_path) in value for value in header.values())


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no weights"):
        write_package(Network(nn.ReLU()), tmp_path / "w.safetensors")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        write_package(open_network("demo"), tmp_path / "file" / "w.safetensors", "demo")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


@pytest.mark.parametrize(
    ("header", "error", "message"),
    [
        (None, UnknownModel, "no architecture"),
        ({"architecture": "nix"}, UnknownModel, "weights of 'nix': there is no network 'nix'"),
        ({"architecture": "demo"}, FormatError, "belongs to another network"),
        ({"graph": "{"}, FormatError, "its layers cannot be understood"),
        ({"graph": '{"layers": []}'}, FormatError, "its layers cannot be understood"),
        ({"graph": json.dumps({"input": "x", "size": [3, 4, 4], "layers": [
            {"name": "a", "kind": "exec", "bottoms": ["x"], "tops": ["y"], "options": {}}]})},
         FormatError, "no layer of kind 'exec'"),
        ({"graph": json.dumps({"input": "x", "size": [3, 4, 4], "layers": [
            {"name": "a", "kind": "Conv2d", "bottoms": ["x"], "tops": ["y"], "options": {}}]})},
         FormatError, "its layers cannot be understood"),
    ],
)  # fmt: skip
def test_headers_that_lead_nowhere(
    header: dict[str, str] | None, error: type[Exception], message: str, tmp_path: Path
) -> None:
    save_file({"x": torch.ones(2)}, tmp_path / "w.safetensors", header)
    with pytest.raises(error, match=message):
        open_network(tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    "said", ["{", "[]", '{"input_size": [2, 2], "std": [0]}', '{"nix": 1}', '{"input_size": 3}']
)
def test_metadata_that_cannot_be_understood(said: str, tmp_path: Path) -> None:
    write_package(open_network("demo"), tmp_path / "d.safetensors", "demo")
    header = {**read_header(tmp_path / "d.safetensors"), "preprocessing": said}
    save_file(load_file(tmp_path / "d.safetensors"), tmp_path / "d.safetensors", header)
    with pytest.raises(FormatError, match="its metadata cannot be understood"):
        open_network(tmp_path / "d.safetensors")


@pytest.mark.parametrize("keep", [0, 5, 0.5, 0.99])
def test_truncated_packages(keep: float, tmp_path: Path) -> None:
    path = tmp_path / "d.safetensors"
    write_package(open_network("demo"), path, "demo")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if keep < 1 else int(keep)])
    with pytest.raises(FormatError, match="no whole safetensors file"):
        open_network(path)
