"""Objectives: their formulas, and closed derivatives against autograd."""

from __future__ import annotations

import pytest
import torch

from phosphene.errors import UnitError
from phosphene.preimage.energy import Objective
from phosphene.preimage.objectives import Caricature, Match, Maximize


def codes(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


MASK = (codes(9, 3, 1, 1) > 0).double()
OBJECTIVES: list[Objective] = [
    Match(codes(1, 2, 3, 4, 5)), Match(codes(1, 1, 3, 4, 5)), Match(codes(1, 2, 3, 4, 5), MASK),
    Maximize(), Maximize(codes(2, 2, 3, 4, 5)), Maximize(codes(2, 1, 3, 4, 5)),
    Caricature(codes(3, 2, 3, 4, 5)), Caricature(codes(3, 1, 3, 4, 5)),
]  # fmt: skip


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: type(o).__name__)
def test_closed_derivatives_are_autograds(objective: Objective) -> None:
    code = codes(0, 2, 3, 4, 5)
    before = code.clone()
    loss, slope = objective.judge(code, 2.5)
    want_loss, want = Objective.judge(objective, code, 2.5)
    torch.testing.assert_close(loss, want_loss)
    torch.testing.assert_close(slope, want)
    assert torch.equal(code, before)


def test_they_are_the_formulas() -> None:
    code, target = codes(0, 2, 3, 4, 5), codes(1, 2, 3, 4, 5)
    for i in range(2):
        difference = (code[i] - target[i]) * MASK
        want = difference.norm() / (target[i] * MASK).norm()
        torch.testing.assert_close(Match(target, MASK).relative_error(code)[i], want)
        positive = target[i].clamp(min=0)
        want = -(code[i] * positive).sum() / positive.square().sum()
        torch.testing.assert_close(Caricature(target).loss(code)[i], want)
        torch.testing.assert_close(Maximize(target).loss(code)[i], -(code[i] * target[i]).sum())
    assert torch.equal(Match(target).loss(target), torch.zeros(2, dtype=torch.float64))


def test_codes_of_other_layers_are_refused() -> None:
    with pytest.raises(UnitError, match=r"\(3, 4, 5\) cannot be matched by a layer of shape \(2,"):
        Match(codes(1, 1, 3, 4, 5)).loss(codes(0, 1, 2, 4, 5))
