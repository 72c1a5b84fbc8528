"""Recording: many layers of one pass, early stops, calls of reused modules, in-place layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.layers import Address
from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.record import first_tensor, record
from phosphene.errors import LayerNeverRan, NetworkError, UnknownLayer


def network(module: nn.Module, **more: Any) -> Network:
    return Network(module, Preprocessing((12, 12)), **more)


def image(batch: int = 1, side: int = 12) -> Tensor:
    return torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(0))


class Mine(nn.Module):
    """Raises when it is run."""

    def forward(self, x: Tensor) -> Tensor:
        raise AssertionError("a layer behind the cut ran")


class Reused(nn.Module):
    """One ReLU called three times; a block of the same kind inside."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, padding=1)
        self.relu, self.mid = nn.ReLU(inplace=True), nn.Conv2d(4, 4, 1)
        self.never = nn.Conv2d(4, 4, 3)
        self.functional = nn.Linear(4, 2)
        self.block = nn.Sequential(nn.Conv2d(4, 4, 3), self.relu)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.conv1(x))
        y = self.mid(self.relu(self.conv2(x)))
        y += x
        y = self.block(y)
        return F.linear(y.mean((2, 3)), self.functional.weight)


def by_hand(module: Reused, x: Tensor) -> dict[str, Tensor]:
    """What the layers of `Reused` put out, without in-place operations."""
    out: dict[str, Tensor] = {}
    out["conv1"] = module.conv1(x)
    out["relu"] = out["conv1"].clamp(min=0)
    out["conv2"] = module.conv2(out["relu"])
    out["relu_1"] = out["conv2"].clamp(min=0)
    out["mid"] = module.mid(out["relu_1"])
    out["block.0"] = module.block[0](out["mid"] + out["relu"])
    out["relu_2"] = out["block.1_2"] = out["block"] = out["block.0"].clamp(min=0)
    return out


def test_every_layer_of_one_pass_before_it_is_overwritten() -> None:
    module = Reused()
    net = network(module)
    x = image(2)
    with torch.no_grad():
        wanted = by_hand(module, x)
    output, seen = net.record(x, wanted)
    assert list(seen) == list(wanted)
    for name, value in seen.items():
        torch.testing.assert_close(value, wanted[name], rtol=0, atol=1e-6)
        assert not value.requires_grad
    torch.testing.assert_close(output, module(x).detach())
    for name in wanted:  # and each by itself
        torch.testing.assert_close(net[name](x), wanted[name], rtol=0, atol=1e-6)


def test_each_call_of_a_reused_module_is_a_layer() -> None:
    net = network(Reused())
    names = [layer.name for layer in net.layers()]
    assert names == ["conv1", "relu", "conv2", "relu_1", "mid", "block.0", "relu_2", "block"]
    with pytest.raises(LayerNeverRan, match=r"'relu_3'.*'relu' is called 3 time"):
        net.record(image(), ["relu_3"])
    with pytest.raises(LayerNeverRan, match=r"'never'.*does not call it"):
        net["never"](image())
    with pytest.raises(LayerNeverRan, match="'functional'"):
        net["functional"].tape(image())


def test_one_pass_for_all_layers() -> None:
    module = Reused()
    calls: list[int] = []
    module.conv1.register_forward_hook(lambda *_: calls.append(1))
    network(module).record(image(), ["conv1", "relu", "relu_1", "block"])
    assert len(calls) == 1


def test_a_path_of_its_own_wins_over_a_call() -> None:
    module = nn.Sequential()
    module.add_module("conv", nn.Conv2d(3, 4, 3))
    module.add_module("conv_1", nn.Conv2d(4, 5, 3))
    assert network(module)["conv_1"](image()).shape[1] == 5


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ("conv3", "'conv1'"), ("Conv1", "'conv1'"), ("conv1_", "'conv1'"), ("blok", "'block'"),
        ("block.7", "'block.1'"), ("data", "'date'"), ("relu_x", "'relu'"), ("-1", "layers are"),
    ],
)  # fmt: skip
def test_unknown_layers_are_answered_with_the_nearest(given: str, nearest: str) -> None:
    net = network(Reused(), aliases={"date": "conv1"})
    for ask in (lambda: net[given], lambda: net.record(image(), ["conv1", given])):
        with pytest.raises(UnknownLayer, match=f"no layer '{given}'.*{nearest}"):
            ask()


