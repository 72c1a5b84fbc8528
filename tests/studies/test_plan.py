"""What a study is asked is checked before hours are spent; defaults fit any network."""

from __future__ import annotations

import math
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import NetworkError, UnitError, UnknownClass, UnknownLayer
from phosphene.formats.layers import Concat
from phosphene.studies.ledger import Cell, Ledger
from phosphene.studies.plan import Plan, called, spread_layers
from phosphene.zoo.catalogue import open_network
from tests.cli import nets


@pytest.fixture(scope="module")
def net() -> Network:
    return nets.net()


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (20, 24, 3), np.uint8)


def test_defaults(net: Network) -> None:
    plan = Plan(net)
    assert plan.strengths == (1, 20, 100, 300)
    assert plan.ledger.folder is None
    assert plan.ledger is not Plan(net).ledger
    assert plan.spread(2) == ("conv", "scores")
    assert Plan(net, layers=("act",)).spread(2) == ("act",)
    assert plan.tick(1, 2, "x") is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"layers": ("conv9",)}, UnknownLayer, "conv9"),
        ({"classes": ("zebra",)}, UnknownClass, "zebra"),
        ({"units": (3, -1)}, UnitError, "unit -1"),
        ({"strengths": (1.0, 0.0)}, ValueError, "1, 0 were given"),
        ({"strengths": (math.nan,)}, ValueError, "positive"),
        ({"strengths": ()}, ValueError, "none were given"),
        ({"repeats": 0}, ValueError, "1 or more"),
        ({"batch": 0}, ValueError, "1 or more"),
        ({"steps": 0}, ValueError, "1 or more"),
    ],
)
def test_what_is_wrong_is_said_at_once(
    net: Network, wrong: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        Plan(net, **wrong)


def test_names_are_unlike_each_other(net: Network, tmp_path: Path) -> None:
    photos = (Path("a/x.png"), Path("b/x.png"), noise(), Path("c/x.png"))
    assert Plan(net, photos).names == ("x.png", "x.png (2)", "image 2", "x.png (3)")


def test_cells_depend_on_the_plan(net: Network, tmp_path: Path) -> None:
    made = []

    def compute() -> Cell:
        made.append(1)
        return Cell({"x": 1})

    for changes in ({}, {}, {"seed": 1}, {"steps": 9}, {"quality": "draft"}, {"batch": 3}):
        plan = Plan(net, ledger=Ledger(tmp_path), **changes)  # type: ignore[arg-type]
        plan.cell("mean", {"layer": "conv"}, compute)
    assert len(made) == 4  # neither a second run nor another batch changes a result
    Plan(net, ledger=Ledger(tmp_path)).cell("median", {"layer": "conv"}, compute)
    Plan(nets.smooth(), ledger=Ledger(tmp_path)).cell("mean", {"layer": "conv"}, compute)
    assert len(made) == 6


def test_strengths_are_called() -> None:
    assert [called(c) for c in (1, 20.0, 0.5, math.inf, None)] == ["1", "20", "0.5", "none", "none"]


# -- layers ------------------------------------------------------------------------------------


def test_a_chain() -> None:
    demo = open_network("demo")
    trunk = "conv1 pool1 conv2 pool2 conv3 conv4 conv5 pool5 fc6 fc7 fc8".split()
    assert spread_layers(demo, 99) == tuple(trunk)
    assert spread_layers(demo, 1) == ("fc8",)
    for count in range(2, 12):
        chosen = spread_layers(demo, count)
        assert len(set(chosen)) == count
        assert (chosen[0], chosen[-1]) == ("conv1", "fc8")
        assert sorted(chosen, key=trunk.index) == list(chosen)
    with pytest.raises(ValueError, match="0 layers are none"):
        spread_layers(demo, 0)


class Fire(nn.Module):
    """Two branches that are joined by no module."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(width, 4, 1)
        self.one = nn.Conv2d(4, 4, 1)
        self.three = nn.Conv2d(4, width - 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x)
        return torch.cat([self.one(x), self.three(x)], 1)


class Wrapper(nn.Module):
    """A module that calls its layers one after another, and is no `Sequential`."""

    def __init__(self, *inner: nn.Module) -> None:
        super().__init__()
        self.inner = nn.ModuleList(inner)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.inner:
            x = layer(x)
        return x


def network(*modules: nn.Module) -> Network:
    return Network(nn.Sequential(*modules), Preprocessing((16, 16)))


def test_branches_are_left_to_their_join() -> None:
    body = [nn.Conv2d(3, 8, 3), Fire(8), nn.ReLU(), Fire(8), nn.MaxPool2d(2)]
    head = [nn.Dropout(), nn.Flatten(), nn.LazyLinear(5)]
    net = network(*body, *head)
    with torch.no_grad():
        net.module(torch.zeros(1, 3, 16, 16))
    assert spread_layers(net, 9) == ("0", "1", "3", "4", "7")


def test_a_wrapper_is_none_of_its_layers() -> None:
    net = network(
        Wrapper(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3)),
        nn.Identity(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 2),
    )
    assert spread_layers(net, 9) == ("0.inner.0", "0.inner.2", "2", "4")


def test_one_large_block_is_opened() -> None:
    assert spread_layers(network(Wide()), 3) == ("0.a", "0.b", "0.c")


class Wide(nn.Module):
    """Everything in one module, with a functional end."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.c(self.b(self.a(x)).relu()).relu().mean((2, 3))


def test_joins_of_caffe_networks() -> None:
    class Inception(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layers = {"conv1": nn.Conv2d(3, 4, 3), "in/a": nn.Conv2d(4, 4, 1)}
            layers |= {"in/b": nn.Conv2d(4, 4, 1), "in/output": Concat(), "fc": nn.Conv2d(8, 2, 14)}
            for name, layer in layers.items():
                self.add_module(name, layer)

        def forward(self, x: Tensor) -> Tensor:
            by = OrderedDict(self.named_children())
            x = by["conv1"](x)
            return by["fc"](by["in/output"](by["in/a"](x), by["in/b"](x))).flatten(1)  # type: ignore[no-any-return]

    assert spread_layers(Network(Inception(), Preprocessing((16, 16))), 3) == (
        ("conv1", "in/output", "fc")
    )


def test_a_network_without_such_layers() -> None:
    class Brightness(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean((2, 3))

    with pytest.raises(NetworkError, match="no convolution"):
        spread_layers(Network(Brightness(), Preprocessing((16, 16))), 3)


def test_what_follows_the_scores_is_left_out(shared: Path) -> None:
    net = open_network(shared / "data" / "squeezenet" / "squeezenet.caffemodel")
    every = spread_layers(net, 99)
    assert every[:3] == ("conv1", "pool1", "fire2/concat")
    assert every[-1] == "conv_final"
    assert len(every) == 13
