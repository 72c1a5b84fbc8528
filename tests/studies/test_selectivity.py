"""One bottleneck and several seeds: whose picture is it?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from phosphene import explain
from phosphene.core.unit import Unit
from phosphene.errors import ImageError, NothingToReverse
from phosphene.studies.findings import Findings
from phosphene.studies.plan import Plan
from phosphene.studies.reversed_layers import NO_BOTTLENECK
from phosphene.studies.selectivity import selectivity
from tests.reference import signals as reference
from tests.studies.plans import demo, planned, scenes

RULES = ("guided", "deconvnet")
CHOSEN: dict[str, Any] = {"layers": ("pool5",), "quality": None, "steps": 2}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return planned(3, **CHOSEN)


@pytest.fixture(scope="module")
def found(plan: Plan) -> Findings:
    return selectivity(plan, rules=RULES, remedies=())


def test_numbers_are_correlations_of_the_rule_s_own_signals(found: Findings) -> None:
    own = found.data["photographs"][0]["pool5"]
    box = demo().receptive_field("pool5").box((2, 2))  # type: ignore[union-attr]
    at = (2, 2)
    for rule in RULES:
        units: list[Any] = [Unit.strongest(at="centre"), Unit(own["random"], at=at)]
        one, two = explain(demo(), scenes()[0], units, rule, layer="pool5")
        assert int(one.channel[0]) == own["channel"]
        away = explain(demo(), scenes()[1], Unit(own["channel"], at=at), rule, layer="pool5")[0]
        maps = [s.map[0, 0].double().tolist() for s in (one, two, away)]
        seeds, photos = own["seeds"][rule], own["photos"][rule]
        expected = reference.similarity(maps[0], maps[1], box)
        assert seeds["strongest, random"] == pytest.approx(expected, abs=1e-6)
        if photos["strongest"] is not None:
            expected = reference.similarity(maps[0], maps[2], box)
            assert photos["strongest"] == pytest.approx(expected, abs=1e-6)
    assert own["seeds"]["deconvnet"] != own["seeds"]["guided"]


def test_classes_hardly_count_for_guided_and_more_for_the_derivative() -> None:
    plan = planned(3, **CHOSEN)
    found = selectivity(plan, rules=("guided", "saliency"), remedies=())
    by = {(row["layer"], row["rule"]): row for row in found.data["layers"]}
    guided, saliency = by["class scores", "guided"], by["class scores", "saliency"]
    assert guided["seeds"]["mean"] > 0.9 > saliency["seeds"]["mean"]
    assert guided["photos"]["mean"] < 0.6
    assert "confirmed" in found.data["verdicts"]["classes"]


def test_without_a_bottleneck_the_seed_decides() -> None:
    found = selectivity(planned(4, **CHOSEN), rules=(NO_BOTTLENECK,), remedies=())
    for row in found.data["layers"]:
        assert row["photos"]["mean"] == pytest.approx(1, abs=1e-4)
        assert row["gap"]["mean"] < 0
    assert "contradicted" in found.data["verdicts"]["classes"]
    assert "seed" in [row[5] for row in found.tables[0].rows]


def test_methods_of_attention_stand_beside_the_classes() -> None:
    found = selectivity(planned(2, **CHOSEN), rules=("guided",), remedies=("contrastive", "nix@a"))
    by = {row["rule"]: row for row in found.data["layers"] if row["layer"] == "class scores"}
    assert set(by) == {"guided", "contrastive"}
    assert by["contrastive"]["seeds"]["mean"] < by["guided"]["seeds"]["mean"] - 0.3
    assert "contrastive tell classes apart" in found.data["verdicts"]["classes, contrastive"]
    assert any("nix@a left out" in warning for warning in found.warnings)


def test_the_picture_has_every_seed(found: Findings) -> None:
    heading, tiles = found.rows[0]
    assert heading == "image 0: pool5, DeSaliNet"
    captions = [tile.caption.split(":")[0] for tile in tiles]
    assert captions[:4] == ["photograph", "strongest", "random", "mixture"]
    assert captions[4:] == ["strongest, other photograph", "mixture, other photograph"]
    assert "from noise" in found.rows[1][1][-1].caption
    assert "class scores" in found.rows[2][0]
    assert [tile.caption.split(" (")[0] for tile in found.rows[2][1]][2] == "runner-up"


def test_few_steps_from_noise_are_no_evidence(found: Findings) -> None:
    assert "cannot tell: the images have not left the noise" in found.data["verdicts"]["noise"]


def test_the_second_run_computes_nothing(plan: Plan, found: Findings) -> None:
    made = plan.ledger.made
    assert selectivity(plan, rules=RULES, remedies=()).as_json() == found.as_json()
    assert plan.ledger.made == made


def test_classes_can_be_chosen() -> None:
    names = demo().labels[:3]
    found = selectivity(planned(2, **CHOSEN, classes=names), rules=("guided",), remedies=())
    for photograph in found.data["photographs"]:
        predicted = photograph["class scores"]["predicted"]
        others = set(photograph["class scores"]["others"])
        assert others == set(names) - {predicted}


def test_what_cannot_be_compared() -> None:
    with pytest.raises(ImageError, match="2 different ones or more"):
        selectivity(planned(1, **CHOSEN))
    with pytest.raises(ImageError, match="are all the same"):
        selectivity(replace(planned(2, **CHOSEN), photos=(scenes()[0],) * 2))
    with pytest.raises(NothingToReverse, match="no ReLU below conv1"):
        selectivity(planned(2, layers=("conv1",)))
