"""Weights from one definition of a network into another."""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from phosphene.errors import FormatError
from phosphene.formats.layer_graph import LayerGraph, LayerSpec
from phosphene.formats.layers import FullyConnected
from phosphene.zoo.transplant import (
    Ambiguity,
    Match,
    Mismatch,
    input_channels_flipped,
    transplant,
)
from phosphene.zoo.vgg import VggVd16


def native(classes: int = 4) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 6, 3), relu1=nn.ReLU(), conv2=nn.Conv2d(6, 6, 3),
            fc3=FullyConnected(6, 8, (4, 4)), fc4=FullyConnected(8, classes, (1, 1)),
        )
    )  # fmt: skip


def numbered(classes: int = 4) -> nn.Sequential:
    features = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 3))
    classifier = nn.Sequential(nn.Linear(96, 8), nn.Linear(8, classes))
    return nn.Sequential(OrderedDict(features=features, flat=nn.Flatten(), classifier=classifier))


def image() -> Tensor:
    return torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def snapshot(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def unchanged(module: nn.Module, before: dict[str, Tensor]) -> bool:
    return all(torch.equal(before[n], t) for n, t in module.state_dict().items())


def test_by_name_with_a_matrix_for_a_convolution() -> None:
    source, target = native(), native()
    state = source.state_dict()
    state["fc3.weight"] = state["fc3.weight"].flatten(1)
    report = transplant(state, target, strict=True)
    assert report.complete
    assert report.matched == tuple(Match(n, n) for n in target.state_dict())
    assert str(report) == "8 tensors matched"
    torch.testing.assert_close(target(image()), source(image()))


@pytest.mark.parametrize("wrapper", ["module.", "_orig_mod.", "module._orig_mod."])
def test_what_wrappers_put_before_names(wrapper: str) -> None:
    source, target = native(), native()
    state = {f"{wrapper}{name}": tensor for name, tensor in source.state_dict().items()}
    report = transplant(state, target, strict=True)
    assert f"8 of them under another name ({wrapper}conv1.weight as conv1.weight" in str(report)
    torch.testing.assert_close(target(image()), source(image()))


def test_by_order_there_and_back() -> None:
    source, target = numbered(), native()
    report = transplant(source.state_dict(), target, strict=True)
    assert Match("classifier.0.weight", "fc3.weight") in report.matched
    torch.testing.assert_close(target(image()).flatten(1), source(image()))
    back = numbered()
    transplant(target.state_dict(), back, strict=True)
    torch.testing.assert_close(back(image()), source(image()))


def test_types_are_the_modules() -> None:
    source, target = native().double(), native()
    transplant(source.state_dict(), target, strict=True)
    assert target.conv1.weight.dtype == torch.float32
    torch.testing.assert_close(target.conv1.weight, source.conv1.weight.float())


def test_a_network_read_from_a_file() -> None:
    def spec(name: str, below: str, module: nn.Conv2d) -> LayerSpec:
        options: dict[str, Any] = {
            "in_channels": module.in_channels,
            "out_channels": module.out_channels,
            "kernel_size": module.kernel_size,
        }
        blobs = {n: t.numpy().astype(np.float32) for n, t in module.state_dict().items()}
        return LayerSpec(name, type(module).__name__, (below,), (name,), options, blobs)

    source = native()
    graph = LayerGraph(
        [
            spec("conv1", "data", source.conv1),
            LayerSpec("relu1", "ReLU", ("conv1",), ("conv1_rectified",)),
            spec("conv2", "conv1_rectified", source.conv2),
            spec("fc3", "conv2", source.fc3),
            spec("fc4", "fc3", source.fc4),
        ],
        "data",
        (3, 8, 8),
    )
    target = native()
    assert transplant(graph.state_dict(), target).complete
    torch.testing.assert_close(target(image()).flatten(1), graph(image()))
    other = native()
    transplant(target.state_dict(), graph, strict=True)
    transplant(graph.state_dict(), other, strict=True)
    torch.testing.assert_close(other(image()), source(image()))


def test_torchvisions_names_of_vgg_16() -> None:
    # Without memory: only names and shapes are looked at.
    with torch.device("meta"):
        target = VggVd16()
        state: dict[str, Tensor] = {}
        index, channels = 0, 3
        for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
            for _ in range(count):
                state[f"features.{index}.weight"] = torch.empty(width, channels, 3, 3)
                state[f"features.{index}.bias"] = torch.empty(width)
                index, channels = index + 2, width
            index += 1
        for i, (inputs, outputs) in ((0, (25088, 4096)), (3, (4096, 4096)), (6, (4096, 1000))):
            state[f"classifier.{i}.weight"] = torch.empty(outputs, inputs)
            state[f"classifier.{i}.bias"] = torch.empty(outputs)
    report = transplant(state, target, strict=True)
    pairs = {match.target: match.source for match in report.matched}
    assert len(pairs) == 32
    assert pairs["conv1_1.weight"] == "features.0.weight"
    assert pairs["conv4_1.bias"] == "features.17.bias"
    assert pairs["conv5_3.weight"] == "features.28.weight"
    assert pairs["fc8.weight"] == "classifier.6.weight"


def test_mismatches_by_name_and_by_order() -> None:
    for source in (native(7), numbered(7)):
        target = native()
        before = snapshot(target)
        with pytest.raises(FormatError, match=r"fc4\.weight: 4x8x1x1 is needed, 7x8"):
            transplant(source.state_dict(), target, strict=True)
        assert unchanged(target, before)
        report = transplant(source.state_dict(), target)
        found = tuple(list(source.state_dict().values())[-2].shape)
        assert report.mismatched == (
            Mismatch("fc4.weight", (4, 8, 1, 1), found), Mismatch("fc4.bias", (4,), (7,)),
        )  # fmt: skip
        assert (report.missing, report.unused, report.ambiguous) == ((), (), ())
        assert len(report.matched) == 6
        assert not torch.equal(target.conv1.weight, before["conv1.weight"])
        assert torch.equal(target.fc4.weight, before["fc4.weight"])


def test_missing_and_unused() -> None:
    target = native()
    state = native().state_dict()
    state["extra.weight"] = state.pop("conv2.bias")
    report = transplant(state, target)
    assert report.missing == ("conv2.bias",)
    assert report.unused == ("extra.weight",)
    assert str(report).splitlines() == [
        "7 tensors matched", "missing: conv2.bias", "unused: extra.weight",
    ]  # fmt: skip


def chain(*channels: int) -> nn.Sequential:
    return nn.Sequential(*(nn.Conv2d(a, b, 3, bias=False) for a, b in pairwise(channels)))


def layered(*channels: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict((f"conv{i}", layer) for i, layer in enumerate(chain(*channels)))
    )


def test_too_many_of_a_shape_are_not_guessed_at() -> None:
    source, target = chain(3, 6, 6, 6, 6), layered(3, 6, 6, 6)
    before = snapshot(target)
    report = transplant(source.state_dict(), target)
    assert report.matched == (Match("0.weight", "conv0.weight"),)
    assert report.ambiguous == (Ambiguity(("1.", "2.", "3."), ("conv1.", "conv2.")),)
    assert (report.missing, report.unused) == ((), ())
    assert "ambiguous: 1, 2, 3 could be conv1, conv2 in several ways" in str(report)
    assert torch.equal(target.conv1.weight, before["conv1.weight"])
    assert not report.complete


def test_another_order_is_not_guessed_at() -> None:
    source = {"a.w": torch.ones(2, 5), "b.w": torch.ones(3, 5)}
    target = nn.ParameterDict({"x": torch.zeros(3, 5), "y": torch.zeros(2, 5)})
    module = nn.ModuleDict({"p": nn.Linear(5, 3, bias=False), "q": nn.Linear(5, 2, bias=False)})
    renamed = {f"{name[0]}.weight": tensor for name, tensor in source.items()}
    report = transplant(renamed, module)
    assert report.matched == ()
    assert {a.sources for a in report.ambiguous} == {("a.",), ("b.",)}
    assert (report.missing, report.unused) == ((), ())
    assert not module["q"].weight.eq(1).all()
    # The shapes of single tensors do not make a layer.
    assert transplant(source, target).matched == ()


def test_one_tensor_under_two_names() -> None:
    weight = torch.ones(4, 2)
    target = nn.Linear(2, 4, bias=False)
    report = transplant({"weight": weight, "module.weight": 2 * weight}, target)
    assert report.ambiguous == (Ambiguity(("weight", "module.weight"), ("weight",)),)
    assert report.matched == ()


def test_only_matrices_and_their_convolutions_are_reshaped() -> None:
    target = nn.Conv2d(4, 2, 3, bias=False)
    report = transplant({"weight": torch.ones(2, 1, 6, 6)}, target)
    assert report.mismatched == (Mismatch("weight", (2, 4, 3, 3), (2, 1, 6, 6)),)


def test_statistics_are_taken_over_too() -> None:
    source, target = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    source.running_mean.fill_(7)
    source.num_batches_tracked.fill_(5)
    transplant(source.state_dict(), target, strict=True)
    assert target.running_mean.tolist() == [7, 7, 7]
    assert target.num_batches_tracked == 5


def test_bgr_weights_on_rgb_images() -> None:
    source, target = native(), native()
    flipped = input_channels_flipped(source.state_dict(), "conv1")
    transplant(flipped, target, strict=True)
    torch.testing.assert_close(target(image().flip(1)), source(image()))
    with pytest.raises(FormatError, match=r"conv2\.weight .* and 6x6x3x3 was found"):
        input_channels_flipped(source.state_dict(), "conv2")
    with pytest.raises(FormatError, match="nothing was found"):
        input_channels_flipped(source.state_dict(), "conv9")


def test_nothing_into_nothing() -> None:
    assert str(transplant({}, nn.ReLU(), strict=True)) == "0 tensors matched"
    report = transplant({}, nn.Linear(1, 1))
    assert report.missing == ("weight", "bias")
    with pytest.raises(FormatError, match="belong to another network than Linear"):
        transplant({}, nn.Linear(1, 1), strict=True)
