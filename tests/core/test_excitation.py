"""Excitation backprop and Grad-CAM on every spelling, against the literal references."""

from __future__ import annotations

import copy
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from phosphene.core.attention import (
    CONTRASTIVE,
    EXCITATION,
    GRAD_CAM,
    Excitation,
    GradCam,
    attention_map,
    parse_rule,
)
from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.reversal import backward
from phosphene.core.rules import GUIDED, SALIENCY, Reversal
from phosphene.core.unit import Unit
from phosphene.errors import OpaqueGraph, ReversalError, UnknownLayer, UnknownRule
from tests.core.spellings import NORMALIZED, RESIDUALS, SPELLINGS, TORCH_WARNINGS, Residual, image
from tests.core.test_reversal import _chain_module, introduced
from tests.reference import attention as literal
from tests.reference import reversed_network as r

pytestmark = [pytest.mark.filterwarnings(w) for w in TORCH_WARNINGS]
CLOSE = {"rtol": 1e-9, "atol": 1e-12}


def network(module: nn.Module, side: int = 19) -> Network:
    return Network(module, Preprocessing((side, side)))


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda s: s.id)
def test_every_spelling_is_exact_or_refused(spelling) -> None:
    x, p = image(batch=2), np.eye(5)[[1, 3]]
    tape = network(spelling.build()).output.tape(x)
    seed = torch.from_numpy(p).reshape(tape.activation.shape)
    if spelling.outcome in ("OpaqueGraph", "custom"):
        with pytest.raises(OpaqueGraph):
            backward(tape, seed, EXCITATION)
        if spelling.outcome == "OpaqueGraph":
            return
        with introduced(f"{spelling.function}Backward"):
            tape = network(spelling.build()).output.tape(x)
            signal = backward(tape, seed, EXCITATION)
    else:
        signal = backward(tape, seed, EXCITATION)
    record = r.forward(spelling.layers, x.numpy())
    want = literal.excitation(spelling.layers, record, p)[0]
    np.testing.assert_allclose(signal.numpy(), want, **CLOSE)


def test_every_inner_layer_and_the_dual() -> None:
    net = _chain_module(NORMALIZED, True)
    names = [name for name, _ in net.module.named_children()]
    x, p = image(batch=2), np.eye(5)[[2, 4]]
    record = r.forward(NORMALIZED, x.numpy())
    up = literal.excitation(NORMALIZED, record, p)
    down = literal.excitation(NORMALIZED, record, p, dual=True)
    tape = net.output.tape(x, to=names[:-1])
    seed = torch.from_numpy(p)
    for i, to in enumerate([None, *names[:-1]]):
        for rule, want in ((EXCITATION, up[i]), (CONTRASTIVE, up[i] - down[i])):
            signal = backward(tape, seed, rule, to)
            np.testing.assert_allclose(signal.numpy(), want.reshape(signal.shape), **CLOSE)
    assert float(np.abs(up[0] - down[0]).max()) > 1e-3


def test_grad_cam_is_that_of_the_paper() -> None:
    net = _chain_module(NORMALIZED, False)
    x, p = image(batch=2), np.eye(5)[[2, 4]]
    record = r.forward(NORMALIZED, x.numpy())
    derivatives = r.reverse(NORMALIZED, record, p)
    for i, (name, _) in enumerate(list(net.module.named_children())[:-1]):
        tape = net.output.tape(x, to=[name])
        found = attention_map(backward(tape, torch.from_numpy(p), GRAD_CAM, name))
        want = literal.grad_cam(
            record.outputs[i], derivatives[i + 1].reshape(tape.captures[name].shape)
        )
        np.testing.assert_allclose(found.numpy(), want, **CLOSE)


# Averages, groups, branches


