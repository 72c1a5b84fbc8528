"""What maps foretell of the score, and how steady they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import MeanImage, Preprocessing
from phosphene.errors import NetworkError, SettingError
from phosphene.studies.deletion import deletion
from phosphene.studies.explained import explained, fitting, mean_score, predicted
from phosphene.studies.faithfulness import squares
from phosphene.studies.findings import Findings
from phosphene.studies.infidelity import infidelity
from phosphene.studies.infidelity_judged import RANDOM, SIGNED_RANDOM
from phosphene.studies.plan import Plan
from phosphene.studies.removal import baseline
from tests.contract_networks import seeded
from tests.studies.plans import demo, planned, scenes

METHODS = ("saliency", "guided", "excitation")
CHOSEN: dict[str, Any] = {"quality": None, "steps": 24}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return planned(5, **CHOSEN)


@pytest.fixture(scope="module")
def found(plan: Plan) -> Findings:
    return infidelity(plan, methods=METHODS, draws=3)


def test_numbers_are_of_the_method_s_own_attribution(plan: Plan, found: Findings) -> None:
    image, _ = demo().prepare(scenes()[0])
    index = predicted(demo(), image)
    methods, _ = fitting(plan, METHODS)
    sent = explained(demo(), image, mean_score(demo(), image, index), methods)
    gone = baseline(demo(), image, "mean")
    with torch.no_grad():
        clean = float(demo().scores(image)[0, index])
        said: dict[str, list[float]] = {name: [] for name in METHODS}
        fell = []
        for mask in squares(24, (96, 96), 0):
            shown = torch.where(mask, gone, image)
            fell.append(clean - float(demo().scores(shown)[0, index]))
            for name in METHODS:
                phi = sent[name].attribution[0]
                taken = (image - shown)[0] if sent[name].signed else mask[None].float()
                said[name].append(float((phi * taken).sum()))
    for name, sums in said.items():
        b = sum(s * d for s, d in zip(sums, fell, strict=True)) / sum(s * s for s in sums)
        rest = sum((max(0, b) * s - d) ** 2 for s, d in zip(sums, fell, strict=True))
        own = found.data["photographs"][0]["infidelity"][name]
        assert own["relative"] == pytest.approx(rest / sum(d * d for d in fell), rel=1e-3)
        assert own["infidelity"] == pytest.approx(rest / 24, rel=1e-3)


def test_guided_foretells_more_than_the_derivative_and_is_steadier(found: Findings) -> None:
    by = found.data["methods"]
    assert by["guided"]["relative"]["mean"] < by["saliency"]["relative"]["mean"] - 0.2
    assert by[SIGNED_RANDOM]["relative"]["mean"] > 0.6
    assert by[RANDOM]["over_random"]["mean"] == 0
    steady = [by[name]["sensitivity"]["mean"] for name in ("edges", "excitation", "guided")]
    assert steady == sorted(steady)
    assert by["saliency"]["sensitivity"]["mean"] > 2 * by["guided"]["sensitivity"]["mean"]
    assert "better than a random map: no" in found.data["verdicts"]["saliency"]


def test_of_a_linear_network_the_derivative_foretells_everything() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 4)).eval()
    net = Network(module, Preprocessing((16, 16)), labels=list("abcd"), name="linear")
    photos = tuple(torch.rand(3, 16, 16) for _ in range(3))
    plan = Plan(net, photos, steps=16)
    for perturbation in ("square", "noise"):
        found = infidelity(
            plan, methods=("saliency",), perturbation=perturbation, scaled=False, draws=2
        )
        own = found.data["methods"]["saliency"]
        assert own["relative"]["mean"] == pytest.approx(0, abs=1e-6)
        assert own["sensitivity"]["mean"] == pytest.approx(0, abs=1e-6)
        scaled = infidelity(plan, methods=("saliency",), perturbation=perturbation, draws=2)
        assert scaled.data["methods"]["saliency"]["over_random"]["mean"] < -0.2


def test_under_noise_maps_without_sign_are_left_out() -> None:
    found = infidelity(planned(2, **CHOSEN), methods=METHODS, perturbation="noise", draws=1)
    assert "relative" not in found.data["methods"]["excitation"]
    assert "relative" in found.data["methods"]["guided"]
    assert "neither sign nor unit: excitation" in " ".join(found.warnings)


def test_scaling_is_an_option(found: Findings) -> None:
    plain = infidelity(planned(1, **CHOSEN), methods=("guided",), scaled=False, draws=1)
    scaled = found.data["photographs"][0]["infidelity"]["guided"]
    own = plain.data["photographs"][0]["infidelity"]["guided"]
    assert own["infidelity"] > scaled["infidelity"]
    assert own["scale"] == pytest.approx(scaled["scale"])
    assert plain.facts["scaled"] == "not"


def test_the_second_run_computes_nothing(plan: Plan, found: Findings) -> None:
    made = plan.ledger.made
    assert infidelity(plan, methods=METHODS, draws=3).as_json() == found.as_json()
    assert plan.ledger.made == made
    assert [t.caption for t in found.rows[0][1]][:2] == ["photograph", "largest drop"]


def test_what_cannot_be_asked() -> None:
    with pytest.raises(SettingError, match="no perturbation 'blobs': choose square, noise"):
        infidelity(planned(1, **CHOSEN), perturbation="blobs")
    with pytest.raises(SettingError, match="both must be positive"):
        infidelity(planned(1, **CHOSEN), radius=0)
    code = Network(nn.Sequential(nn.Conv2d(3, 1, 96)).eval(), Preprocessing((96, 96)))
    with pytest.raises(NetworkError, match="tells none apart"):
        infidelity(Plan(code, scenes()[:1]))


@pytest.mark.parametrize("study", [infidelity, deletion])
def test_gray_networks(study: Callable[..., Findings]) -> None:
    module = seeded(nn.Sequential(nn.Conv2d(1, 4, 5), nn.ReLU(), nn.Flatten(), nn.Linear(2304, 3)))
    mean = MeanImage.of(np.full((1, 28, 28), 0.5, np.float32))
    seen = Preprocessing((28, 28), mean=(0.5,), order="gray", mean_image=mean)
    plan = Plan(Network(module, seen), scenes()[:2], steps=4)
    found = study(plan, methods=("saliency", "guided"))
    assert len(found.data["photographs"]) == 2


def test_maps_that_are_zero_everywhere_are_left_out_of_deletion() -> None:
    module = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(392, 2))
    with torch.no_grad():
        for value in module.parameters():
            value.fill_(0.1)
        module[3].weight.fill_(-0.1)
    plan = Plan(Network(module, Preprocessing((16, 16))), scenes()[:3], steps=4)
    found = deletion(plan, methods=("saliency", "deconvnet"))
    assert any("map of deconvnet is zero everywhere on 3 of 3" in w for w in found.warnings)
    assert found.data["methods"]["deconvnet"]["deletion"]["area"]["count"] == 0
    assert found.data["methods"]["saliency"]["deletion"]["area"]["count"] == 3
    assert "cannot tell" in found.data["verdicts"]["deconvnet"]