def test_numbers_name_the_steps_of_a_sequential() -> None:
    net = network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    assert net[1].layer == "1"  # type: ignore[index]
    with pytest.raises(UnknownLayer, match="no layer '2'"):
        net[2]  # type: ignore[index]


def test_two_names_of_one_module() -> None:
    """Asked for by both, it is found by both; alone it goes by the first."""
    module = Reused()
    net = network(module)
    _, seen = net.record(image(), ["relu", "block.1", "relu_2", "block.1_2"])
    assert torch.equal(seen["relu"], seen["block.1"])
    assert torch.equal(seen["relu_2"], seen["block.1_2"])
    assert torch.equal(net["block.1_1"](image()), net["relu_1"](image()))


def test_aliases() -> None:
    net = network(Reused(), aliases={"pool5": "relu_1", "data": "conv1"})
    _, seen = net.record(image(), ["pool5", "relu_1", "data"])
    assert list(seen) == ["pool5", "relu_1", "data"]
    assert torch.equal(seen["pool5"], seen["relu_1"])
    assert {layer.name: layer.alias for layer in net.layers()}["relu_1"] == "pool5"


def test_nothing_behind_the_cut_runs() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), Mine(), nn.Conv2d(4, 4, 3), Mine())
    net = network(module)
    x = image()
    for name in "01":
        assert net[name](x).shape == (1, 4, 10, 10)
        assert net[name].tape(x).layer == name
        assert net.receptive_field(name) is not None
    assert len(net.tapes(x, [net["0"], net["1"]])) == 2
    with pytest.raises(AssertionError, match="behind"):
        net.record(x, ["1"])  # which returns the output too
    with pytest.raises(AssertionError, match="behind"):
        net["3"](x)


def test_any_size_that_the_layers_before_the_cut_allow() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(100, 2))
    net = network(module)
    for side in (3, 12, 31):
        assert net["0"](image(2, side)).shape == (2, 4, side - 2, side - 2)
    assert net["0"](torch.rand(1, 3, 9, 17)).shape == (1, 4, 7, 15)
    assert net["3"](image()).shape == (1, 2)
    with pytest.raises(NetworkError, match="does not take an input of 1x3x13x40"):
        net["3"](torch.rand(1, 3, 13, 40))
    with pytest.raises(NetworkError, match="does not take an input of 1x3x2x2"):
        net["0"](image(1, 2))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", ["conv1", "relu", "relu_1", "block.0", "block", ""])
def test_gradients_flow_through_a_representation(name: str, training: bool) -> None:
    module = Reused().double().train(training)
    net = Network(module, Preprocessing((12, 12), (0.3, 0.4, 0.5), (0.2,) * 3, 2.0, "BGR"))
    x = image(2).double().requires_grad_()
    phi = net[name] if name else net.output
    activation = phi(x)
    p = torch.randn_like(activation)
    (got,) = torch.autograd.grad(activation, x, p)
    normalized = (2 * x.flip(1) - torch.tensor([0.3, 0.4, 0.5]).double().view(3, 1, 1)) / 0.2
    layers = by_hand(module, normalized)
    whole = F.linear(layers["block"].mean((2, 3)), module.functional.weight)
    (wanted,) = torch.autograd.grad(layers.get(name, whole), x, p)
    torch.testing.assert_close(got, wanted)
    assert x.grad is None
    assert all(parameter.grad is None for parameter in module.parameters())


def test_weights_get_gradients_through_a_representation() -> None:
    """As where an objective on a layer is used to train."""
    module = Reused()
    network(module)["relu_1"](image()).sum().backward()
    assert module.conv1.weight.grad is not None
    assert module.block[0].weight.grad is None


@dataclass
class Output:
    """As transformers return."""

    loss: Any
    logits: Tensor

    def to_tuple(self) -> tuple[Any, ...]:
        return (self.loss, self.logits)