def weights(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((*shape, seed)).standard_normal(shape)


AVERAGING = (
    r.Conv(weights(6, 3, 3, 3), weights(6), stride=2, pad=1), r.Relu(), r.AvgPool(3, 2),
    r.Conv(weights(4, 3, 3, 3), None, groups=2), r.GlobalMean(), r.FullyConnected(weights(5, 4)),
)  # fmt: skip


def averaging(form: str) -> nn.Module:
    """The chain above; its last convolution is not rectified."""
    first, last = nn.Conv2d(3, 6, 3, 2, 1), nn.Conv2d(6, 4, 3, groups=2, bias=False)
    fc = nn.Linear(4, 5, bias=False)
    for module, layer in ((first, AVERAGING[0]), (last, AVERAGING[3]), (fc, AVERAGING[5])):
        module.weight.data = torch.from_numpy(layer.weight)
    first.bias.data = torch.from_numpy(AVERAGING[0].bias)

    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean((2, 3)) if form == "mean" else x.sum((-1, -2)) / x[0, 0].numel()

    ends = {"pool": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())}
    return nn.Sequential(first, nn.ReLU(), nn.AvgPool2d(3, 2), last, ends.get(form, Mean()), fc)


@pytest.mark.parametrize("form", ["pool", "mean", "sum"])
def test_averages_are_shared_by_what_they_average(form: str) -> None:
    x, p = image(batch=2), np.eye(5)[[0, 3]]
    record = r.forward(AVERAGING, x.numpy())
    tape = network(averaging(form).double()).output.tape(x)
    want = literal.excitation(AVERAGING, record, p)[0]
    np.testing.assert_allclose(backward(tape, torch.from_numpy(p), EXCITATION), want, **CLOSE)


