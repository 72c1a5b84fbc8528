"""The tape: which nodes lie between image and layer, and what is counted among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.reversal import backward
from phosphene.core.tape import Census
from phosphene.errors import NetworkError, UnknownLayer


def network(module: nn.Module) -> Network:
    return Network(module, Preprocessing((12, 12)))


def image(batch: int = 1) -> Tensor:
    return torch.rand(batch, 3, 12, 12, generator=torch.Generator().manual_seed(0))


class Everything(nn.Module):
    """Some of every kind, with a branch that the output does not need."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.side = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
        self.out = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv(x))
        self.unused(x)
        x = F.max_pool2d(F.local_response_norm(x, 3), 2)
        x = F.relu6(self.out(x)) + F.leaky_relu(x)
        return F.adaptive_max_pool2d(F.relu(x), 1).flatten(1)

    def unused(self, x: Tensor) -> Tensor:
        return F.relu(F.relu(self.side(x)))


def test_the_census_counts_what_lies_on_the_way() -> None:
    net = network(Everything())
    tape = net.output.tape(image())
    assert str(tape.census) == "relu 2, pool 2, lrn 1, leaky_relu 1, relu6 1"
    assert tape.census["relu"] == 2
    assert tape.census["gelu"] == 0
    assert str(net["conv"].tape(image()).census) == "relu 0, pool 0, lrn 0"
    assert str(net["side"].tape(image()).census) == "relu 1, pool 0, lrn 0"
    assert str(Census({"gelu": 2, "custom": 1})) == "relu 0, pool 0, lrn 0, custom 1, gelu 2"
    assert [b.kind for b in tape.bottlenecks][:3] == ["relu", "lrn", "pool"]


def test_the_census_is_the_same_for_every_batch() -> None:
    net = network(Everything())
    assert str(net.output.tape(image(5)).census) == str(net.output.tape(image()).census)


def test_nodes_are_in_order_and_between_the_ends() -> None:
    tape = network(Everything()).output.tape(image())
    place = {node: i for i, node in enumerate(tape.nodes)}
    assert tape.nodes[-1] == tape.edge.node
    assert tape.leaf not in place
    starts = 0
    for node, i in place.items():
        children = [child for child, _ in node.next_functions]
        on_the_way = [place[child] for child in children if child in place]
        assert all(j < i for j in on_the_way)
        starts += tape.leaf in children
        assert on_the_way or tape.leaf in children
    assert starts == 1
    assert not any("AccumulateGrad" in node.name() for node in tape.nodes)


def test_a_tape_is_long_without_recursion() -> None:
    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.conv(x)
            for _ in range(3000):
                x = F.relu(x + 1)
            return x

    net = network(Deep())
    tape = net.output.tape(image())
    assert tape.census["relu"] == 3000
    assert str(net.receptive_field("conv")) == "size 1, stride 1, centre 0"


@pytest.mark.parametrize(
    "cut_off",
    [lambda x: x.detach() * 1, lambda x: torch.zeros_like(x), lambda x: (x > 0).float()],
)
def test_what_does_not_depend_on_the_image(cut_off: Callable[[Tensor], Tensor]) -> None:
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.after = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = self.after(cut_off(self.conv(x)))
            return x

    net = network(Cut())
    for layer in ("after", ""):
        cut = net[layer] if layer else net.output
        with pytest.raises(NetworkError, match="does not depend on the image"):
            _ = cut.tape(image()).nodes
    assert len(net["conv"].tape(image()).nodes) >= 1
    frozen = network(Cut().requires_grad_(False))
    with pytest.raises(NetworkError, match=r"'?after'? does not depend on the image"):
        _ = frozen["after"].tape(image()).nodes


def test_a_model_under_no_grad_of_its_own() -> None:
    class Blind(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        @torch.no_grad()
        def forward(self, x: Tensor) -> Tensor:
            return self.conv(x)

    with pytest.raises(NetworkError, match=r"torch\.no_grad stands between"):
        network(Blind()).output.tape(image())


def test_several_layers_from_one_pass() -> None:
    module = Everything()
    passes: list[int] = []
    module.conv.register_forward_hook(lambda *_: passes.append(1))
    net = network(module)
    conv, out, whole = net.tapes(image(), [net["conv"], net["out"], net.output], ["conv"])
    assert len(passes) == 1
    assert [t.layer for t in (conv, out, whole)] == ["conv", "out", ""]
    assert conv.x is out.x
    assert out.census["relu"] == 1
    for tape in (out, whole):
        p = torch.ones_like(tape.activation)
        assert backward(tape, p, to="conv").shape == conv.activation.shape
    with pytest.raises(UnknownLayer, match="no layer 'out' between"):
        backward(whole, torch.ones_like(whole.activation), to="out")
    with pytest.raises(UnknownLayer):
        net.output.tape(image(), to=["nowhere"])


def test_a_layer_to_itself_is_the_seed() -> None:
    net = network(Everything())
    tape = net["conv"].tape(image(), to=["conv"])
    p = torch.randn_like(tape.activation)
    assert torch.equal(backward(tape, p, to="conv"), p)


def test_a_layer_without_part_in_the_unit() -> None:
    net = network(Everything())
    tape = net.output.tape(image(), to=["side"])
    with pytest.raises(UnknownLayer, match="no part in"):
        backward(tape, torch.ones_like(tape.activation), to="side")


def test_the_leaf_is_the_normalized_image() -> None:
    preprocessing = Preprocessing((12, 12), (0.5,) * 3, (0.25,) * 3)
    net = Network(Everything(), preprocessing)
    x = image()
    tape = net.output.tape(x)
    torch.testing.assert_close(tape.x.detach(), (x - 0.5) / 0.25)
    assert tape.x.is_leaf
    assert tape.x.grad is None
    backward(tape, torch.ones_like(tape.activation))
    assert tape.x.grad is None
    assert not tape.activation.requires_grad


@pytest.mark.parametrize("inside", [torch.no_grad, torch.inference_mode])
def test_tapes_are_made_and_walked_in_every_mode(inside: Any) -> None:
    net = network(Everything())
    wanted = backward(net.output.tape(image()), torch.ones(1, 4))
    with inside():
        tape = net.output.tape(image())
        assert len(tape.nodes) > 10
        assert tape.census["relu"] == 2
        assert str(net.receptive_field("out")) == "size 4, stride 2, centre 1.5"
        assert torch.equal(backward(tape, torch.ones(1, 4)), wanted)
    assert torch.equal(backward(tape, torch.ones(1, 4)), wanted)
