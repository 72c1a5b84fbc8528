"""Copies of a network that have forgotten."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from phosphene.core.copies import copied
from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import NetworkError, SettingError
from phosphene.studies.randomised import learned_layers, modules_by_layer, randomise
from tests.studies.plans import demo


def small() -> Network:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 36, 4)
    )
    norm = module[1]
    assert isinstance(norm, nn.BatchNorm2d)
    for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        assert tensor is not None
        nn.init.uniform_(tensor, 0.5, 2)
    return Network(module.eval(), Preprocessing((8, 8)))


def test_permuted_weights_are_the_same_numbers_elsewhere() -> None:
    net = demo()
    before = {name: value.clone() for name, value in net.module.state_dict().items()}
    forgetful = copied(net)
    randomise(forgetful, ("fc8", "conv1"))
    for name, value in forgetful.module.state_dict().items():
        own = before[name]
        assert torch.equal(net.module.state_dict()[name], own)
        assert torch.equal(value.flatten().sort().values, own.flatten().sort().values)
        changed = name.split(".")[0] in ("fc8", "conv1")
        assert torch.equal(value, own) is not changed


def test_vectors_of_a_layer_stay_together() -> None:
    net = copied(small())
    own = torch.stack([v for v in net.module.get_submodule("1").state_dict().values() if v.dim()])
    randomise(net, ("1",), seed=4)
    new = torch.stack([v for v in net.module.get_submodule("1").state_dict().values() if v.dim()])
    places = [own[0].tolist().index(value) for value in new[0].tolist()]
    assert sorted(places) == list(range(6))
    assert torch.equal(own[:, places], new)
    assert places != list(range(6))


def test_redrawn_weights_have_the_same_moments() -> None:
    net = demo()
    forgetful = copied(net)
    randomise(forgetful, ("conv2",), "redrawn")
    own, new = (n.module.get_parameter("conv2.weight").detach() for n in (net, forgetful))
    assert float(new.mean()) == pytest.approx(float(own.mean()), abs=0.05 * float(own.std()))
    assert float(new.std()) == pytest.approx(float(own.std()), rel=0.05)
    norm = copied(small())
    randomise(norm, ("1",), "redrawn")
    assert float(norm.module.get_buffer("1.running_var").min()) > 0


def test_a_layer_forgets_alike_whatever_else_does() -> None:
    one, two = copied(demo()), copied(demo())
    randomise(one, ("fc8", "conv1"), seed=3)
    randomise(two, ("conv1",), seed=3)
    weights = [n.module.get_parameter("conv1.weight") for n in (one, two)]
    assert torch.equal(*weights)
    randomise(two, ("conv1",), seed=4)
    assert not torch.equal(weights[0], two.module.get_parameter("conv1.weight"))


def test_layers_with_weights_from_the_image_up() -> None:
    assert learned_layers(demo()) == (
        "conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8",
    )  # fmt: skip
    assert learned_layers(small()) == ("0", "1", "4")
    with pytest.raises(NetworkError, match="no layer with weights"):
        learned_layers(Network(nn.Sequential(nn.ReLU(), nn.AvgPool2d(2)), Preprocessing((8, 8))))
    with pytest.raises(SettingError, match="permuted or redrawn, and not 'zeroed'"):
        randomise(copied(demo()), ("fc8",), "zeroed")  # type: ignore[arg-type]


def test_weights_that_no_module_is_called_for_are_forgotten_too() -> None:
    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, 8, 4, 4)
            self.position = nn.Parameter(torch.randn(1, 4, 8))
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.head = nn.Linear(8, 5)

        def forward(self, x: Tensor) -> Tensor:
            tokens = self.patches(x).flatten(2).mT + self.position
            out: Tensor = self.head(self.attention(tokens, tokens, tokens)[0].mean(1))
            return out

    net = Network(Attending(), Preprocessing((8, 8)))
    with torch.no_grad():
        for value in net.module.parameters():
            value.normal_()
    held = modules_by_layer(net)
    assert list(held) == ["patches", "attention", "head"]
    assert held["attention"] == ("attention", "attention.out_proj")
    assert held["patches"] == ("patches", "")
    forgetful = copied(net)
    randomise(forgetful, learned_layers(net))
    for name, value in net.module.named_parameters():
        assert not torch.equal(value, forgetful.module.get_parameter(name)), name