class Summed(nn.Module):
    """A residual sum whose branch is not rectified, and a concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1)
        self.left, self.right = nn.Conv2d(4, 2, 1), nn.Conv2d(4, 3, 1)
        torch.manual_seed(1)
        for weight in self.parameters():
            nn.init.normal_(weight)

    def forward(self, x: Tensor) -> Tensor:
        a = F.relu(self.conv1(x))
        y = self.conv2(a)
        y += a
        y = F.relu(y)
        return torch.cat([self.left(y), self.right(y)], 1)


def test_sums_are_shared_by_their_positive_summands() -> None:
    module = Summed().double()
    net, x = network(module, 7), image()[..., :7, :7]
    tape = net.output.tape(x, to=["conv1", "conv2"])
    p = torch.rand(tape.activation.shape, dtype=torch.float64)
    with torch.no_grad():
        a = F.relu(module.conv1(x))
        b = module.conv2(a)
        y = F.relu(a + b)
        joined = np.concatenate([c.weight.numpy() for c in (module.left, module.right)])
    at_y = literal.share(y.numpy(), p.numpy(), literal.conv_sums(r.Conv(joined), y.shape))
    at_a, at_b = np.zeros(a.shape), np.zeros(b.shape)
    for place in np.ndindex(*a.shape):
        one, other = max(float(a[place]), 0), max(float(b[place]), 0)
        if one + other > 0:
            at_a[place] += at_y[place] * one / (one + other)
            at_b[place] += at_y[place] * other / (one + other)
    at_a += literal.share(
        a.numpy(), at_b, literal.conv_sums(r.Conv(module.conv2.weight.detach().numpy()), a.shape)
    )
    np.testing.assert_allclose(backward(tape, p, EXCITATION, "conv2"), at_b, **CLOSE)
    np.testing.assert_allclose(backward(tape, p, EXCITATION, "conv1"), at_a, **CLOSE)
    assert (b < 0).any()


def test_a_batch_normalization_is_absorbed() -> None:
    """Also where its factors are negative, and turn which weights excite."""
    module = Residual(None)
    with torch.no_grad():
        for norm in (module.norm1, module.norm2):
            norm.weight[::2] *= -1
    fused = copy.deepcopy(module)
    for i in (1, 2):
        conv, norm = getattr(fused, f"conv{i}"), getattr(fused, f"norm{i}")
        setattr(fused, f"conv{i}", fuse_conv_bn_eval(conv.eval(), norm.eval()))
        setattr(fused, f"norm{i}", nn.Identity())
    x = image(batch=2)
    signals = []
    for each in (module, fused):
        tape = network(each).output.tape(x, to=["conv1", "pool"])
        p = Unit(2).plant(tape.activation).p
        signals.append([backward(tape, p, rule, to) for rule in (EXCITATION, CONTRASTIVE)
                        for to in (None, "conv1", "pool")])  # fmt: skip
    for one, other in zip(*signals, strict=True):
        torch.testing.assert_close(one, other, **CLOSE)
        assert one.abs().max() > 0


@pytest.mark.parametrize("spelling", RESIDUALS, ids=lambda s: s.id)
def test_branches_lose_nothing_but_what_nothing_excites(spelling) -> None:
    tape = network(spelling.build(None)).output.tape(image(batch=2))
    p = Unit.strongest().plant(tape.activation).p
    signal = backward(tape, p, EXCITATION)
    assert (signal >= 0).all()
    total = signal.sum((1, 2, 3))
    assert (total <= 1 + 1e-9).all()
    assert (total > 0).all()


# What the rule is for


def test_p_is_passed_on_whole_and_only_to_what_excites() -> None:
    net = _chain_module(NORMALIZED, False)
    tape = net.output.tape(image(batch=3), to=["relu3", "pool1"])
    p = torch.rand(tape.activation.shape, dtype=torch.float64)
    for to in ("relu3", "pool1", None):
        signal = backward(tape, p, EXCITATION, to)
        assert (signal >= 0).all()
        torch.testing.assert_close(signal.flatten(1).sum(1), p.sum(1), **CLOSE)
    one = Unit(2).plant(tape.activation).p
    signal, saliency = (backward(tape, one, rule, "relu3") for rule in (EXCITATION, SALIENCY))
    active = tape.captures["relu3"].value > 0
    assert torch.equal(signal > 0, active & (saliency > 0))


def two_objects() -> tuple[Network, Tensor]:
    """Red and green, told apart by two of three features; the third sees any light."""
    features, classes = nn.Conv2d(3, 3, 3, padding=1), nn.Linear(3, 2)
    with torch.no_grad():
        features.weight.zero_()
        features.weight[0, :, 1, 1] = torch.tensor([1.0, -1, 0])
        features.weight[1, :, 1, 1] = torch.tensor([-1.0, 1, 0])
        features.weight[2, :, 1, 1] = 1
        features.bias.zero_()
        classes.weight.copy_(torch.tensor([[1.0, -1, 1], [-1, 1, 1]]))
    layers = OrderedDict(
        features=features,
        relu=nn.ReLU(),
        mean=nn.AdaptiveAvgPool2d(1),
        flat=nn.Flatten(),
        fc=classes,
    )
    picture = torch.zeros(1, 3, 8, 8, dtype=torch.float64)
    picture[0, 0, 1:4, 1:4] = picture[0, 1, 4:7, 4:7] = 1
    return network(nn.Sequential(layers).double(), 8), picture


def test_contrast_tells_two_objects_apart() -> None:
    net, picture = two_objects()
    tape = net.output.tape(picture, to=["relu"])
    maps = {}
    for rule in (EXCITATION, CONTRASTIVE):
        for unit in (0, 1):
            p = Unit(unit).plant(tape.activation).p
            maps[rule, unit] = attention_map(backward(tape, p, rule, "relu"))[0, 0]
    red, green = slice(1, 4), slice(4, 7)
    for unit, (own, other) in enumerate([(red, green), (green, red)]):
        seen = maps[EXCITATION, unit]
        assert seen[other, other].sum() > 0.2  # by the feature that both have
        assert seen[own, own].sum() > seen[other, other].sum()
        contrast = maps[CONTRASTIVE, unit]
        assert contrast[own, own].sum() > 0.2
        assert contrast[other, other].abs().max() == 0
    assert not torch.equal(maps[CONTRASTIVE, 0], maps[CONTRASTIVE, 1])


def test_frozen_weights_and_seeds_together() -> None:
    module = _chain_module(NORMALIZED, False).module
    tapes = [network(module).output.tape(image(batch=2), to=["relu2"])]
    tapes.append(network(copy.deepcopy(module).requires_grad_(False)).output.tape(
        image(batch=2), to=["relu2"]))  # fmt: skip
    p = torch.randn(6, *tapes[0].activation.shape, dtype=torch.float64)
    for rule in (EXCITATION, CONTRASTIVE, GRAD_CAM):
        together = [backward(tape, p, rule, "relu2") for tape in tapes]
        torch.testing.assert_close(*together, **CLOSE)
        for seed, signal in zip(p, together[0], strict=True):
            torch.testing.assert_close(backward(tapes[0], seed, rule, "relu2"), signal, **CLOSE)


def test_the_tape_is_left_as_it_was() -> None:
    tape = _chain_module(NORMALIZED, False).output.tape(image(), to=["relu2"])
    p = Unit(1).plant(tape.activation).p
    before = [backward(tape, p, rule) for rule in (SALIENCY, GUIDED)]
    for rule in (EXCITATION, CONTRASTIVE, GRAD_CAM):
        backward(tape, p, rule, "relu2")
        with pytest.raises(RuntimeError):
            backward(tape, p[:, :2], rule, "relu2")
    for rule, signal in zip((SALIENCY, GUIDED), before, strict=True):
        assert torch.equal(backward(tape, p, rule), signal)


# What cannot be


class Gate(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * x.mean((2, 3), keepdim=True).sigmoid()


@pytest.mark.parametrize(
    ("layer", "named"),
    [(Gate(), "MulBackward0"), (nn.Softmax(1), "SoftmaxBackward0"),
     (nn.GroupNorm(2, 4), "GroupNorm"), (nn.InstanceNorm2d(4), "BatchNorm")],
)  # fmt: skip
def test_what_cannot_be_shared_is_refused_by_name(layer: nn.Module, named: str) -> None:
    net = network(nn.Sequential(nn.Conv2d(3, 4, 3), layer, nn.Conv2d(4, 2, 3)).double())
    tape = net.output.tape(image(), to=["1"])
    p = torch.ones_like(tape.activation)
    with pytest.raises(OpaqueGraph, match=named):
        backward(tape, p, EXCITATION)
    assert backward(tape, p, EXCITATION, "1").shape == (1, 4, 17, 17)  # above it all is known


def test_values_that_the_tape_has_not() -> None:
    module = Summed().double()
    net = network(module.requires_grad_(False), 7)
    tape = net.output.tape(image()[..., :7, :7])
    with pytest.raises(OpaqueGraph, match=r"frozen.*requires_grad_"):
        backward(tape, torch.ones_like(tape.activation), EXCITATION)


def test_layers_in_the_wrong_place() -> None:
    net = _chain_module(NORMALIZED, False)
    tape = net["relu3"].tape(image(), to=["relu3", "conv3", "relu2"])
    p = Unit(1).plant(tape.activation).p
    with pytest.raises(ReversalError, match="say which"):
        backward(tape, p, GRAD_CAM)
    with pytest.raises(UnknownLayer, match="the unit's own"):
        backward(tape, p, GRAD_CAM, "relu3")
    for to in ("relu3", "conv3"):
        with pytest.raises(ReversalError, match="no weights between"):
            backward(tape, p, CONTRASTIVE, to)
    assert backward(tape, p, CONTRASTIVE, "relu2").abs().sum() > 0
    for rule in (EXCITATION, CONTRASTIVE, GRAD_CAM):
        with pytest.raises(UnknownLayer):
            backward(tape, p, rule, "pool1")


def test_rules_have_names_and_are_values() -> None:
    assert parse_rule("Excitation") == EXCITATION == Excitation()
    assert parse_rule("contrastive@conv3") == Excitation(True, "conv3")
    assert parse_rule("GradCAM@a/b") == GradCam("a/b")
    assert parse_rule("guided") == GUIDED
    for rule in (EXCITATION, Excitation(True, "x"), GradCam("y"), GUIDED):
        assert parse_rule(rule) == parse_rule(str(rule)) == rule
    for text in ("excitaton", "grad-camm", "saliency@conv1", "gided"):
        with pytest.raises(UnknownRule):
            parse_rule(text)
    for text in ("grad-cam@image", "contrastive"):
        with pytest.raises(UnknownRule):
            (parse_rule if "@" in text else Reversal.parse)(text)
    with pytest.raises(UnknownRule, match="no reversed network"):
        Reversal.parse(EXCITATION)  # type: ignore[arg-type]


def test_what_cancels_is_no_map() -> None:
    signal = torch.tensor([[1.0, -1.0 + 1e-7], [0.5, -0.25]])[:, :, None, None]
    assert attention_map(signal).flatten().tolist() == [0, 0.25]
