"""What C does to one layer's inversion."""

from __future__ import annotations

import pytest
from PIL import Image

from phosphene.studies.ledger import Cell
from phosphene.studies.strength import roughness_of, strength
from tests.studies.plans import planned


def test_c_trades_the_error_for_roughness() -> None:
    found = strength(planned(1, layers=("conv2",), strengths=(100.0, 1.0)))
    error = [entry["mean"] for entry in found.data["error"]]
    rough = [entry["mean"] for entry in found.data["roughness"]]
    assert [entry["strength"] for entry in found.data["error"]] == ["1", "100", "none"]
    assert error[0] > error[1]
    assert rough[0] < rough[1] < rough[2]
    assert [tile.caption[:8] for tile in found.rows[0][1]][1:3] == ["C = 1: e", "C = 100:"]
    assert found.data["verdict"].startswith("At conv2 the error is ")


def test_a_layer_from_the_middle() -> None:
    found = strength(planned(1, strengths=(1.0,), steps=1))
    assert found.data["error"][0]["layer"] == "conv4"


def test_roughness_is_that_of_the_original() -> None:
    steps = Image.new("RGB", (8, 8))
    steps.paste((100, 100, 100), (4, 0, 8, 8))
    half = Image.new("RGB", (8, 8))
    half.paste((50, 50, 50), (4, 0, 8, 8))
    assert roughness_of(Cell({}, {"original": steps, "found": half})) == pytest.approx(0.25)
    assert roughness_of(Cell({}, {"original": Image.new("RGB", (8, 8)), "found": half})) is None
