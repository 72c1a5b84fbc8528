"""How much of a signal lies on the object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from phosphene import explain
from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.unit import Unit
from phosphene.errors import ImageError
from phosphene.segmentation.truths import Box, Truth
from phosphene.studies.findings import Findings
from phosphene.studies.foreground import foreground
from phosphene.studies.lit import ANOTHER, PREDICTED
from phosphene.studies.plan import Plan
from phosphene.zoo.demo import demo_scenes
from tests.contract_networks import LABELS, ScoreMap, seeded
from tests.reference import signals as reference
from tests.studies.plans import demo, planned, scenes

RULES = ("saliency", "deconvnet", "guided")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return planned(12, layers=("pool5",), quality=None)


@pytest.fixture(scope="module")
def found(plan: Plan) -> Findings:
    return foreground(plan)


def test_shares_are_those_of_the_rule_s_own_signals(found: Findings) -> None:
    scene = demo_scenes()[0]
    own = found.data["photographs"][0]
    assert own["area"] == pytest.approx(scene.object.mean())
    mask = scene.object.astype(float).tolist()
    for rule in RULES:
        sent = explain(demo(), scene.image, Unit.strongest("centre"), rule, layer="pool5")[0]
        expected = reference.share_inside(sent.map[0, 0].double().tolist(), mask)
        assert own["pool5"][rule] == pytest.approx(expected, abs=1e-5)
        sent = explain(demo(), scene.image, Unit.predicted("centre"), rule)[0]
        expected = reference.share_inside(sent.map[0, 0].double().tolist(), mask)
        assert own[PREDICTED][rule] == pytest.approx(expected, abs=1e-5)
    assert len(set(own["pool5"].values())) == 3


def test_masks_of_relus_are_what_tells_the_object(found: Findings) -> None:
    by = {(row["start"], row["rule"]): row for row in found.data["starts"]}
    for start in (PREDICTED, ANOTHER):
        guided, deconvnet = by[start, "guided"], by[start, "deconvnet"]
        assert guided["inside"]["mean"] > deconvnet["inside"]["mean"] + 0.05
        assert guided["over_field"]["mean"] > 0.3
    assert "points less than DeSaliNet" in found.data["verdicts"]["DeConvNet, predicted class"]


def test_rules_that_are_swapped_swap_the_verdict() -> None:
    """Signals of the mask rule under the other's name: what is said goes with the numbers."""
    plan = planned(5, layers=("pool5",), quality=None)
    straight = foreground(plan, rules=("deconvnet",)).data["starts"][1]
    swapped = foreground(plan, rules=("guided",)).data["starts"][1]
    assert straight["inside"]["mean"] < swapped["inside"]["mean"] - 0.05


def test_opposite_masks_give_opposite_shares() -> None:
    chosen: dict[str, Any] = {"layers": ("pool5",), "quality": None}
    truths = [
        Truth("x", scene.image, ((~scene.object).astype(np.uint8),)) for scene in demo_scenes()[:2]
    ]
    one = foreground(planned(2, **chosen), rules=("guided",)).data["photographs"][0]
    other = foreground(planned(2, **chosen), truths, rules=("guided",)).data["photographs"][0]
    for start in ("pool5", PREDICTED):
        assert one[start]["guided"] == pytest.approx(1 - other[start]["guided"])


def test_boxes_stand_for_masks() -> None:
    scene = demo_scenes()[0]
    box = Box("x", *scene.box)
    truth = Truth("x", scene.image, (), (box,))
    found = foreground(planned(1, layers=("pool5",)), [truth], rules=("guided",))
    x0, y0, x1, y1 = scene.box
    assert found.data["photographs"][0]["area"] == pytest.approx((x1 - x0) * (y1 - y0) / 96**2)
    assert found.facts["measured"] == "1 photograph, 1 of them by boxes"
    assert "cannot tell" in found.data["verdicts"]["DeSaliNet, pool5"]


def test_figure_6_has_a_row_for_every_start(plan: Plan, found: Findings) -> None:
    assert len(found.rows) == 6 * 3
    heading, tiles = found.rows[1]
    assert heading.startswith("image 0: predicted class (")
    assert [t.caption.split(":")[0] for t in tiles] == [
        "object",
        "SaliNet",
        "DeConvNet",
        "DeSaliNet",
    ]
    made = plan.ledger.made
    assert foreground(plan).as_json() == found.as_json()
    assert plan.ledger.made == made


def test_masks_that_are_missing_are_named(tmp_path: Path) -> None:
    scene = demo_scenes()[0]
    alone = tmp_path / "alone.png"
    Image.fromarray(scene.image).save(alone)
    chosen: dict[str, Any] = {"layers": ("pool5",)}
    with pytest.raises(ImageError, match="no mask is known of any of the 1 photograph"):
        foreground(Plan(demo(), (alone,), **chosen))
    found = foreground(Plan(demo(), (alone, scenes()[0]), **chosen), rules=("guided",))
    assert "1 of 2 photographs left out, of which no mask is known (alone.png)" in found.warnings[0]
    assert "give 5 or more" in found.warnings[-1]
    whole = Truth("x", scene.image, (np.ones((96, 96), np.uint8),))
    with pytest.raises(ImageError, match="1 to 95 %"):
        foreground(planned(1, **chosen), [whole])


def test_masks_lie_beside_frames(tmp_path: Path) -> None:
    photos = []
    for number, scene in enumerate(demo_scenes()[:2]):
        photo = tmp_path / "frames" / "goat" / f"{number:05}.jpg"
        mask = tmp_path / "masks" / "goat" / f"{number:05}.png"
        for path, array in ((photo, scene.image), (mask, scene.object.astype(np.uint8) * 255)):
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(path, quality=98)
        photos.append(photo)
    found = foreground(Plan(demo(), tuple(photos), layers=("pool5",)), rules=("guided",))
    expected = foreground(planned(2, layers=("pool5",)), rules=("guided",))
    ours, theirs = (f.data["photographs"][0] for f in (found, expected))
    assert ours["area"] == theirs["area"]
    assert ours["pool5"] == pytest.approx(theirs["pool5"], abs=0.1)


def test_maps_of_scores_of_another_size() -> None:
    net = Network(seeded(ScoreMap(False)), Preprocessing((20, 20), resize="native"), LABELS)
    draw = np.random.default_rng(0)
    photos = [draw.integers(0, 256, (36, 36, 3), np.uint8) for _ in range(3)]
    mask = np.zeros((36, 36), np.uint8)
    mask[10:20, 5:30] = 1
    truths = [Truth(f"{n}", photo, (mask,)) for n, photo in enumerate(photos)]
    found = foreground(Plan(net, tuple(photos)), truths)
    assert len(found.data["photographs"]) == 3
    assert {start["start"] for start in found.data["starts"]} > {PREDICTED, ANOTHER}


def test_results_do_not_depend_on_the_company() -> None:
    """Another class is drawn by chance: by the photograph's contents, and not by its place."""
    known = demo_scenes()[:3]
    names = []
    for chosen in (known, known[::-1]):
        plan = Plan(demo(), tuple(scene.image for scene in chosen), layers=("pool5",))
        truths = [Truth("x", s.image, (s.object.astype(np.uint8),)) for s in chosen]
        found = foreground(plan, truths, rules=("guided",))
        names.append([photo[ANOTHER] for photo in found.data["photographs"]])
    assert names[0] == names[1][::-1]
