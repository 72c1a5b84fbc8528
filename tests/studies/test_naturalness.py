"""Gradients of inversions against those of their originals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from phosphene.studies import tabulated
from phosphene.studies.findings import Findings
from phosphene.studies.gradients import naturalness as alike
from phosphene.studies.inversion import inversion
from phosphene.studies.ledger import Cell
from phosphene.studies.naturalness import _alike, _verdict, naturalness
from phosphene.studies.plan import Plan
from tests.studies.plans import planned, scenes


@pytest.fixture(scope="module")
def plan() -> Plan:
    return planned(3, layers=("fc8",), strengths=(100.0,), steps=5)


@pytest.fixture(scope="module")
def found(plan: Plan) -> Findings:
    return naturalness(plan)


def test_no_prior_is_always_measured(plan: Plan, found: Findings) -> None:
    for measure in ("orientation", "magnitude"):
        entries = {entry["strength"]: entry for entry in found.data[measure]}
        assert set(entries) == {"100", "none"}
        cells = [inversion(plan, n, "fc8", math.inf) for n in range(3)]
        by_hand = [alike(c.images["original"], c.images["found"], measure) for c in cells]  # type: ignore[arg-type]
        assert entries["none"]["mean"] == pytest.approx(sum(by_hand) / 3)
        assert 0 < entries["none"]["mean"] < 1


def test_gains_are_differences(found: Findings) -> None:
    with_prior, without = (entry["mean"] for entry in found.data["magnitude"])
    (gain,) = found.data["magnitude gained"]
    assert gain["mean"] == pytest.approx(with_prior - without)
    assert gain["count"] == 3
    assert found.data["verdict"].count("with C = 100") == 2


def test_noise_is_unlike_a_photograph() -> None:
    photograph = Image.fromarray(scenes()[0])
    generator = np.random.default_rng(0)
    noise = Image.fromarray(generator.integers(0, 256, (96, 96, 3), np.uint8))

    def alike_to(found: Image.Image) -> float:
        return _alike(Cell({}, {"original": photograph, "found": found}), "magnitude")

    assert alike_to(photograph) == pytest.approx(1)
    assert alike_to(noise) < 0.5


def test_a_verdict_counts_layers() -> None:
    better, worse = tabulated.averaged([0.1, 0.11, 0.12]), tabulated.averaged([-0.1, -0.11, -0.12])
    gains = {("a", 1.0): better, ("b", 1.0): worse, ("c", 1.0): tabulated.averaged([0.1, -0.1])}
    said = _verdict(("a", "b", "c"), (1.0, math.inf), gains, "magnitudes")
    assert "Of 3 layers" in said
    assert "at 1 (less at 1) with C = 1" in said
