"""Score against posterior."""

from __future__ import annotations

import pytest
import torch

from phosphene.studies.class_models import class_models, own_share
from tests.studies.plans import planned


def test_own_share() -> None:
    nothing = torch.zeros(4)
    # The class alone has risen: all of the gain is its own.
    assert own_share(nothing, torch.tensor([3.0, 0, 0, 0]), 0) == pytest.approx(1)
    # All others have fallen, which raises the posterior just as much.
    assert own_share(nothing, torch.tensor([0.0, -3, -3, -3]), 0) == pytest.approx(0)
    assert own_share(nothing, torch.tensor([1.0, -3, -3, -3]), 0) == pytest.approx(0.25)
    # Others rose with it and cost some of the gain.
    assert own_share(nothing, torch.tensor([3.0, 1, 1, 1]), 0) == pytest.approx(1.5)
    assert own_share(nothing, torch.tensor([0.0, 2, 0, 0]), 0) is None
    # The denominator is the gain of log(P / (1 - P)), whatever the scores are.
    before, after = torch.randn(2, 6, generator=torch.Generator().manual_seed(0)).double()
    after[2] += 5
    odds = [scores.softmax(0)[2].logit() for scores in (before, after)]
    expected = (after[2] - before[2]) / (odds[1] - odds[0])
    assert own_share(before, after, 2) == pytest.approx(float(expected))


def test_the_posterior_gains_more_by_pushing_others_down() -> None:
    plan = planned(0, quality="fast", classes=("boat", "fish"), repeats=3, steps=40)
    found = class_models(plan)
    rows = {(row["class"], row["way"]): row for row in found.data["models"]}
    for name in ("boat", "fish"):
        score, posterior = rows[name, "score"], rows[name, "posterior"]
        assert score["score"] > posterior["score"] > score["score_before"]
        assert score["own_share"] > posterior["own_share"]
        assert posterior["probability"] > 0.99
    assert [heading for heading, _ in found.rows] == ["by score", "by posterior"]
    assert [len(tiles) for _, tiles in found.rows] == [2, 2]
    assert "of the log-odds gained" in found.data["verdict"]
    made = plan.ledger.made
    class_models(plan)
    assert plan.ledger.made == made == 4
