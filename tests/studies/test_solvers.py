"""Solvers under a count of passes."""

from __future__ import annotations

import pytest
import torch

from phosphene.core.network import Network
from phosphene.preimage.invert import invert
from phosphene.preimage.lbfgs import LBFGS
from phosphene.preimage.recipe import Recipe
from phosphene.preimage.solvers import AlgorithmOne, Solver
from phosphene.studies.counted import Counted
from phosphene.studies.solvers import SOLVERS, solvers
from tests.cli import nets
from tests.studies.plans import planned, scenes


def counted(net: Network, solver: Solver, passes: int) -> tuple[Counted, int]:
    """Invert, and count what the network itself sees."""
    calls: list[int] = []
    handle = net.module.conv.register_forward_hook(lambda *_: calls.append(1))  # type: ignore[union-attr, operator]
    count = Counted(solver, passes)
    try:
        recipe = Recipe("counted", count, passes, jitter=1, convergence=None)
        invert(net, scenes()[0], "scores", quality=recipe, strength=1.0)
        before = len(calls)
        calls.clear()
        invert(net, scenes()[0], "scores", quality=Recipe("one", steps=1, jitter=1), strength=1.0)
        around = len(calls) - 1  # passes of the verb itself: reference, layers, error
    finally:
        handle.remove()
    return count, before - around


@pytest.mark.parametrize("solver", [AlgorithmOne(), LBFGS()])
def test_every_pass_is_counted(solver: Solver) -> None:
    count, passes = counted(nets.smooth(), solver, 20)
    assert len(count.energies) == passes
    assert 20 <= passes < 20 + 9  # a line search is let finish
    lowest = count.lowest()
    assert len(lowest) == 20
    assert lowest == sorted(lowest, reverse=True)
    assert lowest[-1] == min(count.energies[:20])


def test_a_count_changes_nothing() -> None:
    for solver in (AlgorithmOne(), LBFGS()):
        images = [
            invert(
                nets.smooth(),
                scenes()[0],
                "scores",
                quality=Recipe("r", one, 6, jitter=1, convergence=None),
            ).image
            for one in (solver, Counted(solver, 999))
        ]
        assert torch.equal(*images)


def test_every_solver_has_its_passes() -> None:
    plan = planned(2, layers=("conv2",), steps=10)
    found = solvers(plan)
    assert plan.ledger.made == 2 * len(SOLVERS) * 2
    tasks = list(dict.fromkeys(entry["task"] for entry in found.data["energies"]))
    assert tasks == ["inversion of conv2", "texture"]
    for entry in found.data["energies"]:
        assert len(entry["final"]) == 2
        assert min(entry["final"]) > 0
        if entry["solver"] == "Algorithm 1":
            assert entry["logarithm of ratio"]["mean"] == 0
    for plot in found.plots:
        assert [series.name for series in plot.series] == list(SOLVERS)
        for series in plot.series:
            assert series.x == tuple(range(1, 11))
            assert series.y[0] > series.y[-1]
            assert list(series.y) == sorted(series.y, reverse=True)
    assert found.data["verdict"].startswith("For inversion of conv2 L-BFGS ")
    assert solvers(plan).as_json() == found.as_json()
