"""The inverse network: what it is before it learns, and what it is told."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from phosphene import open_network
from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.reversal import backward
from phosphene.core.rules import DECONVNET, GUIDED, Pool, Relu, Reversal
from phosphene.errors import NetworkError, ReversalError, SettingError
from phosphene.inverse.network import InverseNetwork
from phosphene.inverse.settings import TOLD, InverseSetting, Told
from phosphene.zoo.demo import demo


class Fire(nn.Module):
    """SqueezeNet's module: two expansions of one squeeze, side by side."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, 3, 1)
        self.one, self.three = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x).relu()
        return torch.cat([self.one(x).relu(), self.three(x).relu()], 1)


def squeezed() -> Network:
    torch.manual_seed(1)
    first = (nn.Conv2d(3, 6, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True))
    module = nn.Sequential(*first, Fire(6), nn.MaxPool2d(3, 2, ceil_mode=True), Fire(8))
    seen = Preprocessing((32, 32), (104, 117, 123), scale=255, order="BGR")
    return Network(module.eval(), seen, name="squeezed")


def plain() -> Network:
    torch.manual_seed(2)
    layers: list[nn.Module] = []
    for n_in, n_out in ((3, 6), (6, 8)):
        layers += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU(True)]
        layers += [nn.MaxPool2d(2)]
    module = nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 10), nn.ReLU())
    return Network(module.eval(), Preprocessing((32, 32), (0.5,), (0.25,)), name="plain")


NETWORKS = {
    "squeezed": (squeezed, "5", 32),
    "plain": (plain, "10", 32),
    "demo": (demo, "pool5", 64),
}


def photographs(size: int, count: int = 2) -> Tensor:
    return torch.rand((count, 3, size, size), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("rectified", [True, False])
@pytest.mark.parametrize("told", TOLD)
@pytest.mark.parametrize("name", NETWORKS)
def test_before_learning_it_is_the_reversed_network(name: str, told: Told, rectified: bool) -> None:
    make, layer, size = NETWORKS[name]
    net = make()
    x = photographs(size)
    setting = InverseSetting(layer, told, size, rectified=rectified)
    inverse = InverseNetwork(net, setting)
    tape = net[layer].tape(x)
    masked: dict[bool, Relu] = {True: "mask+rectify", False: "mask"}
    blind: dict[bool, Relu] = {True: "rectify", False: "identity"}
    relu = (masked if told in ("both", "masks") else blind)[rectified]
    pool: Pool = "switches" if told in ("both", "switches") else "centre"
    signal = backward(tape, tape.activation, Reversal(relu, pool, "identity"))
    expected = net.preprocessing.pull_back(signal)
    torch.testing.assert_close(inverse(x), expected, rtol=1e-4, atol=1e-5 * float(expected.std()))
    inverse.fit_scale(x)
    assert float(inverse(x).detach().square().mean()) == pytest.approx(1, rel=1e-4)
    assert float(inverse.target(x).square().mean()) == pytest.approx(1, rel=1e-4)
    assert float(inverse.target(x).mean((0, 2, 3)).abs().max()) < 1e-5
    torch.testing.assert_close(inverse.picture(inverse.target(x)), x, atol=1e-5, rtol=0)


def test_the_papers_constructions() -> None:
    assert InverseSetting("x", "switches", 8).rule == DECONVNET
    assert InverseSetting("x", "both", 8).rule == GUIDED


def test_only_filters_learn_and_the_network_stays() -> None:
    net = squeezed()
    before = {name: value.clone() for name, value in net.module.state_dict().items()}
    inverse = InverseNetwork(net, InverseSetting("5", "both", 32, bias=True))
    x = photographs(32)
    inverse.fit_scale(x)
    (inverse(x) - inverse.target(x)).square().mean().backward()
    named = dict(inverse.named_parameters())
    assert set(named) == {f"{kind}.{n}" for kind in ("filters", "biases") for n in range(7)}
    assert all(p.grad is not None and bool(p.grad.any()) for p in named.values())
    assert all(p.grad is None and p.requires_grad for p in net.module.parameters())
    for name, value in net.module.state_dict().items():
        assert torch.equal(value, before[name])
    with torch.no_grad():
        alone = inverse(x)
    torch.testing.assert_close(alone, inverse(x).detach())


def test_a_gray_network() -> None:
    torch.manual_seed(1)
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2))
    net = Network(module, Preprocessing((16, 16), order="gray"))
    inverse = InverseNetwork(net, InverseSetting("2", "both", 16))
    assert inverse(photographs(16)).shape == inverse.target(photographs(16)).shape == (2, 1, 16, 16)


def test_what_has_no_inverse_to_compare() -> None:
    no_pool = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    no_relu = nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2))
    soft = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Softmax(1))
    for module, what in (
        (no_pool, "there is no max-pool"),
        (no_relu, "there is no ReLU"),
        (soft, "Softmax lies on the way"),
    ):
        net = Network(module, Preprocessing((16, 16)))
        with pytest.raises(ReversalError, match=what):
            InverseNetwork(net, InverseSetting(str(len(module) - 1), "both", 16))
    bare = Network(nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)), Preprocessing((16, 16)))
    with pytest.raises(NetworkError, match="no layer has filters to learn"):
        InverseNetwork(bare, InverseSetting("1", "both", 16))


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"told": "half"}, "and not 'half'"),
        ({"size": 0}, "size is 0"),
        ({"updates": 0}, "updates is 0"),
        ({"rate": 0.0}, "rate is 0"),
        ({"held_out": 1.0}, "held_out is 1"),
    ],
)
def test_settings_are_checked(wrong: dict[str, object], what: str) -> None:
    with pytest.raises(SettingError, match=what):
        InverseSetting(**{"layer": "x", "told": "both", "size": 8, **wrong})  # type: ignore[arg-type]


def test_the_real_squeezenet(shared: Path) -> None:
    net = open_network(str(shared / "data" / "squeezenet" / "squeezenet.caffemodel"))
    x = photographs(64, 1)
    tape = net["pool8"].tape(x)
    assert tape.activation.shape == (1, 512, 3, 3)
    for told in TOLD:
        setting = InverseSetting("pool8", told, 64)
        expected = net.preprocessing.pull_back(backward(tape, tape.activation, setting.rule))
        scale = 1e-4 * float(expected.abs().max())
        torch.testing.assert_close(InverseNetwork(net, setting)(x), expected, rtol=1e-3, atol=scale)
