"""Algorithm 1 against its literal version, and the facts it was settled by."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import NotFinite
from phosphene.preimage.canvas import Canvas, PixelSpace, jitter_of
from phosphene.preimage.descent import Settings, descend
from phosphene.preimage.energy import Energy
from phosphene.preimage.objectives import Match
from phosphene.preimage.priors import BoundedRange, TotalVariation
from tests.reference import priors as reference

# A network of BGR pixels with its own scale, so that the affine way there and back is tested.
SPACE = PixelSpace.of(
    Preprocessing((7, 6), mean=(0.4, 0.5, 0.3), std=(0.5, 0.25, 2.0), scale=3.0, order="BGR"),
    torch.zeros(1, dtype=torch.float64),
)


def phi(image: torch.Tensor) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(4, 3, 3, 3, generator=generator, dtype=image.dtype)
    return torch.nn.functional.conv2d(image, weight).tanh()


def run(energy: Energy, x: torch.Tensor, canvas: Canvas, settings: Settings) -> list:
    generator = torch.Generator().manual_seed(0)
    return list(descend(energy, phi, x, canvas, SPACE, settings, generator))


def test_it_is_algorithm_1() -> None:
    canvas, settings = Canvas((7, 6)), Settings(steps=25)
    start = canvas.noise([4]).double()
    target = phi(SPACE.to_input(canvas.noise([5]).double()))
    energy = 10 * Match(target) + BoundedRange() + TotalVariation()

    def gradient(image: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(image)[None].requires_grad_()
        value = 10 * Match(target).loss(phi(SPACE.to_input(x)))
        value = value + BoundedRange().value(x) + TotalVariation().value(x)
        return torch.autograd.grad(value.sum(), x)[0][0].numpy()

    want = reference.descend(gradient, start[0].numpy(), settings.eta((7, 6)), 0.9, 160, 25)
    x = start.clone()
    steps = run(energy, x, canvas, settings)
    np.testing.assert_allclose(x[0].numpy(), want, rtol=1e-8, atol=1e-8)
    assert [step.number for step in steps] == list(range(25))
    assert steps[-1].objective < steps[0].objective


def test_images_of_a_batch_do_not_see_each_other() -> None:
    canvas, settings = Canvas((6, 6), jitter=3), Settings(steps=8)
    targets = phi(SPACE.to_input(canvas.crop(canvas.noise([7, 8]).double(), (0, 0))))
    x = canvas.noise([1, 2]).double()
    alone = [x[i : i + 1].clone() for i in range(2)]
    run(3 * Match(targets) + TotalVariation(), x, canvas, settings)
    for i, single in enumerate(alone):
        run(3 * Match(targets[i : i + 1]) + TotalVariation(), single, canvas, settings)
        torch.testing.assert_close(single[0], x[i], rtol=1e-9, atol=1e-9)


def test_the_rate_needs_the_image_area() -> None:
    """With the priors alone the noise is gone in 100 steps; by the printed rate it is not."""
    canvas = Canvas((64, 64))
    energy = BoundedRange() + TotalVariation()
    x, stays = canvas.noise([0]), canvas.noise([0])
    start = x.norm(dim=1).mean()
    run(energy, x, canvas, Settings(steps=100))
    run(energy, stays, canvas, Settings(steps=100, rate=0.01 / 64**2))
    assert 40 < start < 60
    assert x.norm(dim=1).mean() < 5
    assert stays.norm(dim=1).mean() > 0.8 * start


def test_jitter_crops_and_never_wraps() -> None:
    assert [jitter_of(s) for s in (1, 2, 4, 8, 16, 32)] == [1, 1, 1, 2, 4, 8]
    canvas = Canvas((5, 4), jitter=3)
    assert canvas.full == (7, 6)
    assert canvas.middle == (1, 1)
    x = torch.arange(42.0).view(1, 1, 7, 6)
    generator = torch.Generator().manual_seed(0)
    offsets = {canvas.offset(generator) for _ in range(200)}
    assert offsets == {(a, b) for a in range(3) for b in range(3)}
    for a, b in offsets:
        assert torch.equal(canvas.crop(x, (a, b)), x[..., a : a + 5, b : b + 4])
    placed = canvas.place(torch.ones(1, 1, 5, 4))
    assert placed.sum() == 20
    assert torch.equal(canvas.crop(placed, canvas.middle), torch.ones(1, 1, 5, 4))


def test_noise_has_the_papers_scale() -> None:
    x = Canvas((50, 50)).noise([0, 1, 0])
    assert torch.equal(x[0], x[2])
    assert not torch.equal(x[0], x[1])
    assert 50 < x.abs().max() < 53
    assert abs(float(x.mean())) < 1


def test_a_diverging_energy_is_said() -> None:
    canvas = Canvas((5, 5))
    with pytest.raises(NotFinite, match="step 0"):
        run(1e300 * Match(torch.zeros(1, 4, 3, 3)), canvas.noise([0]), canvas, Settings(steps=3))
