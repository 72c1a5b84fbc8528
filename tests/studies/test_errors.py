"""The error of inversions by layer and strength."""

from __future__ import annotations

import math
from typing import Any

import pytest

from phosphene.errors import ImageError
from phosphene.studies.errors import errors
from phosphene.studies.findings import Findings
from phosphene.studies.inversion import strength_of
from phosphene.studies.plan import Plan
from tests.studies.plans import demo, planned


@pytest.fixture(scope="module")
def plan() -> Plan:
    return planned(2, layers=("conv1",), strengths=(1.0, 300.0))


@pytest.fixture(scope="module")
def found(plan: Plan) -> Findings:
    return errors(plan)


def test_the_error_of_an_early_layer_falls_with_c(found: Findings) -> None:
    weak, strong = found.data["layers"]
    assert (weak["strength"], strong["strength"]) == ("1", "300")
    assert strong["error"] < 0.6 * weak["error"]
    assert strong["count"] == 2
    assert 0 <= strong["kept"] <= 1
    assert found.data["verdict"] == found.tables[0].note
    assert found.tables[1].rows[0][2] in ("0 of 2", "1 of 2", "2 of 2")


def test_the_second_run_computes_nothing(plan: Plan, found: Findings) -> None:
    made = plan.ledger.made
    assert errors(plan).as_json() == found.as_json()
    assert plan.ledger.made == made == 4


def test_a_sheet_can_be_drawn(found: Findings) -> None:
    assert found.picture().size[0] > 100
    (heading, tiles), *_ = found.rows
    assert heading == "conv1"
    assert [tile.caption.partition(":")[0] for tile in tiles] == ["image", "C = 1", "C = 300"]


def test_one_strength_is_the_first_asked_for_or_the_papers() -> None:
    assert strength_of(Plan(demo(), strengths=(7.0, 9.0)), "conv1") == 7
    assert strength_of(Plan(demo()), "conv1") == 300
    assert strength_of(Plan(demo(), strengths=(math.inf,)), "conv1") == math.inf


def test_without_photographs() -> None:
    with pytest.raises(ImageError, match="the study errors needs photographs"):
        errors(Plan(demo()))


def test_an_interruption_passes_through(monkeypatch: Any) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("phosphene.studies.inversion.invert", interrupted)
    with pytest.raises(KeyboardInterrupt):
        errors(planned(1, layers=("conv1",), strengths=(1.0,)))
