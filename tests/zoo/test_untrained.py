"""Networks as they were before they learned."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import NetworkError, UnknownModel
from phosphene.training.free_norm import FreeNorm
from phosphene.zoo.catalogue import open_network, opens_by_name
from phosphene.zoo.untrained import untrained


def test_weights_are_those_of_he() -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 64, 5), nn.BatchNorm2d(64), nn.PReLU(), nn.Conv2d(64, 64, 3, groups=4),
        nn.Flatten(), nn.Linear(64, 500),
    )  # fmt: skip
    with torch.no_grad():
        for value in [*module.parameters(), module[1].running_mean, module[1].running_var]:
            value.fill_(7)
    net = untrained(Network(module, Preprocessing((7, 7)), ["a", "b"], "net", {"x": "0"}))
    assert (net.name, net.labels, net.aliases) == ("net:random", (), {"x": "0"})
    assert net.preprocessing.input_size == (7, 7)
    for layer, inputs in ((0, 3 * 25), (3, 16 * 9), (5, 64)):
        weight, bias = net.module[layer].weight, net.module[layer].bias
        assert weight.std().item() == pytest.approx((2 / inputs) ** 0.5, rel=0.05)
        assert abs(weight.mean().item()) < 0.1 * weight.std().item()
        assert not bias.any()
    norm = net.module[1]
    for value, is_one in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
        assert (getattr(norm, value) == is_one).all()
    assert (net.module[2].weight == 0.25).all()


def test_signals_keep_their_scale() -> None:
    layers = [nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.ReLU()) for _ in range(20)]
    net = untrained(Network(nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), *layers)))
    with torch.no_grad():
        out = net.module(torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert 0.05 < out.square().mean() < 5


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_behind_the_name_of_any_network(tmp_path: Path) -> None:
    demo, drawn, again = (open_network(f"demo{end}") for end in ("", ":random", ":random"))
    weights = [net.module.state_dict()["conv1.weight"] for net in (demo, drawn, again)]
    assert not torch.equal(weights[0], weights[1])
    assert torch.equal(weights[1], weights[2])
    assert drawn.preprocessing == demo.preprocessing
    assert [layer.name for layer in drawn.layers()] == [layer.name for layer in demo.layers()]
    assert opens_by_name("demo:random")
    assert not opens_by_name("net.caffemodel:random")

    torch.jit.save(torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3))), tmp_path / "net.pt")
    (tmp_path / "nets.py").write_text(
        "from torch import nn\ndef net():\n    return nn.Sequential(nn.Conv2d(3, 4, 3))\n"
    )
    for name in ("net.pt", "nets.py:net"):
        first, second = (open_network(f"{tmp_path / name}:random").module for _ in range(2))
        x = torch.rand(1, 3, 8, 8)
        assert torch.equal(first(x), second(x))
        assert not torch.equal(first(x), open_network(tmp_path / name).module(x))


def test_what_cannot_be() -> None:
    with pytest.raises(UnknownModel, match="say one"):
        open_network("demo:random", weights="x.safetensors")
    with pytest.raises(UnknownModel, match="no network 'deno'"):
        open_network("deno:random")
    with pytest.raises(UnknownModel, match=r"no file a\.mat"):
        open_network("a.mat:random")


def test_a_function_may_be_called_random(tmp_path: Path) -> None:
    (tmp_path / "n.py").write_text(
        "from torch import nn\nrandom = lambda: nn.Sequential(nn.Conv2d(3, 4, 3))\n"
    )
    assert open_network(f"{tmp_path / 'n.py'}:random").module is not None
    assert open_network(f"{tmp_path / 'n.py'}:random:random").name.endswith(":random")


def test_nothing_to_draw_is_said() -> None:
    with pytest.raises(NetworkError, match="has no parameters to draw anew"):
        untrained(Network(nn.Sequential(nn.ReLU(), nn.AvgPool2d(2)), Preprocessing((8, 8))))


def test_means_of_the_user_s_own_stay() -> None:
    class Shifted(nn.Conv2d):
        def __init__(self) -> None:
            super().__init__(3, 4, 3)
            self.register_buffer("mean", torch.ones(1))

    free = FreeNorm(4)
    free.mean.fill_(5)
    free.variance.fill_(9)
    net = untrained(Network(nn.Sequential(Shifted(), free), Preprocessing((8, 8))))
    assert net.module.get_buffer("0.mean").item() == 1
    assert not net.module.get_buffer("1.mean").any()
    assert (net.module.get_buffer("1.variance") == 1).all()
