from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import NetworkError, UnknownLayer
from phosphene.transfer.classification.learner import Learner
from phosphene.transfer.classification.settings import ClassificationSetting
from phosphene.zoo.catalogue import open_network
from phosphene.zoo.fcn import pad_first


def small() -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Dropout2d(), nn.Conv2d(5, 7, 3),
            nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(7, 6), nn.ReLU(),
            nn.Linear(6, 2),
        )  # fmt: skip
    return Network(module.eval(), Preprocessing((20, 24)))


def learner(net: Network, layer: str, **how: object) -> Learner:
    setting = ClassificationSetting(layer=layer, **how)  # type: ignore[arg-type]
    return Learner(net, 3, net.preprocessing.input_size, setting)


def test_maps_are_averaged_and_vectors_taken_as_they_are() -> None:
    net, x = small(), torch.rand(2, 3, 20, 24, generator=torch.Generator().manual_seed(1))
    for layer in ("5", "9"):
        made = learner(net, layer).eval()
        with torch.no_grad():
            code = net[layer].of_input(x)
            code = code.mean((2, 3)) if code.ndim == 4 else code
            expected = code @ made.classifier.scores.weight.T + made.classifier.scores.bias
            assert torch.allclose(made(x), expected, atol=1e-6)


def test_the_new_layer_begins_as_the_protocol_says() -> None:
    made = learner(open_network("demo"), "fc7")
    scores = made.classifier.scores
    assert float(scores.weight.detach().std()) == pytest.approx(0.01, rel=0.1)
    assert torch.equal(scores.bias, torch.full((3,), 0.1))
    again = learner(open_network("demo"), "fc7")
    assert torch.equal(again.classifier.scores.weight, scores.weight)
    other = learner(open_network("demo"), "fc7", deviation=0.5, bias=0.0, seed=1)
    assert float(other.classifier.scores.weight.detach().std()) == pytest.approx(0.5, rel=0.1)
    assert not other.classifier.scores.bias.any()


def test_a_network_that_is_frozen_does_as_if_it_were_tested() -> None:
    net, x = small(), torch.rand(2, 3, 20, 24)
    made = learner(net, "5", frozen=True).train()
    assert torch.equal(made(x), made(x))
    made(x).sum().backward()
    learned = [name for name, weight in made.named_parameters() if weight.grad is not None]
    assert learned == ["classifier.scores.weight", "classifier.scores.bias"]
    assert torch.equal(made.classifier.trunk[1].running_mean, net.module[1].running_mean)
    whole = learner(net, "5").train()
    assert not torch.equal(whole(x), whole(x))


def test_layers_behind_are_left_out() -> None:
    made = learner(small(), "5")
    names = {name for name, weight in made.named_parameters() if not weight.requires_grad}
    behind = [f"classifier.trunk.{at}" for at in (8, 10)]
    assert names == {f"{layer}.{what}" for layer in behind for what in ("weight", "bias")}
    assert all(weight.grad is None for weight in made.parameters())


def test_layers_begin_anew_where_that_is_asked_for() -> None:
    net = small()
    made = learner(net, "9", renewed=("8",), deviation=0.2)
    assert torch.equal(made.network.module[8].bias, torch.full((6,), 0.1))
    assert not torch.equal(made.network.module[8].weight, net.module[8].weight)
    assert torch.equal(made.network.module[4].weight, net.module[4].weight)
    with pytest.raises(UnknownLayer, match="no weights"):
        learner(net, "9", renewed=("5",))


def test_padding_is_the_first_convolutions() -> None:
    net = open_network("demo")
    made = learner(net, "relu7", padding=50)
    x = torch.rand(1, 3, 96, 96)
    conv1 = net.module.conv1
    assert conv1.padding != (50, 50)
    with torch.no_grad():
        wide = nn.functional.pad(x, (50 - conv1.padding[1],) * 2 + (50 - conv1.padding[0],) * 2)
        expected = net["relu7"].of_input(wide).mean((2, 3))
        code = made.network["relu7"].of_input(x)
        assert code.shape[2] > 1
        assert torch.allclose(code.mean((2, 3)), expected, atol=1e-5)


class Tokens(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2)


def test_layers_that_are_no_maps_are_refused() -> None:
    net = Network(nn.Sequential(nn.Conv2d(3, 4, 3), Tokens()), Preprocessing((8, 8)))
    with pytest.raises(UnknownLayer, match="neither maps nor a vector"):
        learner(net, "1")
    with pytest.raises(UnknownLayer):
        learner(net, "nowhere")
    with pytest.raises(NetworkError):
        Learner(small(), 2, (2, 2), ClassificationSetting(layer="5"))


def test_a_padded_network_keeps_its_padding_and_pools_fc7() -> None:
    """FCN-32s on AlexNet's layout, as chapter 4 classifies with it."""
    net = open_network("demo")
    pad_first(net.module, 50)
    made = learner(net, "relu7").eval()
    assert made.network.module.conv1.padding == (50, 50)
    x = torch.rand(2, 3, 96, 96)
    with torch.no_grad():
        code = net["relu7"].of_input(x)
        assert code.shape[2] > 1
        scores = made.classifier.scores
        wanted = code.mean((2, 3)) @ scores.weight.T + scores.bias
        assert torch.allclose(made(x), wanted, atol=1e-5)