class Returning(nn.Module):
    def __init__(self, wrap: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.conv, self.wrap = nn.Conv2d(3, 4, 3), wrap

    def forward(self, x: Tensor) -> Any:
        return self.wrap(self.conv(x))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda y: (y, y.sum()), lambda y: [None, y], lambda y: {"out": y, "aux": y.sum()},
        lambda y: {"loss": None, "out": y}, lambda y: Output(None, y), lambda y: y,
    ],
)  # fmt: skip
def test_layers_that_return_more_than_a_tensor(wrap: Callable[[Tensor], Any]) -> None:
    inner = Returning(wrap)

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Tensor) -> Any:
            return self.inner(x)

    net = network(Outer())
    output, seen = net.record(image(), ["inner", "inner.conv"])
    assert torch.equal(seen["inner"], seen["inner.conv"])
    assert torch.equal(output, seen["inner"])
    assert torch.equal(net["inner"](image()).detach(), output)
    assert len(net.layers()) == 2


@pytest.mark.parametrize("nothing", [None, "text", [], {}, 3.5])
def test_a_network_that_returns_no_tensor(nothing: Any) -> None:
    net = network(Returning(lambda y: nothing))
    with pytest.raises(NetworkError, match="holds no tensor"):
        net(image())
    assert net["conv"](image()).shape == (1, 4, 10, 10)
    assert first_tensor(nothing) is None


def test_errors_of_a_model_pass_its_own_handlers() -> None:
    """The end of a pass is no `Exception` that a model could mistake for its own."""

    class Careful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.cleaned = nn.Conv2d(3, 4, 3), 0

        def forward(self, x: Tensor) -> Tensor:
            try:
                return self.conv(x)
            except Exception:
                return x
            finally:
                self.cleaned += 1

    module = Careful()
    assert network(module)["conv"](image()).shape[1] == 4
    assert module.cleaned == 1


def test_scripted_parts_are_named() -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        inner = torch.jit.script(nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU()))
    net = network(nn.Sequential(nn.Conv2d(3, 4, 3), inner, nn.Conv2d(4, 2, 1)))
    with pytest.raises(LayerNeverRan, match=r"'1\.0'.*scripted"):
        net["1.0"](image())
    assert [layer.name for layer in net.layers()] == ["0", "2"]
    assert net["2"](image()).shape == (1, 2, 8, 8)
    assert net.classes == 2


def test_compiled_layers_keep_their_names() -> None:
    module = torch.compile(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), backend="aot_eager")
    part = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.ReLU()))
    part[1] = torch.compile(part[1], backend="aot_eager")
    for net, names in ((network(module), ["0", "1"]), (network(part), ["0", "1.0", "1"])):
        assert [layer.name for layer in net.layers()][:2] == names[:2]
        assert net[names[-1]](image()).shape == (1, 4, 10, 10)


def test_what_the_engine_notes() -> None:
    module = Reused().eval()
    x = image().requires_grad_()
    output, captures = record(module, x, None)
    assert [str(a) for a in captures][:3] == ["conv1", "relu", "conv2"]
    assert output.shape == (1, 2)
    address = Address("relu", 1)
    capture = captures[address]
    assert capture.module is module.relu
    assert capture.shape == (1, 4, 10, 10)
    assert capture.edge is not None
    assert capture.edge.node.name() == "ReluBackward0"
    assert capture.edge != captures[Address("relu")].edge
    _, without = record(module, x, None, values=False)
    assert all(c.value is None for c in without.values())
    output, one = record(module, x, [address], stop=True)
    assert output is None
    assert list(one) == [address]
    with torch.no_grad():
        _, detached = record(module, x, [address])
    assert detached[address].edge is None
    assert not any(child._forward_hooks for child in module.modules())


class Recording(nn.Module):
    """Records its own part while it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.part = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        _, found = record(self.part, x, [Address("1", 0)])
        raise AssertionError(f"what is behind the cut ran: {found}")


def test_a_recording_inside_a_recording_lets_its_end_through() -> None:
    _, found = record(Recording(), image(), [Address("part.0", 0)], stop=True)
    assert found[Address("part.0", 0)].shape == (1, 2, 10, 10)
