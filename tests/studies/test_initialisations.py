"""How much the start matters."""

from __future__ import annotations

from statistics import stdev
from typing import Any

import pytest

from phosphene.errors import SettingError
from phosphene.studies import inversion as inversions
from phosphene.studies.initialisations import initialisations
from tests.studies.plans import planned


def test_the_spread_is_that_over_starts() -> None:
    plan = planned(2, layers=("conv1",), strengths=(20.0,), repeats=3, steps=8)
    found = initialisations(plan)
    (entry,) = found.data["layers"]
    by_hand = []
    for number in range(2):
        cells = [inversions.inversion(plan, number, "conv1", 20.0, r) for r in range(3)]
        by_hand.append(stdev(cell.values["error"] for cell in cells))
    assert plan.ledger.made == 6  # all of them were there
    assert entry["mean"] == pytest.approx(sum(by_hand) / 2)
    assert entry["mean"] > 0
    assert entry["count"] == 2
    assert "Over 3 starts" in found.data["verdict"]
    captions = [tile.caption for tile in found.rows[0][1]]
    assert captions[1] <= captions[2].replace("worst", "best")


def test_identical_starts_have_no_spread(monkeypatch: Any) -> None:
    inverted = inversions.inverted

    def again(plan: Any, photo: Any, layer: str, strength: float, repeat: int = 0) -> Any:
        return inverted(plan, photo, layer, strength, 0)

    monkeypatch.setattr(inversions, "inverted", again)
    plan = planned(1, layers=("conv1",), strengths=(20.0,), repeats=2, steps=4)
    (entry,) = initialisations(plan).data["layers"]
    assert entry["mean"] == 0


def test_one_start_has_none() -> None:
    with pytest.raises(SettingError, match="2 repeats or more"):
        initialisations(planned(1, layers=("conv1",)))
