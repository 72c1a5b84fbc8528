"""Exaggerated photographs."""

from __future__ import annotations

import math

import pytest
import torch

from phosphene.errors import SettingError
from phosphene.image import to_tensor
from phosphene.studies.appearance import contrast
from phosphene.studies.caricatures import caricatures
from tests.studies.plans import demo, planned


def test_what_deep_layers_see_grows() -> None:
    plan = planned(1, quality="fast", layers=("conv1", "fc7"), steps=50)
    found = caricatures(plan)
    conv1, fc7 = found.data["caricatures"]
    assert fc7["growth"] > 1.3
    assert fc7["growth"] > conv1["growth"]
    assert fc7["class_before"] == "house"
    ((_, tiles),) = found.rows
    photograph, _, picture = (tile.image for tile in tiles)
    with torch.no_grad():
        before, after = (demo()["fc7"](to_tensor(i)[None]).flatten() for i in (photograph, picture))
    positive = before.clamp(min=0)
    assert fc7["growth"] == pytest.approx(float(after @ positive / (positive @ positive)), rel=0.02)
    share = contrast(photograph) / contrast(picture)
    assert fc7["emphasis"] == pytest.approx(fc7["growth"] * share)
    assert tiles[2].caption == f"fc7: x {fc7['growth']:.2f}"
    assert "grows most at fc7" in found.data["verdict"]
    made = plan.ledger.made
    caricatures(plan)
    assert plan.ledger.made == made == 2


def test_a_larger_c_exaggerates_more() -> None:
    plan = planned(1, quality="fast", layers=("conv2",), steps=20, strengths=(1.0, 10.0))
    found = caricatures(plan)
    faint, bold = found.data["caricatures"]
    assert bold["growth"] > 1.3 * faint["growth"]
    assert [heading for heading, _ in found.rows] == ["C = 1", "C = 10"]
    assert [row[2] for row in found.tables[0].rows] == ["1", "10"]
    assert len(found.plots[0].series) == 4
    assert found.data["verdict"].index("C = 1:") < found.data["verdict"].index("C = 10:")
    with pytest.raises(SettingError, match="grows without end"):
        caricatures(planned(1, layers=("conv2",), strengths=(math.inf,)))
