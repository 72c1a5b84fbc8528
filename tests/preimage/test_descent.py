"""Algorithm 1 against its literal version, and the facts it was settled by."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import NotFinite, SettingError
from phosphene.preimage.canvas import Canvas, PixelSpace, jitter_of
from phosphene.preimage.energy import Energy
from phosphene.preimage.fourier import Fourier
from phosphene.preimage.lbfgs import LBFGS
from phosphene.preimage.objectives import Match
from phosphene.preimage.operators import Decay
from phosphene.preimage.priors import BoundedRange, TotalVariation
from phosphene.preimage.recipe import Convergence
from phosphene.preimage.solvers import AlgorithmOne, Momentum, Solver, Torch
from phosphene.preimage.transforms import Rotation, Scale
from tests.preimage.descents import SPACE, descent, noise, phi, problem, run
from tests.reference import priors as reference

SOLVERS: list[Solver] = [
    AlgorithmOne(),
    Momentum(rate=2),
    LBFGS(),
    Torch("Adam", {"lr": 3.0}),
    Torch("SGD", {"lr": 1e3, "momentum": 0.5}),
    Torch("LBFGS", {"lr": 1.0, "max_iter": 4}),
]


def target(seed: int, canvas: Canvas) -> torch.Tensor:
    return phi(SPACE.to_input(canvas.crop(noise(canvas, [seed]), (0, 0))))


def test_it_is_algorithm_1() -> None:
    canvas = Canvas((7, 6))
    start, code = noise(canvas, [4]), target(5, canvas)
    energy = 10 * Match(code) + BoundedRange() + TotalVariation()

    def gradient(image: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(image)[None].requires_grad_()
        value = 10 * Match(code).loss(phi(SPACE.to_input(x)))
        value = value + BoundedRange().value(x) + TotalVariation().value(x)
        return torch.autograd.grad(value.sum(), x)[0][0].numpy()

    eta = AlgorithmOne().eta((7, 6))
    want = reference.descend(gradient, start[0].numpy(), eta, 0.9, 160, 25)
    x = start.clone()
    steps = run(descent(energy, x, canvas), 25)
    np.testing.assert_allclose(x[0].numpy(), want, rtol=1e-8, atol=1e-8)
    assert [step.number for step in steps] == list(range(25))
    assert steps[-1].objective < steps[0].objective


@pytest.mark.parametrize("solver", SOLVERS[:5], ids=str)
def test_images_of_a_batch_do_not_see_each_other(solver: Solver) -> None:
    canvas = Canvas((6, 6), jitter=3)
    targets = torch.cat([target(seed, canvas) for seed in (7, 8)])
    x = noise(canvas, [1, 2])
    alone = [x[i : i + 1].clone() for i in range(2)]
    run(descent(3 * Match(targets) + TotalVariation(), x, canvas, solver), 8)
    for i, single in enumerate(alone):
        run(descent(3 * Match(targets[i : i + 1]) + TotalVariation(), single, canvas, solver), 8)
        torch.testing.assert_close(single[0], x[i], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_every_solver_goes_down_and_can_be_taken_up(solver: Solver) -> None:
    canvas = Canvas((7, 6))
    energy = 10 * Match(target(5, canvas)) + BoundedRange() + TotalVariation()
    x = noise(canvas, [4])
    whole = descent(energy, x, canvas, solver)
    steps = run(whole, 30)
    energies = [float(step.objective + step.prior) for step in steps[::10]]
    assert energies[-1] < 0.7 * energies[0]
    half = descent(energy, noise(canvas, [4]), canvas, solver)
    run(half, 13)
    state = {name: value.clone() for name, value in half.state().items()}
    other = descent(energy, noise(canvas, [9]), canvas, solver, seed=8)
    other.restore(state)
    assert other.number == 13
    run(other, 17)
    if solver != SOLVERS[-1]:  # torch's own LBFGS keeps its memory to itself
        torch.testing.assert_close(other.theta, x, rtol=1e-9, atol=1e-9)


def test_the_slower_stage_goes_slower() -> None:
    canvas = Canvas((7, 6))
    for solver in SOLVERS[1:5]:
        moved = []
        for slower in (1.0, 10.0):
            x = noise(canvas, [4])
            energy = 10 * Match(target(5, canvas))
            run(descent(energy, x, canvas, solver, slower=slower), 1)
            moved.append(float((x - noise(canvas, [4])).norm()))
        assert moved[1] < 0.5 * moved[0], solver


def test_lbfgs_needs_fewer_steps() -> None:
    canvas = Canvas((7, 6))
    energy = 100 * Match(target(5, canvas)) + BoundedRange() + TotalVariation()
    ends = []
    for solver in (LBFGS(), AlgorithmOne()):
        x = noise(canvas, [4])
        ends.append(float(run(descent(energy, x, canvas, solver, every=1), 40)[-1].objective))
    assert ends[0] < ends[1]


def test_the_gradient_is_that_of_the_energy_in_every_parameter() -> None:
    """Finite differences, through the spectrum and through a rotated, scaled, jittered canvas."""
    canvas = Canvas((5, 4), 2, (Scale(0.9, 1.1), Rotation(10)))
    energy = 10 * Match(phi(torch.rand(1, 3, 5, 4, dtype=torch.float64))) + TotalVariation()
    parameters = Fourier(canvas.full, SPACE.mean)
    theta = parameters.noise([1]).double() * 10
    where = problem(energy, canvas, parameters)
    sighting = canvas.draw(torch.Generator().manual_seed(3))
    found = where.evaluate(theta, sighting)
    step = 1e-5 * torch.randn_like(theta)
    ahead, behind = (where.evaluate(theta + s * step, sighting).total for s in (1, -1))
    want = (found.gradient * step).sum()[None]
    torch.testing.assert_close((ahead - behind) / 2, want, rtol=1e-6, atol=0)


def test_the_rate_needs_the_image_area() -> None:
    """With the priors alone the noise is gone in 100 steps; by the printed rate it is not."""
    canvas = Canvas((64, 64))
    energy = BoundedRange() + TotalVariation()
    x, stays = noise(canvas, [0]), noise(canvas, [0])
    start = x.norm(dim=1).mean()
    run(descent(energy, x, canvas), 100)
    run(descent(energy, stays, canvas, AlgorithmOne(rate=0.01 / 64**2)), 100)
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
    offsets = {canvas.draw(generator) for _ in range(200)}
    assert offsets == {(a, b) for a in range(3) for b in range(3)}
    for a, b in offsets:
        seen, back = canvas.see(x, (a, b))
        assert torch.equal(seen, x[..., a : a + 5, b : b + 4])
        assert back(torch.ones_like(seen)).sum() == 20
    placed = canvas.place(torch.ones(1, 1, 5, 4))
    assert placed.sum() == 20
    assert torch.equal(canvas.crop(placed, canvas.middle), torch.ones(1, 1, 5, 4))


def test_converged_images_stay_and_do_not_wait() -> None:
    canvas = Canvas((7, 6))
    easy, hard = noise(canvas, [4]), noise(canvas, [6])
    codes = torch.cat([phi(SPACE.to_input(easy)), target(5, canvas)])
    # The first begins at its target: nothing falls.
    both = torch.cat([easy, hard])
    way = descent(10 * Match(codes), both, canvas, convergence=Convergence(3, 0.01, 6))
    run(way, 6)
    assert way.done.tolist() == [True, False]
    at = way.theta.clone()
    run(way, 5)
    assert torch.equal(way.theta[0], at[0])
    assert not torch.equal(way.theta[1], at[1])
    while not way.over:
        way.advance()
    assert 11 < way.number < 500


def test_a_diverging_energy_is_stopped_with_the_last_good_image() -> None:
    canvas = Canvas((5, 5))
    with pytest.raises(NotFinite, match="step 0"):
        run(descent(1e300 * Match(torch.zeros(1, 4, 3, 3)), noise(canvas, [0]), canvas), 3)
    energy = Energy() + 1e-3 * BoundedRange()
    x = noise(canvas, [0])
    way = descent(energy, x, canvas, Torch("SGD", {"lr": 1e9}), radius=float("inf"))
    while not way.over:
        way.advance()
    assert "stopped at step" in way.trouble
    assert torch.isfinite(way.theta).all()


def test_operators_follow_every_step() -> None:
    canvas = Canvas((5, 5))
    x, faded = noise(canvas, [0]), noise(canvas, [0])
    energy = Energy() + TotalVariation()
    run(descent(energy, x, canvas), 1)
    run(descent(energy, faded, canvas, operators=[Decay(0.25)]), 1)
    torch.testing.assert_close(faded, 0.75 * x)


def test_unknown_optimisers_are_refused() -> None:
    with pytest.raises(SettingError, match="did you mean 'Adam'"):
        Torch("Adem")
    with pytest.raises(SettingError, match="does not take"):
        Torch("Adam", {"rate": 1}).begin(torch.zeros(1), (1, 1))


@pytest.mark.parametrize("order", ["RGB", "BGR", "gray"])
def test_the_way_to_the_network_is_its_own_normalisation(order: str) -> None:
    channels = 1 if order == "gray" else 3
    shown = Preprocessing((5, 4), (30.0,) * channels, (2.0,) * channels, 255, order)  # type: ignore[arg-type]
    space = PixelSpace.of(shown, torch.zeros(1, dtype=torch.float64))
    x = torch.randn(2, channels, 5, 4, dtype=torch.float64).requires_grad_()
    torch.testing.assert_close(space.to_input(x), shown.normalize(space.to_rgb(x)))
    slope = torch.randn(2, channels, 5, 4, dtype=torch.float64)
    (want,) = torch.autograd.grad(shown.normalize(space.to_rgb(x)), x, slope)
    torch.testing.assert_close(space.from_input_gradient(slope), want)
