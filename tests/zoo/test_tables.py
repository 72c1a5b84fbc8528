"""`Network.layers` makes the papers' tables, row by row."""

from __future__ import annotations

import json

import pytest
from torch import nn

from phosphene.cli.layers import layers as layers_command
from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.zoo.alexnet import alexnet, caffenet
from phosphene.zoo.vgg import vgg_m, vgg_vd_16
from tests.zoo import tables
from tests.zoo.tables import Row

NETWORKS = {"alexnet": alexnet, "vgg_m": vgg_m, "vgg_vd_16": vgg_vd_16}
TABLES = {"alexnet": tables.ALEXNET, "vgg_m": tables.VGG_M, "vgg_vd_16": tables.VGG_VD_16}
# 0-based middles of the fields, which the tables leave out (from MatConvNet, at 227 and 224).
CENTRES = {
    "alexnet": {"conv1": 5, "pool1": 9, "conv2": 9, "pool2": 17, "conv5": 17, "pool5": 33,
                "fc6": 113},
    "vgg_m": {"conv1": 3, "pool1": 5, "conv2": 9, "pool2": 17, "conv5": 17, "pool5": 33},
    "vgg_vd_16": {"conv1_2": 0, "pool1": 0.5, "conv2_2": 0.5, "pool2": 1.5, "conv3_3": 1.5,
                  "pool3": 3.5, "conv4_3": 3.5, "pool4": 7.5, "conv5_3": 7.5, "pool5": 15.5,
                  "fc6": 111.5},
}  # fmt: skip
SIDES = {
    "alexnet": [55, 27, 13, 6, 1],
    "vgg_m": [109, 54, 26, 13, 6, 1],
    "vgg_vd_16": [224, 112, 56, 28, 14, 7, 1],
}


def rows_of(network: Network) -> dict[str, Row]:
    rows = {}
    for layer in network.layers():
        assert layer.kernel is not None, layer.name
        assert layer.field is not None, layer.name
        numbers = []
        for height, width in (layer.kernel, layer.field.size, layer.field.stride):
            assert height == width == int(width), layer.name
            numbers.append(int(width))
        rows[layer.name] = Row(*numbers, channels=layer.shape[0])
    return rows


@pytest.mark.parametrize("name", NETWORKS)
def test_tables_1_2_3(name: str) -> None:
    network = NETWORKS[name]()
    rows = rows_of(network)
    # The tables leave dropout out, which does nothing to a photograph.
    dropout = {"drop6", "drop7"}
    assert [layer for layer in rows if layer not in dropout] == list(TABLES[name])
    for layer, row in TABLES[name].items():
        assert rows[layer] == row, layer
    fields = {layer.name: layer.field for layer in network.layers()}
    for layer, centre in CENTRES[name].items():
        assert fields[layer].centre == (centre, centre), layer
    sides = [layer.shape[1] for layer in network.layers()]
    assert list(dict.fromkeys(sides)) == SIDES[name]
    assert all(layer.shape[1] == layer.shape[2] for layer in network.layers())


@pytest.mark.parametrize("name", NETWORKS)
def test_table_5_1(name: str) -> None:
    printed = {layer: (row.size, row.stride) for layer, row in TABLES[name].items()}
    assert tables.THESIS[name] == printed


def test_caffenet_has_the_rows_of_alexnet_but_for_the_two_it_swaps() -> None:
    rows = rows_of(caffenet())
    for layer, row in tables.ALEXNET.items():
        if not layer.startswith("norm"):
            assert rows[layer] == row, layer
    assert rows["norm1"] == Row(kernel=1, size=19, stride=8, channels=96)
    assert rows["norm2"] == Row(kernel=1, size=67, stride=16, channels=256)


def test_the_command_prints_table_1(capsys: pytest.CaptureFixture[str]) -> None:
    layers_command("alexnet", device="cpu")
    heads, *lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    printed = [dict(zip(heads, line, strict=False)) for line in lines]
    names = ("kernel", "field", "stride", "channels")
    rows = {row["layer"]: Row(*(int(row[name]) for name in names)) for row in printed}
    assert {name: rows[name] for name in tables.ALEXNET} == tables.ALEXNET
    layers_command("alexnet", device="cpu", json=True)
    first, *_ = json.loads(capsys.readouterr().out)
    assert first["kernel"] == [11, 11]


def test_kernels_of_other_layers() -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 4, (3, 5), padding=(1, 2), dilation=1), nn.BatchNorm2d(4), nn.GELU(),
        nn.AvgPool2d(2), nn.Softmax(dim=-1), nn.Softmax2d(), nn.ZeroPad2d(1),
        nn.ConvTranspose2d(4, 4, 2, 2), nn.Sequential(nn.Identity()), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(4, 2), nn.ReLU(),
    )  # fmt: skip
    network = Network(module, Preprocessing((16, 16)))
    kernels = {layer.name: layer.kernel for layer in network.layers()}
    assert kernels == {
        "0": (3, 5), "1": (1, 1), "2": (1, 1), "3": (2, 2), "4": None, "5": (1, 1), "6": None,
        "7": (2, 2), "8.0": (1, 1), "8": None, "9": None, "10": None, "11": None, "12": None,
    }  # fmt: skip
