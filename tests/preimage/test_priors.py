"""The priors against their formulas, and their gradients against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from phosphene.preimage.energy import Energy, Prior
from phosphene.preimage.objectives import Maximize
from phosphene.preimage.priors import BoundedRange, SquaredNorm, TotalVariation, project
from tests.reference import priors as reference

PRIORS: list[Prior] = [
    BoundedRange(), BoundedRange(alpha=2, bound=30), SquaredNorm(), TotalVariation(),
    TotalVariation(beta=1), TotalVariation(beta=1.5), TotalVariation(beta=3),
]  # fmt: skip


def images(seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 3, 6, 5, generator=generator, dtype=torch.float64) * 40


def test_values_are_the_formulas() -> None:
    x = images()
    for alpha, bound in ((6.0, 80.0), (3.0, 50.0)):
        want = [reference.bounded_range(i.numpy(), alpha, bound) for i in x]
        np.testing.assert_allclose(BoundedRange(alpha, bound).value(x), want, rtol=1e-12)
    for beta in (1.0, 1.5, 2.0):
        want = [reference.total_variation(i.numpy(), beta, 80 / 6.5) for i in x]
        np.testing.assert_allclose(TotalVariation(beta).value(x), want, rtol=1e-12)


@pytest.mark.parametrize("prior", PRIORS, ids=str)
def test_gradients_are_those_of_the_values(prior: Prior) -> None:
    x = images(1)
    want, small = torch.zeros_like(x), 1e-5
    for index in np.ndindex(*x.shape):
        up, down = x.clone(), x.clone()
        up[index] += small
        down[index] -= small
        want[index] = (prior.value(up).sum() - prior.value(down).sum()) / (2 * small)
    before = x.clone()
    tolerance = 1e-6 * float(want.abs().max())
    out = torch.ones_like(x)
    prior.add_gradient(x, out, 0.5)
    torch.testing.assert_close(2 * (out - 1), want, rtol=1e-5, atol=tolerance)
    assert torch.equal(x, before)


@pytest.mark.parametrize("beta", [1.0, 1.5, 2.0])
def test_flat_images_have_no_variation_and_a_finite_gradient(beta: float) -> None:
    flat = torch.full((1, 3, 4, 4), 7.0)
    assert TotalVariation(beta).value(flat) == 0
    out = torch.zeros_like(flat)
    TotalVariation(beta).add_gradient(flat, out, 1.0)
    assert not out.any()


def test_a_pixel_of_typical_norm_scores_one() -> None:
    x = torch.zeros(1, 3, 8, 8)
    x[:, 1] = 80
    assert BoundedRange().value(x).item() == pytest.approx(1)
    assert SquaredNorm().value(x).item() == pytest.approx(1)


def test_projection_is_onto_the_ball_of_each_pixel() -> None:
    x = images(2) * 9
    x[0, :, 0, 0] = 0
    norms = x.norm(dim=1)
    assert (norms > 160).any()
    assert (norms < 160).any()
    got = project(x.clone(), 160)
    inside = norms <= 160
    assert torch.equal(got.permute(0, 2, 3, 1)[inside], x.permute(0, 2, 3, 1)[inside])
    torch.testing.assert_close(got.norm(dim=1), norms.clamp(max=160))
    cosine = torch.nn.functional.cosine_similarity(got, x)
    torch.testing.assert_close(cosine[norms > 0], torch.ones_like(cosine[norms > 0]))
    assert torch.equal(project(x.clone(), float("inf")), x)


def test_the_algebra() -> None:
    a, b, c = Maximize(), BoundedRange(), TotalVariation()
    energy = 20 * a + b - 0.5 * c
    assert energy == (a * 20 + b) + (-0.5) * c
    assert (2 * energy).parts == ((40, a), (2.0, b), (-1.0, c))
    assert (-energy).parts[0] == (-20, a)
    assert a + b == a.as_energy() + b.as_energy()
    assert energy.objectives == ((20, a),)
    assert energy.priors == ((1.0, b), (-0.5, c))
    assert energy.parts == ((20, a), (1.0, b), (-0.5, c)), "operands stay as they were"
    assert str(Energy()) == "0"
