from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from phosphene.errors import FormatError
from phosphene.formats.layer_graph import LayerGraph, LayerSpec

SIZE = (3, 5, 5)
CONV = {"in_channels": 3, "out_channels": 2, "kernel_size": (3, 3)}
WEIGHTS = {
    "weight": np.arange(54, dtype=np.float32).reshape(2, 3, 3, 3) / 54,
    "bias": np.float32([1, -30]),
}


def graph(*specs: LayerSpec) -> LayerGraph:
    return LayerGraph(specs, "data", SIZE).eval()


def conv(name: str, bottom: str = "data", top: str = "") -> LayerSpec:
    return LayerSpec(name, "Conv2d", (bottom,), (top or name,), CONV, WEIGHTS)


def test_weights_are_copied_into_an_ordinary_module() -> None:
    weights = {name: array.copy() for name, array in WEIGHTS.items()}
    for array in weights.values():
        array.flags.writeable = False
    net = graph(LayerSpec("conv", "Conv2d", ("data",), ("conv",), CONV, weights))
    module = net.get_submodule("conv")
    assert type(module) is torch.nn.Conv2d
    assert module.weight.requires_grad
    with torch.no_grad():
        module.weight.zero_()
    assert weights["weight"].any()
    module.reset_parameters()
    assert module.weight.abs().sum() > 0


def test_in_place_layers_and_aliases() -> None:
    net = graph(
        conv("conv", top="maps"),
        LayerSpec("relu", "ReLU", ("maps",), ("maps",)),
        LayerSpec("abs", "Absolute", ("maps",), ("abs",)),
    )
    x = torch.randn(2, *SIZE)
    assert net.aliases == {"maps": "relu"}
    assert net.input_size == SIZE
    torch.testing.assert_close(net(x), net.conv(x).relu().abs())


def test_branches_and_what_is_returned() -> None:
    net = graph(
        conv("a"),
        LayerSpec("twice", "Identity", ("a",), ("b", "c")),
        LayerSpec("cut", "Slice", ("c",), ("left", "right"), {"sizes": (1, 1)}),
        LayerSpec("sum", "Eltwise", ("left", "right"), ("sum",)),
        LayerSpec("aside", "Absolute", ("b",), ("aside",)),
        LayerSpec("join", "Concat", ("sum", "b"), ("join",)),
    )
    x = torch.randn(2, *SIZE)
    a = net.a(x)
    torch.testing.assert_close(net(x), torch.cat([a.sum(1, keepdim=True), a], 1))
    assert net.aliases == {
        "b": "twice", "c": "twice", "left": "cut", "right": "cut",
    }  # fmt: skip


def test_blobs_are_dropped_when_nothing_needs_them() -> None:
    net = graph(conv("a"), LayerSpec("b", "ReLU", ("a",), ("a",)), conv("aside"),
                LayerSpec("c", "ReLU", ("a",), ("c",)))  # fmt: skip
    assert [step.stale for step in net._steps] == [(), (), ("data", "aside"), ("a",)]


@pytest.mark.parametrize(
    ("size", "shape"), [((3, 3), (2, 2)), ((4, 3), (2, 2, 2, 1)), ((3, 4), (2, 2, 1, 2))]
)
def test_a_single_place_is_returned_as_a_code(size: tuple[int, int], shape: object) -> None:
    assert graph(conv("a"))(torch.zeros(2, 3, *size)).shape == shape


def test_a_small_input_is_torchs_error() -> None:
    with pytest.raises(RuntimeError, match="Kernel size can't be greater"):
        graph(conv("a"))(torch.zeros(1, 3, 2, 2))


def test_names_that_torch_forbids() -> None:
    net = graph(
        conv("a.b"),
        conv("a_b"),
        conv("train"),
        conv("fire/1"),
        conv("a_b"),
        conv(""),
        conv("_steps"),
    )
    assert [name for name, _ in net.named_children()] == [
        "a_b", "a_b_", "train_", "fire/1", "a_b__", "unnamed", "_steps_",
    ]  # fmt: skip
    assert net.aliases["a.b"] == "a_b"
    assert net.aliases["train"] == "train_"
    assert not net.training


def test_copies_pickles_and_state_dicts(tmp_path: Path) -> None:
    net = graph(conv("fire/1"), LayerSpec("relu", "ReLU", ("fire/1",), ("fire/1",)))
    x = torch.randn(1, *SIZE)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(twin(x), net(x))
        assert twin.aliases == net.aliases
    torch.save(net.state_dict(), tmp_path / "weights.pt")
    state = torch.load(tmp_path / "weights.pt", weights_only=True)
    assert list(state) == ["fire/1.weight", "fire/1.bias"]
    other = graph(conv("fire/1"), LayerSpec("relu", "ReLU", ("fire/1",), ("fire/1",)))
    other.load_state_dict(state)
    assert torch.equal(other(x), net(x))


def test_errors() -> None:
    with pytest.raises(FormatError, match="the network has no layers"):
        graph()
    with pytest.raises(FormatError, match="layer 'b' reads the blob 'nowhere', which nothing"):
        graph(conv("a"), conv("b", "nowhere"))
    weights = WEIGHTS | {"bias": np.zeros(7, np.float32)}
    with pytest.raises(FormatError, match=r"its bias should be of shape \(2,\), but .* \(7,\)"):
        graph(LayerSpec("a", "Conv2d", ("data",), ("a",), CONV, weights))
    with pytest.raises(FormatError, match="its slope should be of shape None"):
        graph(LayerSpec("a", "Conv2d", ("data",), ("a",), CONV, {"slope": np.zeros(1)}))
