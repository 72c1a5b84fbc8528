"""A network that forgets, and what maps keep of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from phosphene.core.attention import parse_rule
from phosphene.core.copies import copied
from phosphene.core.rules import Reversal
from phosphene.errors import ImageError, SettingError, UnknownRule
from phosphene.studies.cascade import cascade
from phosphene.studies.cascade_judged import verdicts_of
from phosphene.studies.explained import explained, mean_score, predicted
from phosphene.studies.findings import Findings
from phosphene.studies.plan import Plan
from phosphene.studies.randomised import randomise
from tests.reference import sanity as literal
from tests.studies.plans import demo, planned, scenes

METHODS = ("saliency", "guided", "contrastive")
CHOSEN: dict[str, Any] = {"layers": ("fc8", "conv5", "conv1"), "quality": None}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return planned(4, **CHOSEN)


@pytest.fixture(scope="module")
def found(plan: Plan) -> Findings:
    before = {name: v.clone() for name, v in demo().module.state_dict().items()}
    findings = cascade(plan, methods=METHODS)
    assert all(torch.equal(v, before[n]) for n, v in demo().module.state_dict().items())
    return findings


def test_numbers_are_rank_correlations_of_the_method_s_own_maps(found: Findings) -> None:
    image, _ = demo().prepare(scenes()[0])
    unit = mean_score(demo(), image, predicted(demo(), image))
    forgetful = copied(demo())
    randomise(forgetful, ("conv5", "fc6", "fc7", "fc8"))
    rule = {"guided": parse_rule("guided")}
    maps = [explained(net, image, unit, rule)["guided"].map[0] for net in (demo(), forgetful)]
    # Every sixth pixel: the literal one compares each with each.
    small = [m[::6, ::6].tolist() for m in maps]
    said = found.data["photographs"][0]["conv5"]["guided"]["rank"]
    assert said == pytest.approx(literal.spearman(*small), abs=0.05)
    assert found.data["stages"] == ["fc8", "conv5", "conv1"]


def test_guided_keeps_what_the_derivative_and_contrast_lose(found: Findings) -> None:
    by = found.data["methods"]
    kept = {name: own["stages"]["conv5"]["rank"]["mean"] for name, own in by.items()}
    assert kept["guided"] > 0.9 > 0.75 > kept["saliency"] > kept["contrastive"] + 0.3
    assert by["saliency"]["stages"]["conv5"]["signed"]["mean"] < 0.1
    assert by["guided"]["stages"]["conv5"]["signed"]["mean"] > 0.9
    for own in by.values():
        assert own["stages"]["conv1"]["rank"]["mean"] < 0.6
    verdicts = found.data["verdicts"]
    assert "on layers from conv5 up hardly" in verdicts["guided"]
    assert "on layers from conv5 up yes" in verdicts["contrastive"]
    assert "all from conv1 up yes" in verdicts["guided"]


def test_a_rule_that_is_swapped_swaps_the_verdict() -> None:
    """The derivative under the other's name: what is said goes with the numbers."""
    chosen = {**CHOSEN, "layers": ("conv5",)}
    swapped = replace(Reversal.parse("saliency"), name="guided")
    own = cascade(planned(3, **chosen), methods=("guided",))
    other = cascade(planned(3, **chosen), methods=(swapped,))
    kept = [f.data["methods"]["guided"]["stages"]["conv5"]["rank"]["mean"] for f in (own, other)]
    assert kept[0] > kept[1] + 0.2
    assert "hardly" in own.data["verdicts"]["guided"]
    assert "hardly" not in other.data["verdicts"]["guided"]


def test_what_looks_at_no_weights_is_found_out(found: Findings) -> None:
    """A method that drew edges would stay the same: the verdict must say so."""
    same = {"mean": 1.0, "interval": 0.0, "count": 4, "gap": {"mean": 0.6, "interval": 0.1,
            "count": 4}}  # fmt: skip
    own = found.data["methods"]["guided"]
    drawn = {**own, "stages": {layer: {"rank": same} for layer in ("conv5", "conv1")}}
    (said,) = verdicts_of({"edges": drawn}, "conv5", "conv1", independent=False).values()
    assert "all from conv1 up hardly" in said


def test_layers_alone() -> None:
    found = cascade(planned(3, **CHOSEN), methods=("guided",), independent=True)
    own = found.data["methods"]["guided"]["stages"]
    # Without the others conv1 is all that counts.
    assert own["fc8"]["rank"]["mean"] > 0.98
    assert own["conv1"]["rank"]["mean"] < 0.7
    assert "Changes most with conv1" in found.data["verdicts"]["guided"]
    assert "hardly on fc8" in found.data["verdicts"]["guided"]
    redrawn = cascade(planned(3, **CHOSEN), methods=("guided",), how="redrawn")
    assert redrawn.data["methods"]["guided"]["stages"]["fc8"]["rank"]["mean"] > 0.95


def test_the_picture_goes_from_trained_to_random(plan: Plan, found: Findings) -> None:
    heading, tiles = found.rows[1]
    assert heading == "image 0: guided"
    captions = [tile.caption.split(":")[0] for tile in tiles]
    assert captions == ["photograph", "trained", "fc8", "conv5", "conv1"]
    made = plan.ledger.made
    assert cascade(plan, methods=METHODS).as_json() == found.as_json()
    assert plan.ledger.made == made


def test_what_cannot_be_done() -> None:
    with pytest.raises(ImageError, match=r"needs 2 or more \(3 for a verdict\): 1 given"):
        cascade(planned(1, **CHOSEN))
    with pytest.raises(ImageError, match="are all the same"):
        cascade(replace(planned(2, **CHOSEN), photos=(scenes()[0],) * 2), methods=("guided",))
    with pytest.raises(SettingError, match="layer pool5 has no weights to randomise: name layers"):
        cascade(planned(2, layers=("pool5",)), methods=("guided",))
    with pytest.raises(UnknownRule):
        cascade(planned(2, **CHOSEN), methods=("lime",))
    found = cascade(planned(2, layers=("fc8",)), methods=("guided", "grad-cam@nix"))
    assert any("grad-cam@nix left out" in warning for warning in found.warnings)
    assert "cannot tell" in found.data["verdicts"]["guided"]
