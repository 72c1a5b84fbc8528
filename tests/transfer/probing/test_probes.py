from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from phosphene.errors import NotFinite
from phosphene.training.recipe import sgd
from phosphene.transfer.probing.grids import Grid
from phosphene.transfer.probing.probes import Probes, joint_loss
from tests.reference import probing as reference

GRIDS = (
    Grid(3, (9, 9), (2, 2), "bilinear"),
    Grid(5, (4, 4), (1, 2), "bilinear"),
    Grid(6, (1, 1), (1, 1), "bilinear"),
)
NAMES = ("conv1", "conv2", "fc6")


def batches(count: int) -> list[tuple[list[Tensor], Tensor]]:
    generator = torch.Generator().manual_seed(3)
    return [
        (
            [torch.randn(8, *g.side, g.channels, generator=generator).double() * 3 for g in GRIDS],
            torch.randint(4, (8,), generator=generator),
        )
        for _ in range(count)
    ]


def learned(probes: Probes, which: list[int]) -> Probes:
    optimizer = sgd(0.05, 1e-2, 0.9, nesterov=True, biases=(2.0, 0.0))(probes)
    probes.train()
    for features, labels in batches(4):
        optimizer.zero_grad()
        joint_loss(probes, [features[i] for i in which], labels).backward()
        optimizer.step()
    return probes


def test_learning_is_that_of_the_formulas() -> None:
    probes = Probes(NAMES, GRIDS, 4, deviation=0.1).double()
    slow = [
        reference.Probe(
            one.weight.detach().numpy(), one.bias.detach().numpy(), 0.05, 1e-2, 0.9, (2.0, 0.0)
        )
        for one in probes.linears
    ]
    learned(probes, [0, 1, 2])
    for features, labels in batches(4):
        for one, values in zip(slow, features, strict=True):
            one.learn(reference.normalized(values.numpy()).reshape(8, -1), labels.numpy())
    for one, expected in zip(probes.linears, slow, strict=True):
        np.testing.assert_allclose(one.weight.detach(), expected.weight, atol=1e-9)
        np.testing.assert_allclose(one.bias.detach(), expected.bias, atol=1e-9)


def test_a_probe_learns_beside_others_what_it_learns_alone() -> None:
    together = learned(Probes(NAMES, GRIDS, 4, seed=7).double(), [0, 1, 2])
    for i in (0, 1, 2):
        alone = learned(Probes(NAMES[i : i + 1], GRIDS[i : i + 1], 4, seed=7).double(), [i])
        assert torch.equal(alone.linears[0].weight, together.linears[i].weight)
        assert torch.equal(alone.norms[0].variance, together.norms[i].variance)


def test_weights_hang_on_the_seed_and_the_layer_and_leave_torchs_generator_alone() -> None:
    before = torch.get_rng_state()
    one, other = Probes(NAMES, GRIDS, 4), Probes(NAMES, GRIDS, 4, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(one.linears[0].weight, other.linears[0].weight)
    assert (
        abs(float(torch.cat([x.weight.detach().flatten() for x in one.linears]).std()) - 0.01)
        < 2e-3
    )
    assert all(not bool(x.bias.any()) for x in one.linears)


def test_a_probe_that_diverges_is_named() -> None:
    probes = Probes(NAMES, GRIDS, 4).double()
    (features, labels), = batches(1)  # fmt: skip
    features[1][0] = float("inf")
    with pytest.raises(NotFinite, match="'conv2' is not finite: lower the rate"):
        joint_loss(probes, features, labels)
