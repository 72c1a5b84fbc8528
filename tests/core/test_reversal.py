"""Every rule on every spelling of a network: exact against the literal reference, or refused."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pytest
import torch

from phosphene.core import nodes
from phosphene.core.network import Network
from phosphene.core.nodes import register_rule
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.reversal import UnknownFunction, backward
from phosphene.core.rules import (
    ARCHITECTURES,
    DECONVNET,
    GUIDED,
    LATTICE,
    SALIENCY,
    Reversal,
)
from phosphene.core.unit import Unit
from phosphene.errors import NothingToReverse, OpaqueGraph, UnknownRule
from tests.core.spellings import (
    NORMALIZED,
    RESIDUALS,
    SPELLINGS,
    TORCH_WARNINGS,
    image,
    reference_relu,
)
from tests.reference.reversed_network import forward, reverse

pytestmark = [pytest.mark.filterwarnings(w) for w in TORCH_WARNINGS]


def network(module: torch.nn.Module) -> Network:
    return Network(module, Preprocessing((19, 19)))


def tape_of(module: torch.nn.Module, x: torch.Tensor):
    return network(module).output.tape(x)


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda s: s.id)
def test_signals_are_exact_or_refused(spelling) -> None:
    x = image(batch=2)
    record = forward(spelling.layers, x.numpy())
    p = np.eye(5)[[1, 3]]
    module = spelling.build()
    tape = None
    for rule in LATTICE:
        if tape is None or spelling.once:
            module = spelling.build() if spelling.once else module
            tape = tape_of(module, x)
        seed = torch.from_numpy(p).to(tape.activation).reshape(tape.activation.shape)
        if spelling.outcome == "OpaqueGraph" and rule != SALIENCY:
            with pytest.raises(OpaqueGraph):
                backward(tape, seed, rule)
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            if spelling.outcome == "custom" and rule != SALIENCY:
                if rule.relu == "mask":
                    with pytest.warns(UnknownFunction, match=spelling.function):
                        backward(tape, seed, rule)
                else:
                    with pytest.raises(NothingToReverse, match=spelling.function):
                        backward(tape, seed, rule)
                with introduced(f"{spelling.function}Backward"):
                    signal = backward(tape_of(module, x), seed, rule)
                check(signal, spelling, record, p, rule)
                continue
            if spelling.outcome == "OpaqueGraph":
                continue  # its derivative is PyTorch's business
            signal = backward(tape, seed, rule)
        check(signal, spelling, record, p, rule)


def check(signal: torch.Tensor, spelling, record, p, rule: Reversal) -> None:
    want = reverse(spelling.layers, record, p, relu=rule.relu, pool=rule.pool, lrn=rule.lrn)[0]
    np.testing.assert_allclose(signal.numpy(), want, rtol=1e-9, atol=1e-12, err_msg=str(rule))


@contextmanager
def introduced(name: str):
    register_rule(name, like="relu")
    try:
        yield
    finally:
        nodes._registered.pop(name)


# The reference function replaces ReLUs alone.
RELU_RULES = [rule for rule in LATTICE if (rule.pool, rule.lrn) == ("switches", "backprop")]


@pytest.mark.parametrize("rule", RELU_RULES, ids=str)
@pytest.mark.parametrize("spelling", RESIDUALS, ids=lambda s: s.id)
def test_branches_are_exact(spelling, rule: Reversal) -> None:
    x = image(batch=2)
    tape = tape_of(spelling.build(None), x)
    seed = Unit.strongest().plant(tape.activation).p
    if not spelling.relus and rule.relu != "mask":
        with pytest.raises(NothingToReverse, match="relu 0"):
            backward(tape, seed, rule)
        return
    signal = backward(tape, seed, rule)
    relu = reference_relu(rule.relu) if spelling.relus else None
    leaf = x.clone().requires_grad_()
    reference = spelling.build(relu)(leaf)
    (want,) = torch.autograd.grad(reference, leaf, seed)
    torch.testing.assert_close(signal, want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rule", LATTICE, ids=str)
def test_every_inner_layer(rule: Reversal) -> None:
    """`to=` gives the signal at any layer's output, also where in-place layers follow it."""
    for inplace in (False, True):
        chain = NORMALIZED
        record = forward(chain, image().numpy())
        net = _chain_module(chain, inplace)
        names = [name for name, _ in net.module.named_children()]
        tape = net.output.tape(image(), to=names[:-1])
        p = np.eye(5)[[2]]
        want = reverse(chain, record, p, relu=rule.relu, pool=rule.pool, lrn=rule.lrn)
        for i, name in enumerate(names[:-1]):
            signal = backward(tape, torch.from_numpy(p), rule, to=name)
            expected = want[i + 1].reshape(tuple(signal.shape))
            np.testing.assert_allclose(signal.numpy(), expected, rtol=1e-9, atol=1e-12)


