"""Pixels deleted and inserted in the order of maps."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from phosphene import explain
from phosphene.core.unit import Unit
from phosphene.errors import SettingError
from phosphene.studies.deletion import deletion
from phosphene.studies.deletion_judged import measured, verdict
from phosphene.studies.explained import EDGES, MIDDLE, class_probabilities
from phosphene.studies.findings import Findings
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import Plan
from phosphene.studies.removal import baseline, order_of, replaced
from tests.reference import sanity as literal
from tests.studies.plans import demo, planned, scenes

CHOSEN: dict[str, Any] = {"quality": None, "steps": 6, "repeats": 2}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return planned(5, **CHOSEN)


@pytest.fixture(scope="module")
def found(plan: Plan) -> Findings:
    return deletion(plan, methods=("guided", "excitation"))


def test_curves_are_of_the_method_s_own_order(found: Findings) -> None:
    image, _ = demo().prepare(scenes()[0])
    map_ = explain(demo(), image, Unit.predicted(), "guided", top=0)[0].map[0, 0]
    index = int(demo().probabilities(image)[0].argmax())
    for game, ends in {
        "deletion": (image, baseline(demo(), image, "mean")),
        "insertion": (baseline(demo(), image, "blur"), image),
    }.items():
        order = order_of(map_, 0)
        expected = [
            float(class_probabilities(demo(), now, index)) for now in replaced(*ends, order, 6)
        ]
        own = found.data["photographs"][0]["curves"]["guided"][game]
        assert own == pytest.approx(expected, abs=1e-5)
    each = [p["curves"]["guided"]["deletion"] for p in found.data["photographs"]]
    mean = sum(map(literal.trapezoids, each)) / len(each)
    assert found.data["methods"]["guided"]["deletion"]["area"]["mean"] == pytest.approx(mean)


def test_maps_beat_random_order(found: Findings) -> None:
    for name in ("guided", "excitation"):
        own = found.data["methods"][name]
        assert own["deletion"]["over_random"]["mean"] < -0.15
        assert own["insertion"]["over_random"]["mean"] > 0.05
        assert "deletion" in found.data["verdicts"][name]
    assert "Better than random order: yes" in found.data["verdicts"]["guided"]


def test_a_map_turned_over_is_worse_than_random_order(found: Findings) -> None:
    """What counts least first: the areas must say so."""
    image, _ = demo().prepare(scenes()[0])
    map_ = explain(demo(), image, Unit.predicted(), "guided", top=0)[0].map[0, 0]
    index = int(demo().probabilities(image)[0].argmax())
    gone = baseline(demo(), image, "mean")
    last = replaced(image, gone, order_of(map_).flip(0), 6)
    area = literal.trapezoids([float(class_probabilities(demo(), now, index)) for now in last])
    first = found.data["photographs"][0]
    assert area > literal.trapezoids(first["curves"]["guided"]["deletion"]) + 0.2


def test_a_map_by_chance_is_no_better_than_the_control(found: Findings) -> None:
    cells = [Cell({**p, "curves": dict(p["curves"])}) for p in found.data["photographs"]]
    for number, cell in enumerate(cells):
        image, _ = demo().prepare(scenes()[number])
        index = int(demo().probabilities(image)[0].argmax())
        noise = torch.rand(96, 96, generator=torch.Generator().manual_seed(number))
        ends = {
            "deletion": (image, baseline(demo(), image, "mean")),
            "insertion": (baseline(demo(), image, "blur"), image),
        }
        cell.values["curves"]["guided"] = {
            game: [
                float(class_probabilities(demo(), now, index))
                for now in replaced(*pair, order_of(noise), 6)
            ]
            for game, pair in ends.items()
        }
    own = measured(cells, ["guided", EDGES, MIDDLE])["guided"]
    assert abs(own["deletion"]["over_random"]["mean"]) < 0.05
    assert abs(own["insertion"]["over_random"]["mean"]) < 0.05
    assert "yes" not in verdict(own)


def test_the_controls_know_nothing_of_the_network(found: Findings) -> None:
    methods = found.data["methods"]
    assert list(methods) == ["guided", "excitation", EDGES, MIDDLE, "random order"]
    assert (
        methods["guided"]["deletion"]["area"]["mean"] < methods[EDGES]["deletion"]["area"]["mean"]
    )
    heading, tiles = found.rows[1]
    assert "20% deleted" in heading
    assert [t.caption.split(":")[0] for t in tiles] == ["guided", "excitation", EDGES, MIDDLE]


def test_the_second_run_computes_nothing(plan: Plan, found: Findings) -> None:
    made = plan.ledger.made
    assert deletion(plan, methods=("guided", "excitation")).as_json() == found.as_json()
    assert plan.ledger.made == made


def test_baselines_are_named() -> None:
    with pytest.raises(SettingError, match="no baseline 'white': choose mean, gray, black, blur"):
        deletion(planned(1, **CHOSEN), deleted="white")
    same = deletion(planned(1, **CHOSEN), methods=("guided",), deleted="blur", inserted="gray")
    assert same.facts["deleted"] == "pixels become blur"
    assert "cannot tell of fewer than 3" in same.data["verdicts"]["guided"]
