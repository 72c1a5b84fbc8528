"""Maps of networks that were taught nonsense."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from phosphene.core.copies import copied
from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import ImageError, SettingError
from phosphene.studies.explained import explained, fitting, mean_score, predicted
from phosphene.studies.findings import Findings
from phosphene.studies.labels import labels
from phosphene.studies.labels_judged import AGAIN, OTHER, PERMUTED
from phosphene.studies.map_likeness import rank_correlation
from phosphene.studies.plan import Plan
from phosphene.studies.randomised import randomise
from phosphene.zoo.demo import DemoNet
from phosphene.zoo.shipped import load_shipped
from tests.studies.plans import demo, planned, scenes

METHODS = ("saliency", "guided")
CHOSEN: dict[str, Any] = {"quality": None}


def twin(which: str) -> Network:
    module = DemoNet()
    load_shipped(module, f"demo_{which}.safetensors")
    return Network(module.eval(), demo().preprocessing, demo().labels, which)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return planned(4, **CHOSEN)


@pytest.fixture(scope="module")
def found(plan: Plan) -> Findings:
    return labels(plan, methods=METHODS)


def test_numbers_are_of_the_twin_s_own_maps(plan: Plan, found: Findings) -> None:
    image, _ = demo().prepare(scenes()[0])
    methods, _ = fitting(plan, METHODS)
    unit = mean_score(demo(), image, predicted(demo(), image))
    own = explained(demo(), image, unit, methods)
    for what, which in ((PERMUTED, "permuted"), (AGAIN, "again")):
        theirs = explained(twin(which), image, unit, methods)
        for name in METHODS:
            expected = rank_correlation(own[name].map[0], theirs[name].map[0])
            said = found.data["photographs"][0]["methods"][name][what]["rank"]
            assert said == pytest.approx(expected, abs=1e-6)


def test_guided_keeps_more_of_what_was_taught_and_of_what_was_not(found: Findings) -> None:
    by = found.data["methods"]
    due = {
        name: own[AGAIN]["rank"]["mean"] - own[PERMUTED]["rank"]["mean"] for name, own in by.items()
    }
    assert due["guided"] > 0.15 > due["saliency"]
    assert (
        by["guided"][PERMUTED]["signed"]["mean"] > by["saliency"][PERMUTED]["signed"]["mean"] + 0.3
    )
    assert "Depends on the labels" in found.data["verdicts"]["guided"]
    assert not any("of unseen scenes" in warning for warning in found.warnings)
    captions = [tile.caption.split(":")[0] for tile in found.rows[1][1]]
    assert captions[1:] == ["demo", PERMUTED, AGAIN]


def test_twins_that_know_too_little_are_named(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phosphene.studies.labels._LEARNED", 0.9)
    warnings = labels(replace(plan, photos=scenes()[:2]), methods=("saliency",)).warnings
    assert any("of unseen scenes they tell 52%" in warning for warning in warnings)


def test_what_labels_taught_is_told_from_what_they_did_not() -> None:
    """The same network as the one taught again, and one that knows nothing: labels must count."""
    nonsense = copied(demo())
    randomise(nonsense, [f"conv{n}" for n in range(1, 6)])
    straight = labels(
        planned(4, **CHOSEN), against=nonsense, again=demo(), methods=("guided",)
    ).data
    assert straight["methods"]["guided"][AGAIN]["rank"]["mean"] == pytest.approx(1)
    assert "Depends on the labels: yes" in straight["verdicts"]["guided"]
    swapped = labels(planned(4, **CHOSEN), against=demo(), again=nonsense, methods=("guided",)).data
    assert "Depends on the labels: no:" in swapped["verdicts"]["guided"]
    assert "nearly as if nothing had been permuted" in swapped["verdicts"]["guided"]


def test_without_a_network_that_is_taught_again_that_is_said() -> None:
    found = labels(planned(2, **CHOSEN), against=twin("permuted"), methods=("guided",))
    assert "labels" not in found.data["methods"]["guided"]
    assert OTHER in found.data["methods"]["guided"]
    assert any("differ by their start" in warning for warning in found.warnings)


def test_what_is_needed_is_said() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 96), nn.ReLU(), nn.Flatten(), nn.Linear(4, 3)).eval()
    own = Network(module, Preprocessing((96, 96)), name="own")
    plan = Plan(own, scenes()[:2])
    with pytest.raises(SettingError, match="of own none is known: train the same architecture"):
        labels(plan)
    with pytest.raises(SettingError, match="has 10 classes and own 3: give one of the same"):
        labels(plan, against=demo())
    with pytest.raises(ImageError, match="needs 2 or more"):
        labels(replace(plan, photos=scenes()[:1]), against=own)
