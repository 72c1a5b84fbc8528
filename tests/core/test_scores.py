"""Where the class scores of a network are: before softmax, and before a final ReLU and mean."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.rules import DECONVNET, SALIENCY
from phosphene.core.unit import Unit
from phosphene.saliency.explain import explain

CLASSES = 5


class Body(nn.Module):
    """A classifier with a choice of ends; `last` makes the scores."""

    def __init__(self, end: Callable[[Tensor], Tensor], kind: str = "vector") -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(0)
        self.conv, self.end, self.kind = nn.Conv2d(3, 6, 3), end, kind
        self.last = nn.Linear(6, CLASSES) if kind == "vector" else nn.Conv2d(6, CLASSES, 3)
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_(torch.randn(weight.shape, generator=draw) * 0.3)

    def scores(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv(x))
        return self.last(x.mean((2, 3)) if self.kind == "vector" else x)

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.scores(x))


class Bare(Body):
    """The same without a module for the scores."""

    def scores(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv(x))
        if self.kind == "vector":
            return F.linear(x.mean((2, 3)), self.last.weight, self.last.bias)
        return F.conv2d(x, self.last.weight, self.last.bias)


ENDS: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "scores": (lambda y: y, "vector"),
    "softmax": (lambda y: y.softmax(1), "vector"),
    "log_softmax": (lambda y: F.log_softmax(y, 1), "vector"),
    "dropout, softmax": (lambda y: F.dropout(y, training=False).softmax(-1), "vector"),
    "reshapes": (lambda y: y.view(-1, CLASSES, 1, 1).squeeze().reshape(-1, CLASSES), "vector"),
    "map": (lambda y: y, "map"),
    "relu and mean": (lambda y: F.relu(y).mean((2, 3)), "map"),
    "relu and pool": (lambda y: torch.flatten(F.adaptive_avg_pool2d(F.relu(y), 1), 1), "map"),
    "relu and average": (lambda y: F.avg_pool2d(F.relu_(y), 8).flatten(1), "map"),
    "relu, mean, softmax": (lambda y: F.relu(y).mean([-1, -2]).softmax(1), "map"),
    "clamp and mean": (lambda y: y.clamp(min=0).mean((2, 3)), "map"),
}


def image(batch: int = 1) -> Tensor:
    return torch.rand(batch, 3, 12, 12, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("end", ENDS)
def test_scores_are_found(end: str) -> None:
    module = Body(*ENDS[end])
    net = Network(module, Preprocessing((12, 12)))
    assert net.scores.layer == "last"
    assert net.classes == CLASSES
    wanted = module.scores(image(2)).detach()
    assert torch.equal(net.scores.tape(image(2)).activation, wanted)
    assert torch.equal(net.scores(image(2)).detach(), wanted)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kind", [Body, Bare])
def test_signals_start_at_the_scores(end: str, kind: type[Body]) -> None:
    """By hand: the derivative of the score itself, whatever stands behind it."""
    module = kind(*ENDS[end])
    net = Network(module, Preprocessing((12, 12)))
    x = image(2).requires_grad_()
    scores = module.scores(x)
    for label in range(CLASSES):
        maps = scores[:, label : label + 1].flatten(1)
        (wanted,) = torch.autograd.grad(
            maps.gather(1, maps.argmax(1, keepdim=True)).sum(), x, retain_graph=True
        )
        made = explain(net, image(2), label, [SALIENCY, DECONVNET])
        # Where a map has nothing positive, its ReLU has left nothing to tell positions apart by.
        told = (maps.amax(1) > 0) | (kind is Body) | ("relu" not in end)
        torch.testing.assert_close(made[0].signal[told], wanted[told], rtol=1e-4, atol=1e-6)
        # The final ReLU is above the unit, so that it is no part of what is reversed.
        assert str(made[0].census).startswith("relu 1, ")


def test_a_mean_over_only_one_axis_is_no_end() -> None:
    module = Body(lambda y: F.relu(y).mean(3).mean(2), "map")
    net = Network(module, Preprocessing((12, 12)))
    assert net.classes == CLASSES
    assert explain(net, image(), 1, SALIENCY)[0].channel.tolist() == [1]


def test_a_relu_without_a_mean_is_kept() -> None:
    module = Body(F.relu, "map")
    net = Network(module, Preprocessing((12, 12)))
    assert net.scores.layer == ""
    assert (net.scores.tape(image()).activation >= 0).all()
    assert net.scores.tape(image()).census["relu"] == 2


def test_the_layer_is_the_innermost_that_makes_the_scores() -> None:
    block = nn.Sequential(nn.Flatten(), nn.Linear(3 * 144, CLASSES))
    net = Network(
        nn.Sequential(nn.ReLU(), nn.Sequential(block, nn.Dropout())), Preprocessing((12, 12))
    )
    assert net.scores.layer == "1.0.1"
    assert len(explain(net, image(), "3", layer="1.0.1")) == 3


def test_probabilities_sum_to_one() -> None:
    for end, (function, kind) in ENDS.items():
        net = Network(Body(function, kind), Preprocessing((12, 12)))
        torch.testing.assert_close(net.probabilities(image(3)).sum(1), torch.ones(3), msg=end)


def test_a_class_whose_map_is_nowhere_positive() -> None:
    """The functional spelling has only the rectified map; the class is still explained."""
    for kind in (Body, Bare):
        module = kind(*ENDS["relu and mean"])
        with torch.no_grad():
            module.last.bias[2] = -100
        net = Network(module, Preprocessing((12, 12)))
        (saliency,) = explain(net, image(), Unit.of_class(2, at="positive"), SALIENCY)
        assert saliency.channel.tolist() == [2]
        assert saliency.map.max() > 0
