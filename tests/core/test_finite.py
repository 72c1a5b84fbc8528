"""NaN and infinity are traced to where they come from."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import NotFinite
from phosphene.saliency.explain import explain


class Between(nn.Module):
    """Divides by zero, in no layer of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) / 0.0


def network() -> Network:
    module = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 4, 3), bn=nn.BatchNorm2d(4), relu=nn.ReLU(),
            conv2=nn.Conv2d(4, 5, 3), pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(),
        )
    )  # fmt: skip
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(torch.rand(weight.shape, generator=draw))
    return Network(module.train(), Preprocessing((12, 12)))


def image() -> Tensor:
    return torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(0))


def spoil(net: Network, name: str, value: float) -> None:
    with torch.no_grad():
        state = net.module.state_dict(keep_vars=True)
        state[name].flatten()[1] = value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["conv1.weight", "conv1.bias", "bn.weight", "conv2.bias"])
def test_weights_are_named_by_layer_and_part(name: str, value: float) -> None:
    net = network()
    spoil(net, name, value)
    if (name, value) == ("conv1.bias", float("-inf")):
        return  # a channel that the ReLU shuts off, on either way
    layer, part = name.split(".")
    hidden = value < 0 and layer == "conv1"  # by the ReLU, until a signal comes back
    for ask in (lambda: explain(net, image()), lambda: net.output.tape(image()))[: 2 - hidden]:
        with pytest.raises(NotFinite, match=f"the {part} of layer '{layer}' holds 1 NaN or inf"):
            ask()
    assert net.module.training


def test_the_first_layer_is_named() -> None:
    net = network()
    spoil(net, "bn.running_var", float("nan"))
    with pytest.raises(NotFinite, match="layer 'bn' is the first to put out NaN or infinity"):
        explain(net, image())
    net = network()
    with torch.no_grad():
        net.module.conv2.weight.fill_(3e38)
    with pytest.raises(NotFinite, match="layer 'conv2' is the first"):
        explain(net, image())


def test_between_layers() -> None:
    net = Network(Between(), Preprocessing((12, 12)))
    with pytest.raises(NotFinite, match="between the network's layers"):
        net.output.tape(image())
    inside = Network(nn.Sequential(Between(), nn.ReLU()), Preprocessing((12, 12)))
    with pytest.raises(NotFinite, match="layer '0' is the first"):
        inside.output.tape(image())


def test_a_derivative_that_is_not_finite() -> None:
    """The square root at zero: all values are finite, and what comes back is not."""

    class Root(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return (self.conv(x) * 0).pow(2).sqrt().mean((2, 3))

    with pytest.raises(NotFinite, match="on the way back"):
        explain(Network(Root(), Preprocessing((12, 12))), image(), 1, "saliency")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_images_are_looked_at_first(value: float) -> None:
    broken = image()
    broken[0, 1, 4, 4] = value
    with pytest.raises(NotFinite, match="the image holds NaN or infinite pixels"):
        explain(network(), broken)


def test_what_is_behind_the_unit_does_not_matter() -> None:
    net = network()
    spoil(net, "conv2.weight", float("nan"))
    assert torch.isfinite(explain(net, image(), layer="relu")[0].signal).all()
    wanted = explain(network(), image(), layer="relu")
    assert torch.equal(explain(net, image(), layer="relu")[0].signal, wanted[0].signal)


@pytest.mark.parametrize("ask", [lambda n, x: n.record(x, ["conv1"]), lambda n, x: n["conv1"](x)])
def test_recording_shows_what_there_is(ask: Callable[[Network, Tensor], object]) -> None:
    """Only explanations refuse: whoever records may be looking for the damage."""
    net = network()
    spoil(net, "conv1.bias", float("nan"))
    ask(net, image())
