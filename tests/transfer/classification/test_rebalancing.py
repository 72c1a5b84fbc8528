from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from phosphene.core.layers import Address
from phosphene.errors import SettingError
from phosphene.training.free_norm import FreeNorm
from phosphene.transfer.classification.rebalancing import balance, standardize
from phosphene.zoo.catalogue import open_network
from tests.reference import classification as literal


def uneven(seed: int = 0) -> nn.Sequential:
    """A ReLU network whose layers are of very different scale, with biases that matter."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = nn.Sequential(
            nn.Conv2d(3, 6, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3),
            nn.ReLU(), nn.Dropout(), nn.Flatten(), nn.Linear(8 * 5 * 5, 12), nn.ReLU(),
            nn.Linear(12, 4),
        )  # fmt: skip
    with torch.no_grad():
        for factor, place in ((20.0, 0), (0.05, 3), (3.0, 7), (0.3, 9)):
            net[place].weight.mul_(factor)
            net[place].bias.normal_(0, factor, generator=torch.Generator().manual_seed(place))
    return net


def images(count: int = 40) -> Tensor:
    return torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(5))


def test_a_relu_network_computes_what_it_did() -> None:
    net, x = uneven().eval(), images()
    before = net(x).detach()
    done = balance(net, x, Address("9"), unit=False)
    apart = (net(x).detach() - before).abs().max() / before.abs().max()
    assert float(apart) < 1e-5
    assert math.prod(done.factors.values()) == pytest.approx(1, rel=1e-3)
    assert max(done.before.values()) / min(done.before.values()) > 100
    assert max(done.after.values()) / min(done.after.values()) < 1.01
    assert all(weight.grad is None for weight in net.parameters())


def test_its_units_get_a_deviation_of_one_else() -> None:
    net, x = uneven().eval(), images()
    before = net(x).detach()
    done = balance(net, x, Address("9"))
    after = net(x).detach()
    assert float(after.std(0, correction=0).mean()) == pytest.approx(1, rel=1e-3)
    ratio = after.std() / before.std()
    assert torch.allclose(after, before * ratio, rtol=1e-4, atol=1e-4)
    assert done.output == pytest.approx(float(ratio), rel=1e-3)
    assert max(done.after.values()) / min(done.after.values()) < 1.01


def test_rates_are_mean_squares_of_single_gradients() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        layers = [nn.Linear(5, 6), nn.Linear(6, 6), nn.Linear(6, 3)]
    net = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    x = torch.randn(30, 5, generator=torch.Generator().manual_seed(2))
    expected = literal.rates(layers, x)
    drawn = [
        list(balance(copy.deepcopy(net), x, Address("4"), seed=seed).before.values())
        for seed in range(60)
    ]
    # Of squares the mean over eta is exact.
    found = torch.tensor(drawn).square().mean(0).sqrt()
    assert torch.allclose(found, torch.tensor(expected), rtol=0.1)


def test_weights_that_do_not_learn_are_frozen_still() -> None:
    net = uneven().requires_grad_(False)
    balance(net, images(), Address("9"))
    assert not any(weight.requires_grad for weight in net.parameters())
    assert net.training


def test_what_lies_behind_the_layer_stays() -> None:
    net = uneven()
    last = net[9].weight.detach().clone()
    done = balance(net, images(), Address("4"))
    assert list(done.factors) == ["0", "3"]
    assert torch.equal(net[9].weight, last)


def test_a_network_with_response_normalization_is_balanced_too() -> None:
    net = open_network("demo")
    module = copy.deepcopy(net.module)
    x = torch.rand(8, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    done = balance(module, net.preprocessing.normalize(x), Address("relu7"))
    assert len(done.factors) == 7
    assert max(done.before.values()) / min(done.before.values()) > 20
    assert max(done.after.values()) / min(done.after.values()) < 1.1


def test_standardized_units_have_mean_zero_and_variance_one() -> None:
    net, x = uneven().eval(), images()
    names = standardize(net, x, Address("9"))
    assert names == ["0", "3", "7", "9"]
    for place in (0, 3, 7, 9):
        y = net[: place + 1](x)
        wide = y.transpose(0, 1).flatten(1).detach()
        assert torch.allclose(wide.mean(1), torch.zeros(len(wide)), atol=1e-4)
        assert torch.allclose(wide.std(1, correction=0), torch.ones(len(wide)), atol=1e-3)


def test_constant_units_stay_as_they_are() -> None:
    net = uneven().eval()
    with torch.no_grad():
        net[0].weight[2] = 0
    bias = float(net[0].bias[2].detach())
    standardize(net, images(), Address("0"))
    assert float(net[0].bias[2].detach()) == bias
    assert not net[0].weight[2].any()


class Branched(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.one(x), self.other(x)), 1)


def test_networks_it_cannot_be_done_to_are_said() -> None:
    x = images(4)
    shared = nn.Conv2d(3, 3, 1)
    for net, match in (
        (nn.Sequential(Branched(), nn.ReLU()), "do not follow one another"),
        (nn.Sequential(nn.Conv2d(3, 4, 1), FreeNorm(4), nn.ReLU()), "absorb"),
        (nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)), "absorb"),
        (nn.Sequential(shared, nn.ReLU(), shared), "the same weights"),
        (nn.Sequential(nn.ReLU()), "no weights"),
    ):
        last = Address(str(len(net) - 1), 1 if net[-1] is shared else 0)
        last = Address("0", 1) if net[-1] is shared else last
        with pytest.raises(SettingError, match=match):
            balance(net, x, last)
    dead = uneven()
    with torch.no_grad():
        dead[3].bias.fill_(-1e6)
    with pytest.raises(SettingError, match="does not learn"):
        balance(dead, x, Address("9"))
