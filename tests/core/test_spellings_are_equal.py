"""Every spelling of the zoo computes what its description says, before anything is reversed."""

from __future__ import annotations

import pytest
import torch

from tests.core.spellings import (
    NORMALIZED,
    PLAIN,
    RESIDUALS,
    SPELLINGS,
    TORCH_WARNINGS,
    BranchSpelling,
    Spelling,
    image,
    layer_names,
    reference_relu,
)
from tests.reference.reversed_network import RELU, assert_close, forward, reverse

pytestmark = [pytest.mark.filterwarnings(warning) for warning in TORCH_WARNINGS]
chains = pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda s: s.id)
branches = pytest.mark.parametrize("spelling", RESIDUALS, ids=lambda s: s.id)


def nodes(output: torch.Tensor) -> list[str]:
    """The names of all autograd nodes behind `output`."""
    names, seen, waiting = [], set(), [output.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            names.append(node.name())
            waiting += [parent for parent, _ in node.next_functions]
    return names


@chains
def test_chain_output_is_the_reference(spelling: Spelling) -> None:
    x = image()
    wanted = forward(spelling.layers, x.numpy()).output
    module = spelling.build()
    with torch.no_grad():
        assert_close(module(x), wanted)
    assert_close(module(x.clone().requires_grad_()).detach(), wanted)


@chains
def test_chain_takes_a_batch(spelling: Spelling) -> None:
    x = image(batch=3, seed=1)
    with torch.no_grad():
        assert_close(spelling.build()(x), forward(spelling.layers, x.numpy()).output)


@chains
def test_chain_gradient_is_the_saliency_of_the_reference(spelling: Spelling) -> None:
    """Without any hook: what the spelling itself sends back is the plain derivative."""
    x = image().requires_grad_()
    output = spelling.build()(x)
    seed = torch.linspace(-1, 2, output.shape[1], dtype=output.dtype).expand(output.shape)
    output.backward(seed)  # not autograd.grad, which a re-entrant checkpoint refuses
    layers = spelling.layers
    wanted = reverse(layers, forward(layers, x.detach().numpy()), seed.numpy())[0]
    assert x.grad is not None
    assert_close(x.grad, wanted)


@pytest.mark.parametrize("spelling", [s for s in SPELLINGS if "jit" in s.id], ids=lambda s: s.id)
def test_warm_torchscript_hides_relus_and_cold_does_not(spelling: Spelling) -> None:
    """Held here because it is undocumented: a change of torch should be noticed."""
    module = spelling.build()
    tapes = [nodes(module(image().requires_grad_())) for _ in range(4)]
    relus = [tape.count("ReluBackward0") for tape in tapes]
    hidden = [any("DifferentiableGraphBackward" in name for name in tape) for tape in tapes]
    if spelling.outcome == "OpaqueGraph":
        assert all(hidden)
        assert max(relus) < 3
    elif spelling.once:
        assert relus[0] == 3
        assert hidden == [False, True, True, True]
    else:
        assert relus == [3, 3, 3, 3]
        assert not any(hidden)


@branches
def test_branch_output_and_gradient_equal_their_reference(spelling: BranchSpelling) -> None:
    """With rule `mask` the explicit ReLU is the natural one, backward too."""
    outputs, gradients = [], []
    for relu in (None, reference_relu("mask")):
        x = image(batch=2).requires_grad_()
        output = spelling.build(relu)(x)
        seed = torch.linspace(-1, 2, output.shape[1], dtype=output.dtype).expand(output.shape)
        gradients.append(torch.autograd.grad(output, x, seed)[0])
        outputs.append(output.detach())
    assert outputs[0].shape == (2, 5)
    assert_close(outputs[0], outputs[1].numpy())
    assert_close(gradients[0], gradients[1].numpy())


@branches
def test_branch_rules_change_something_only_where_there_is_a_relu(spelling: BranchSpelling) -> None:
    signals = []
    for rule in RELU:
        x = image().requires_grad_()
        output = spelling.build(reference_relu(rule))(x)
        signals.append(torch.autograd.grad(output[:, 1].sum(), x)[0])
        assert nodes(output).count("ReferenceReluBackward") == spelling.relus
        assert "ReluBackward0" not in nodes(output)
    for i, a in enumerate(signals):
        for b in signals[:i]:
            assert ((a - b).abs().max() > 1e-6) == (spelling.relus > 0)
    natural = nodes(spelling.build(None)(image().requires_grad_()))
    assert natural.count("ReluBackward0") == spelling.relus


def test_ids_are_unique() -> None:
    ids = [s.id for s in (*SPELLINGS, *RESIDUALS)]
    assert len(set(ids)) == len(ids)


def test_layer_names() -> None:
    assert layer_names(NORMALIZED) == [
        *("conv1", "relu1", "norm1", "pool1"),
        *("conv2", "relu2", "pool2", "conv3", "relu3", "fc"),
    ]
    assert [n for n in layer_names(NORMALIZED) if n != "norm1"] == layer_names(PLAIN)


def test_building_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    for spelling in SPELLINGS[:3]:
        spelling.build()
    for branch in RESIDUALS:
        branch.build(None)
    assert torch.equal(torch.get_rng_state(), before)
