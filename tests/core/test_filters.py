"""Reversed passes with filters of one's own: exact against the literal reversed network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from phosphene.core.filters import filters_of, reversed_by_filters
from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.reversal import backward
from phosphene.core.rules import GUIDED, LATTICE, Reversal
from phosphene.core.tape import Tape
from phosphene.errors import ReversalError
from tests.core.spellings import RESIDUALS, SPELLINGS, TORCH_WARNINGS, image
from tests.reference.reversed_network import forward, reverse

pytestmark = [pytest.mark.filterwarnings(w) for w in TORCH_WARNINGS]
# Compiled spellings take long, and their tapes are like those of the others.
COMPILED = ("jit", "compile", "export", "fx", "checkpoint")
EXACT = [s for s in SPELLINGS if s.outcome == "exact" and not any(w in s.id for w in COMPILED)]
# Where response normalizations are passed by, all that is left is linear.
RULES = [rule for rule in LATTICE if rule.lrn == "identity"]
CENTRED = Reversal("rectify", "centre", "identity")
MASKED = Reversal("mask", "switches", "identity")


def tape_of(module: nn.Module, x: torch.Tensor) -> Tape:
    return Network(module, Preprocessing((19, 19))).output.tape(x)


def own(tape: Tape) -> list[torch.Tensor]:
    return [found.weight.clone() for found in filters_of(tape)]


@pytest.mark.parametrize("spelling", EXACT, ids=lambda s: s.id)
def test_the_networks_own_filters_are_the_literal_reversed_network(spelling) -> None:
    x = image(batch=2)
    record = forward(spelling.layers, x.numpy())
    p = np.eye(5)[[1, 3]]
    tape = tape_of(spelling.build(), x)
    seed = torch.from_numpy(p).to(tape.activation).reshape(tape.activation.shape)
    for rule in RULES:
        signal = reversed_by_filters(tape, seed, rule, own(tape))
        expected = reverse(
            spelling.layers, record, p, relu=rule.relu, pool=rule.pool, lrn=rule.lrn
        )[0]
        np.testing.assert_allclose(signal.numpy(), expected, rtol=1e-9, atol=1e-12)


def test_other_filters_are_those_of_the_literal_reversed_network() -> None:
    spelling = EXACT[0]
    x = image(batch=2)
    record = forward(spelling.layers, x.numpy())
    tape = tape_of(spelling.build(), x)
    draw = np.random.default_rng(7)
    weights = [draw.standard_normal(w.shape) for w in own(tape)]
    left = iter(weights)
    layers = [
        replace(layer, weight=next(left)) if hasattr(layer, "weight") else layer
        for layer in spelling.layers
    ]
    p = np.abs(draw.standard_normal((2, 5)))
    seed = torch.from_numpy(p).reshape(tape.activation.shape)
    for rule in RULES:
        signal = reversed_by_filters(tape, seed, rule, list(map(torch.from_numpy, weights)))
        how = {"relu": rule.relu, "pool": rule.pool, "lrn": rule.lrn}
        expected = reverse(layers, record, p, **how)[0]
        np.testing.assert_allclose(signal.numpy(), expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("spelling", RESIDUALS, ids=lambda s: s.id)
def test_branches(spelling) -> None:
    tape = tape_of(spelling.build(None), image(batch=2))
    seed = torch.from_numpy(np.eye(5)[[1, 3]])
    for rule in (GUIDED, CENTRED) if spelling.relus else (MASKED,):
        found = reversed_by_filters(tape, seed, rule, own(tape))
        torch.testing.assert_close(found, backward(tape, seed, rule))


def chain() -> nn.Sequential:
    torch.manual_seed(3)
    layers = (nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(4, 6, 3, groups=2))
    return nn.Sequential(*layers, nn.ReLU(), nn.Flatten(), nn.LazyLinear(5)).double()


@pytest.mark.parametrize("rule", [GUIDED, MASKED, CENTRED], ids=str)
def test_derivatives_by_filters_and_biases(rule: Reversal) -> None:
    module = chain()
    x = image(batch=2)
    module(x)
    tape = tape_of(module, x)
    draw = torch.Generator().manual_seed(5)
    weights = [(w + 0.01).requires_grad_() for w in own(tape)]
    biases = [
        (0.1 * torch.rand(f.inputs, generator=draw).double()).requires_grad_()
        for f in filters_of(tape)
    ]
    seed = torch.rand(tape.activation.shape, generator=draw).double()

    def signal(*learned: torch.Tensor) -> torch.Tensor:
        return reversed_by_filters(tape, seed, rule, learned[:3], learned[3:])

    assert torch.autograd.gradcheck(signal, (*weights, *biases), fast_mode=True)
    signal(*weights, *biases).sum().backward()
    assert all(w.grad is not None for w in (*weights, *biases))
    # The network's own pass is left alone.
    assert tape.x.grad is None
    assert all(p.grad is None for p in module.parameters())


def test_what_cannot_be_learned_is_refused() -> None:
    for layer, what in (
        (nn.ConvTranspose2d(3, 3, 2), "a transposed convolution, whose reverse"),
        (nn.Unflatten(1, (3, 1)), "a 3-D convolution"),
        (nn.Softmax(1), "Softmax lies on the way"),
        (nn.InstanceNorm2d(3), "lies on the way"),
    ):
        middle = [layer, nn.Conv3d(3, 3, 1)] if isinstance(layer, nn.Unflatten) else [layer]
        tape = tape_of(nn.Sequential(*middle, nn.ReLU()).double(), image())
        with pytest.raises(ReversalError, match=what):
            reversed_by_filters(tape, tape.activation, GUIDED, own(tape))
    tape = tape_of(chain_of_one(), image())
    with pytest.raises(ValueError, match=r"filters of shapes \[\(4, 3, 3, 3\)\] are needed"):
        reversed_by_filters(tape, tape.activation, GUIDED, [])


def chain_of_one() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).double()
