"""Signals in their fields, with the photograph taken away, and the weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from phosphene import explain
from phosphene.core.unit import Unit
from phosphene.errors import ImageError, NothingToReverse
from phosphene.studies.findings import Findings
from phosphene.studies.finite_support import finite_support, randomised
from phosphene.studies.plan import Plan
from phosphene.studies.reversed_layers import NO_BOTTLENECK
from phosphene.studies.support import HELD
from tests.reference import signals as reference
from tests.studies.plans import demo, planned, scenes

RULES = ("saliency", "guided")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return planned(3, layers=("pool2", "pool5"), quality=None)


@pytest.fixture(scope="module")
def found(plan: Plan) -> Findings:
    return finite_support(plan, rules=RULES)


@pytest.mark.parametrize("layer", ["pool2", "pool5"])
def test_sides_are_those_of_the_rule_s_own_signals(found: Findings, layer: str) -> None:
    own = found.data["photographs"][0][layer]
    for rule in RULES:
        sent = explain(demo(), scenes()[0], Unit.strongest("centre"), rule, layer=layer)[0]
        assert int(sent.channel[0]) == own["unit"]
        field = demo().receptive_field(layer)
        assert field is not None
        top, left, height, width = field.box(tuple(sent.at[0].tolist()))
        middle = top + (height - 1) / 2, left + (width - 1) / 2
        values = sent.map[0, 0].double().tolist()
        assert own[rule]["side"] == reference.effective_side(values, middle, HELD)
        lit = [(y, x) for y, row in enumerate(values) for x, v in enumerate(row) if v > 0]
        first, last = min(y for y, _ in lit), max(y for y, _ in lit)
        assert own[rule]["extent"][0] == first
        assert own[rule]["extent"][2] == last - first + 1
    assert own["saliency"]["profile"] != own["guided"]["profile"]


def test_no_signal_leaves_its_field(found: Findings) -> None:
    for row in found.data["layers"]:
        assert row["outside"] == pytest.approx(0, abs=1e-9)
        assert 0 < row["share"]["mean"] <= 1
    assert "confirmed" in found.data["verdicts"]["finite"]
    fields = {row["layer"]: row["field"] for row in found.data["layers"]}
    assert fields == {"pool2": [35, 35], "pool5": [99, 99]}


def test_controls_know_nothing_of_the_photograph(found: Findings) -> None:
    photographs = found.data["photographs"]
    units = [photograph["pool5"]["unit"] for photograph in photographs]
    same = Unit(units[0], at=(2, 2))
    one, two = (
        explain(demo(), scene, same, NO_BOTTLENECK, layer="pool5")[0].signal
        for scene in scenes()[:2]
    )
    assert torch.equal(one, two)
    random = randomised(demo(), 0)
    sent = explain(random, scenes()[0], same, NO_BOTTLENECK, layer="pool5")[0]
    field = demo().receptive_field("pool5")
    assert field is not None
    top, left, height, width = field.box((2, 2))
    middle = top + (height - 1) / 2, left + (width - 1) / 2
    values = (sent.map[0, 0].double() * 1e6).tolist()
    side = reference.effective_side(values, middle, HELD)
    assert photographs[0]["pool5"]["random weights"]["side"] == side


def test_the_fall_off_is_the_architecture_s(found: Findings) -> None:
    by = {(row["layer"], row["rule"]): row["share"]["mean"] for row in found.data["layers"]}
    plain, random = by["pool5", "no bottleneck"], by["pool5", "random weights"]
    assert plain == pytest.approx(random, rel=0.2)
    assert by["pool5", "saliency"] < 0.8
    assert "confirmed" in found.data["verdicts"]["weights"]


def test_random_weights_are_a_copy() -> None:
    before = {name: value.clone() for name, value in demo().module.state_dict().items()}
    module = randomised(demo(), 3).module
    for name, value in demo().module.state_dict().items():
        assert torch.equal(value, before[name])
    for name, value in module.named_parameters():
        if name.endswith("bias"):
            assert not value.any()
        else:
            assert float(value.detach().std()) == pytest.approx(0.01, rel=0.1)
    again = randomised(demo(), 3).module
    assert all(
        torch.equal(a, b) for a, b in zip(module.parameters(), again.parameters(), strict=True)
    )


def test_figure_5_is_there_as_it_is_and_renormalised(plan: Plan, found: Findings) -> None:
    headings = [heading for heading, _ in found.rows]
    assert headings[1] == f"{headings[0]}, renormalised by |x|^0.1"
    captions = [tile.caption for tile in found.rows[0][1]]
    assert captions == ["the field", "SaliNet", "DeSaliNet", "no bottleneck", "random weights"]
    made = plan.ledger.made
    assert finite_support(plan, rules=RULES).as_json() == found.as_json()
    assert plan.ledger.made == made


def test_what_cannot_be() -> None:
    empty: dict[str, Any] = {"layers": ("pool5",)}
    with pytest.raises(ImageError, match="needs photographs"):
        finite_support(Plan(demo(), **empty))
    with pytest.raises(NothingToReverse, match="choose a deeper layer"):
        finite_support(planned(1, layers=("conv1",)))


def test_photographs_of_another_size_have_fields_of_their_own() -> None:
    """Tensors are shown as they are: the unit in the middle is that of their map."""
    draw = torch.Generator().manual_seed(0)
    photos = tuple(torch.rand(3, 136, 136, generator=draw) for _ in range(2))
    found = finite_support(Plan(demo(), photos, layers=("pool2",)), rules=("guided",))
    assert all(row["outside"] == pytest.approx(0, abs=1e-9) for row in found.data["layers"])
    assert "confirmed" in found.data["verdicts"]["finite"]
    mixed = Plan(demo(), (photos[0], scenes()[0]), layers=("pool2",))
    with pytest.raises(ImageError, match="is 136x136 and image 1 96x96 as demo sees them"):
        finite_support(mixed)
