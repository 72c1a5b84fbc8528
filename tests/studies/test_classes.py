"""Units of classes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from phosphene import Network, Preprocessing
from phosphene.errors import NetworkError
from phosphene.studies.classes import classes
from phosphene.studies.plan import Plan
from tests.studies.plans import planned


def test_images_of_classes_are_taken_for_them() -> None:
    plan = planned(12, quality="fast", classes=("house", "fish"), steps=60)
    found = classes(plan)
    house, fish = found.data["classes"]
    assert (house["class"], fish["class"]) == ("house", "fish")
    assert house["first"]
    assert fish["first"]
    assert min(house["probability"], fish["probability"]) > 0.5
    assert "2 of 2 images" in found.data["verdict"]
    ((_, tiles),) = found.rows
    assert tiles[0].caption == f"house: {house['probability']:.0%}"
    assert tiles[0].image.size == (96, 96)
    assert [row[0] for row in found.tables[0].rows] == ["house", "fish"]
    made = plan.ledger.made
    classes(plan)
    assert plan.ledger.made == made == 3  # the maxima, and an image each


def test_classes_that_no_photograph_excites_are_left_out() -> None:
    torch.manual_seed(0)
    scores = nn.Conv2d(3, 2, 16)
    assert scores.bias is not None
    with torch.no_grad():
        scores.bias[:] = torch.tensor([5.0, -100.0])
    net = Network(nn.Sequential(scores, nn.Flatten()), Preprocessing((16, 16)), ("yes", "no"))
    found = classes(Plan(net, (torch.rand(3, 16, 16),), steps=2, repeats=2))
    assert found.data["left_out"] == ["no"]
    assert found.warnings[0].startswith("no is left out, as no photograph excites its unit")
    assert [len(tiles) for _, tiles in found.rows] == [2]


def test_scores_need_a_layer() -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = nn.Conv2d(3, 4, 16), nn.Conv2d(3, 4, 16)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (self.one(x) + self.other(x)).flatten(1)

    net = Network(Sum(), Preprocessing((16, 16)))
    with pytest.raises(NetworkError, match="class-models does without"):
        classes(Plan(net, (torch.rand(3, 16, 16),)))
