"""Whether parts correspond."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from phosphene.errors import ImageError
from phosphene.studies.correspondence import _apart, _moved, correspondence
from phosphene.studies.findings import Findings
from phosphene.studies.ledger import Ledger
from phosphene.studies.plan import Plan
from tests.studies.plans import demo


@pytest.fixture(scope="module")
def found() -> Findings:
    classes = ("house", "boat", "cup")
    return correspondence(Plan(demo(), layers=("conv3",), classes=classes, ledger=Ledger()))


def test_parts_are_more_alike_than_places_at_random(found: Findings) -> None:
    assert set(found.data["classes"]) == {"house", "boat", "cup"}
    gain = found.data["gains"]["conv3"]
    assert gain["mean"] > 0.05
    for values in found.data["classes"].values():
        assert len(values["parts"]) >= 2
        for part in values["parts"].values():
            assert 0 <= part["conv3"] <= 1
    assert found.tables[0].rows[-1][0] == "cup: random"
    assert found.picture().size[0] > 100


def test_the_share_of_signs() -> None:
    losses = torch.tensor([[1.0, -1, 0, 2], [3.0, 1, 0, -2], [-1.0, -1, 5, 2]])
    # Pairs differ in 2, 2 and 4 of four components.
    assert _apart(losses) == pytest.approx((0.5 + 0.5 + 1) / 3)


def test_random_places_keep_form_and_area() -> None:
    mask = np.zeros((20, 30), bool)
    mask[3:7, 10:12] = mask[5, 10:16] = True
    rng = np.random.default_rng(0)
    places = {_moved(mask, rng).tobytes() for _ in range(20)}
    assert len(places) > 10
    for place in places:
        assert np.frombuffer(place, bool).sum() == mask.sum()


def test_classes_without_scenes() -> None:
    from phosphene import Network

    other = Network(demo().module, demo().preprocessing, ["a", *demo().labels[1:]])
    with pytest.raises(ImageError, match="no scenes of 'a'"):
        correspondence(Plan(other, layers=("conv3",), classes=("a",)))
    assert "does not know" in correspondence(Plan(other, layers=("conv1",))).warnings[0]
