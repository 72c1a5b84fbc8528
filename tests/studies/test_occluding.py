"""Occlusion among the maps that are put to the test."""

from __future__ import annotations

import pytest
import torch

from phosphene import occlude
from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.studies.cascade import cascade
from phosphene.studies.deletion import deletion
from phosphene.studies.explained import explained, fitting, mean_score, predicted
from phosphene.studies.infidelity import infidelity
from phosphene.studies.occluding import OCCLUSION, Occluding, class_of
from tests.contract_networks import LABELS, ScoreMap, seeded
from tests.studies.plans import demo, planned, scenes

CHOSEN = {"quality": None, "steps": 4}


def test_a_map_is_what_the_class_loses() -> None:
    image, _ = demo().prepare(scenes()[0])
    index = predicted(demo(), image)
    methods, _ = fitting(planned(1), ("guided", OCCLUSION))
    unit = mean_score(demo(), image, index)
    sent = explained(demo(), image, unit, methods, shown=True)
    assert list(sent) == ["guided", OCCLUSION]
    own = sent[OCCLUSION]
    seen = occlude(demo(), scenes()[0], index, stride=7, feature=None)
    for i, y in enumerate(seen.occluder.y):
        for j, x in enumerate(seen.occluder.x):
            if float(y).is_integer() and float(x).is_integer():
                lost = max(0.0, float(seen.clean - seen.value[i, j]))
                assert float(own.map[0, int(y), int(x)]) == pytest.approx(lost, abs=1e-5)
    assert own.map.shape == (1, 96, 96)
    assert own.attribution.shape == (1, 1, 96, 96)
    assert float(own.map.max()) > 0.1
    assert not own.signed
    assert own.pictures[0].size == (96, 96)


def test_classes_of_maps_of_scores() -> None:
    net = Network(seeded(ScoreMap(False)), Preprocessing((20, 20)), LABELS)
    image = torch.rand(1, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    for index in (0, 3):
        assert class_of(net, mean_score(net, image, index)) == index
    assert class_of(demo(), mean_score(demo(), torch.rand(1, 3, 96, 96), 4)) == 4


def test_it_goes_through_the_controls() -> None:
    plan = planned(2, **CHOSEN)
    found = deletion(plan, methods=("saliency", OCCLUSION))
    areas = {
        name: found.data["methods"][name]["deletion"]["area"] for name in ("saliency", OCCLUSION)
    }
    assert all(area["count"] == 2 for area in areas.values())
    assert areas["saliency"]["mean"] != areas[OCCLUSION]["mean"]
    rough = Occluding(4)
    told = infidelity(plan, methods=(rough,), draws=2).data["photographs"][0]
    assert OCCLUSION in told["infidelity"]
    stages = planned(2, **CHOSEN, layers=("conv1",))
    kept = cascade(stages, methods=(rough,))
    assert kept.data["verdicts"][OCCLUSION].startswith("Depends on all from conv1 up cannot tell")
