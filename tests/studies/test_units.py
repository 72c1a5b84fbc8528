"""Units of layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from phosphene import Network, Preprocessing
from phosphene.preimage.maxima import measure_maxima
from phosphene.studies.plan import Plan
from phosphene.studies.units import maxima_cell, units
from tests.studies.plans import demo, planned, scenes


def test_units_are_driven_beyond_what_photographs_do() -> None:
    plan = planned(6, quality="fast", layers=("conv1", "pool2"), units=(3, 5, 70), steps=60)
    found = units(plan)
    measured = measure_maxima(demo(), "conv1", scenes()[:6])
    rows = found.data["units"]
    # conv1 has 32 channels, pool2 64: unit 70 is in neither.
    assert [(row["layer"], row["unit"]) for row in rows] == [
        ("conv1", 3),
        ("conv1", 5),
        ("pool2", 3),
        ("pool2", 5),
    ]
    assert rows[0]["maximum"] == pytest.approx(measured.of(3))
    ratios = [row["reached"] / row["maximum"] for row in rows]
    assert max(ratios) > 1
    assert found.data["verdict"].startswith(f"{sum(r > 1 for r in ratios)} of 4 images excite")
    assert found.warnings[0] == "conv1 has units 0 to 31, and so not 70"
    ((_, tiles),) = found.rows
    assert [tile.image.size for tile in tiles] == [(640, 640)] * 2
    assert tiles[0].caption.startswith("conv1, ")
    made = plan.ledger.made
    units(plan)
    assert plan.ledger.made == made == 4


def test_maxima_do_not_depend_on_the_order_of_photographs() -> None:
    plan = planned(4)
    backwards = Plan(demo(), scenes()[3::-1], ledger=plan.ledger, quality="brief")
    assert torch.equal(maxima_cell(plan, "conv1").values, maxima_cell(backwards, "conv1").values)
    assert (plan.ledger.made, plan.ledger.kept) == (1, 1)


def test_dead_units_are_named_and_left_out() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU())
    assert isinstance(module[0], nn.Conv2d)
    assert module[0].bias is not None
    with torch.no_grad():
        module[0].bias[:] = 1.0
        module[0].bias[2] = -100.0
        module[0].bias[4] = -100.0
    net = Network(module, Preprocessing((16, 16)))
    found = units(Plan(net, (torch.rand(3, 16, 16),), layers=("1",), repeats=2, steps=3))
    assert found.data["left_out"] == {"1": [2, 4]}
    assert found.warnings == ("1: units 2, 4 left out, as no photograph excites them",)
    assert [row["unit"] for row in found.data["units"]] == [0, 1, 3, 5, 0, 1, 3, 5]
    assert [len(tiles) for _, tiles in found.rows] == [2]
    assert found.tables[0].rows[0][2:4] == (4, 2)