def _chain_module(layers, inplace: bool) -> Network:
    from collections import OrderedDict

    from tests.core.spellings import layer_names
    from tests.reference import reversed_network as r

    modules: OrderedDict[str, torch.nn.Module] = OrderedDict()
    for name, layer in zip(layer_names(layers), layers, strict=True):
        match layer:
            case r.Conv():
                w = torch.from_numpy(layer.weight)
                conv = torch.nn.Conv2d(
                    w.shape[1] * layer.groups, w.shape[0], tuple(w.shape[2:]), layer.stride,
                    layer.pad, layer.dilation, layer.groups,
                ).double()  # fmt: skip
                conv.weight.data, conv.bias.data = w, torch.from_numpy(layer.bias)
                modules[name] = conv
            case r.Relu():
                modules[name] = torch.nn.ReLU(inplace)
            case r.MaxPool():
                modules[name] = torch.nn.MaxPool2d(layer.kernel, layer.stride, layer.pad)
            case r.LRN():
                modules[name] = torch.nn.LocalResponseNorm(
                    layer.size, layer.alpha, layer.beta, layer.k
                )
            case r.FullyConnected():
                w = torch.from_numpy(layer.weight)
                linear = torch.nn.Linear(w.shape[1], w.shape[0]).double()
                linear.weight.data, linear.bias.data = w, torch.from_numpy(layer.bias)
                modules[name] = torch.nn.Sequential(torch.nn.Flatten(), linear)
            case _:
                raise AssertionError(layer)
    return network(torch.nn.Sequential(modules))


def test_many_units_in_one_backward() -> None:
    net = _chain_module(NORMALIZED, False)
    tape = net.output.tape(image(batch=2))
    seeds = torch.randn(7, *tape.activation.shape, dtype=torch.float64)
    for rule in LATTICE:
        together = backward(tape, seeds, rule)
        for seed, signal in zip(seeds, together, strict=True):
            torch.testing.assert_close(signal, backward(tape, seed, rule), rtol=1e-9, atol=1e-12)


def test_polarity_of_equation_10() -> None:
    """DeConvNet: y * x^ >= 0 at every ReLU; DeSaliNet also x^ = 0 where y = 0."""
    net = _chain_module(NORMALIZED, False)
    names = [n for n, child in net.module.named_children() if isinstance(child, torch.nn.ReLU)]
    below = {n: list(dict(net.module.named_children()))[i - 1] for i, n in _places(net, names)}
    for seed in range(20):
        x = image(seed=seed)
        tape = net.output.tape(x, to=list(below.values()))
        p = Unit.noise(seed, positive=False).plant(tape.activation).p
        _, activations = net.record(x, names)
        for name, under in below.items():
            y = activations[name]
            deconvnet = backward(tape, p, DECONVNET, to=under)
            assert (y * deconvnet >= 0).all()
            desalinet = backward(tape, p, GUIDED, to=under)
            assert (y * desalinet >= 0).all()
            assert (desalinet[y == 0] == 0).all()
            saliency = backward(tape, p, SALIENCY, to=under)
            assert (saliency < 0).any()


def _places(net: Network, names: list[str]) -> list[tuple[int, str]]:
    order = [n for n, _ in net.module.named_children()]
    return [(order.index(n), n) for n in names]


def test_saliency_and_deconvnet_differ_only_at_relus() -> None:
    """Paper 002, section 4: given the same signal above, each other layer reverses it alike."""
    net = _chain_module(NORMALIZED, False)
    order = ["", *(n for n, _ in net.module.named_children())]
    x = image()
    kinds = {n: type(child).__name__ for n, child in net.module.named_children()}
    deconvnet = Reversal("rectify", "switches", "backprop")
    differ = set()
    for under, name in pairwise(order):
        tape = net[name].tape(x, to=[under] if under else [])
        p = Unit.noise(3, positive=False).plant(tape.activation).p
        one = backward(tape, p, SALIENCY, to=under or None)
        if not under:
            continue  # below the first layer there is no ReLU to tell them apart
        other = backward(tape, p, deconvnet, to=under)
        if not torch.equal(one, other):
            differ.add(kinds[name])
    assert differ == {"ReLU"}


def test_rules_have_names_and_are_values() -> None:
    assert len(set(LATTICE)) == 16
    assert len(set(ARCHITECTURES)) == 8
    assert Reversal.parse("DeSaliNet") == GUIDED
    assert Reversal.parse("rectify") == DECONVNET
    assert str(Reversal.parse("rectify/centre/backprop")) == "rectify/centre/backprop"
    for rule in LATTICE:
        assert Reversal.parse(rule.name) == rule
    for wrong in ("gided", "rectify/middle", "a/b/c/d", ""):
        with pytest.raises(UnknownRule):
            Reversal.parse(wrong)


def test_other_rectifiers_can_be_included() -> None:
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(3, 4, 3).double()
    net = network(torch.nn.Sequential(conv, torch.nn.ReLU6(), torch.nn.Flatten()))
    tape = net.output.tape(image() * 9)
    p = torch.randn_like(tape.activation)
    with pytest.raises(NothingToReverse, match="relu6 1"):
        backward(tape, p, GUIDED)
    signal = backward(tape, p, GUIDED.including("relu6"), to=None)
    x = (image() * 9).requires_grad_()
    pre = conv(x)
    mask = (pre > 0) & (pre < 6)
    (want,) = torch.autograd.grad(pre, x, (p.view_as(pre) * mask).clamp(min=0))
    torch.testing.assert_close(signal, want)


def test_hooks_are_gone_after_an_exception() -> None:
    net = _chain_module(NORMALIZED, False)
    tape = net.output.tape(image())
    p = torch.ones_like(tape.activation)
    before = backward(tape, p, SALIENCY)
    with pytest.raises(RuntimeError):
        backward(tape, torch.ones(3, 3, 3, dtype=torch.float64)[0], GUIDED)
    torch.testing.assert_close(backward(tape, p, SALIENCY), before, rtol=0, atol=0)
