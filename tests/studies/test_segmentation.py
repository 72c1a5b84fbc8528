"""Objects cut out and scored, and the truths that lie beside photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from phosphene.core.network import Network
from phosphene.errors import ImageError, SettingError
from phosphene.segmentation.scores import score_mask
from phosphene.segmentation.segment import segment
from phosphene.segmentation.truths import Truth
from phosphene.studies.findings import Findings
from phosphene.studies.methods import Constants
from phosphene.studies.plan import Plan
from phosphene.studies.segmentation import segmentation
from phosphene.studies.truth_sets import truths_for
from phosphene.zoo.demo import demo_scenes
from tests.studies.plans import demo, planned, scenes

BOTH: Any = ("graph-cut", "threshold")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return planned(5)


@pytest.fixture(scope="module")
def found(plan: Plan) -> Findings:
    return segmentation(plan, by=BOTH)


def test_scenes_are_scored_by_their_masks(found: Findings) -> None:
    by = {(m["method"], m["engine"]): m for m in found.data["methods"]}
    assert by["saliency", "graph-cut"]["iou"] > 0.6
    assert by["guided", "graph-cut"]["iou"] > by["blob", "graph-cut"]["iou"]
    assert by["guided", "graph-cut"]["papers"] == (82.31, 55.57)
    for measured in by.values():
        assert 0 <= measured["iou"] <= measured["accuracy"] <= 1
    scores = found.data["photographs"][0]["saliency"]["engines"]
    scene = demo_scenes()[0]
    for engine in BOTH:
        own = segment(demo(), scene.image, rule="saliency", engine=engine)
        assert scores[engine]["iou"] == score_mask(own.mask, scene.object).iou


def test_what_a_cut_adds_is_the_mean_of_differences(found: Findings) -> None:
    less = {(d["method"], d["engine"], d["less"]): d for d in found.data["differences"]}
    by = {(m["method"], m["engine"]): m["iou"] for m in found.data["methods"]}
    for method in ("saliency", "corners"):
        gain = less[method, "graph-cut", f"{method} threshold"]["mean"]
        assert gain == pytest.approx(by[method, "graph-cut"] - by[method, "threshold"])
    over = less["guided", "threshold", "blob threshold"]["mean"]
    assert over == pytest.approx(by["guided", "threshold"] - by["blob", "threshold"])


def test_figure_8_has_a_row_for_every_method(found: Findings, tmp_path: Path) -> None:
    assert len(found.rows) == 5 * 5
    heading, tiles = found.rows[0]
    assert "SaliNet, seen as" in heading
    titles = [tile.caption.split(":")[0] for tile in tiles]
    assert titles == ["photograph", "map", "trimap", "graph-cut", "threshold"]
    assert "blob" not in found.rows[4][0].lower()
    assert found.save(f"{tmp_path}/").exists()


def test_the_second_run_computes_nothing(plan: Plan, found: Findings) -> None:
    made = plan.ledger.made
    assert segmentation(plan, by=BOTH).as_json() == found.as_json()
    assert plan.ledger.made == made
    one: Any = ("threshold",)
    segmentation(plan, by=one, methods=("blob",), constants=Constants(threshold=0.7))
    assert plan.ledger.made == made + 5


def test_the_network_runs_once_for_all_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    passes = []
    tapes = Network.tapes
    monkeypatch.setattr(Network, "tapes", lambda *a, **k: passes.append(1) or tapes(*a, **k))
    plan, one = planned(2), ("threshold",)
    segmentation(plan, by=one)  # type: ignore[arg-type]
    assert len(passes) == 2
    segmentation(plan, by=one)  # type: ignore[arg-type]
    segmentation(plan, by=one, methods=("blob",), constants=Constants(low=0.1))  # type: ignore[arg-type]
    assert len(passes) == 2


def test_holes_are_filled_if_it_is_asked_for() -> None:
    scene = demo_scenes()[0]
    chosen: dict[str, Any] = {"methods": ("guided",), "by": ("graph-cut",)}
    found = segmentation(planned(1), constants=Constants(fill=True, low=0.5), **chosen)
    own = segment(demo(), scene.image, rule="guided", fill=True, low=0.5)
    scores = found.data["photographs"][0]["guided"]["engines"]["graph-cut"]
    assert scores["iou"] == score_mask(own.mask, scene.object).iou
    assert found.facts["fill"] == "True"


def test_what_cannot_be(plan: Plan) -> None:
    with pytest.raises(SettingError, match="no method 'gided'; did you mean 'guided'"):
        segmentation(plan, methods=("gided",))
    with pytest.raises(SettingError, match="no method or no engine is left"):
        segmentation(plan, by=())
    with pytest.raises(SettingError, match="starts at 'home'"):
        segmentation(plan, constants=Constants(seed="home"))  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="divide no map"):
        segmentation(plan, constants=Constants(low=0.95))


def test_truths_of_ones_own(plan: Plan) -> None:
    scene = demo_scenes()[0]
    opposite = Truth("mine", scene.image, ((~scene.object).astype(np.uint8),), classes=("x",))
    chosen: dict[str, Any] = {"methods": ("saliency",), "by": ("threshold",)}
    found = segmentation(planned(1), [opposite], **chosen)
    assert found.data["photographs"][0]["name"] == "mine"
    assert found.data["photographs"][0]["class"] == "x"
    straight = segmentation(planned(1), **chosen).data["methods"][0]["accuracy"]
    assert found.data["methods"][0]["accuracy"] == pytest.approx(1 - straight)
    with pytest.raises(ImageError, match="1 truth cannot be those of 5 photographs"):
        segmentation(plan, [opposite])


def write(path: Path, array: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


@pytest.mark.parametrize(
    ("photo", "mask", "class_"),
    [
        ("photos/a.png", "masks/a.png", ""),
        ("photos/cats/a.png", "masks/cats/a.png", "cats"),
        ("a.png", "masks/a.png", ""),
        ("frames/goat/a.jpg", "masks/goat/a.png", "goat"),
        ("JPEGImages/480p/goat/a.jpg", "Annotations/480p/goat/a.png", "goat"),
    ],
)
def test_masks_are_found_beside_photographs(
    tmp_path: Path, photo: str, mask: str, class_: str
) -> None:
    scene = demo_scenes()[0]
    shown = write(tmp_path / photo, scene.image)
    truth = write(tmp_path / mask, scene.object.astype(np.uint8) * 255)
    other = write(tmp_path / "elsewhere.png", scene.image)
    known = truths_for([shown, truth, other])
    assert known.numbers == [0, 2]
    found = known[0]
    assert found is not None
    assert ((found.masks[0] == 1) == scene.object).all()
    assert found.classes == ((class_,) if class_ else ())
    assert known[2] is None or not known[2].masks


def test_pascal_voc_is_found(tmp_path: Path) -> None:
    scene = demo_scenes()[0]
    shown = write(tmp_path / "JPEGImages" / "a.jpg", scene.image)
    write(tmp_path / "SegmentationClass" / "a.png", scene.object.astype(np.uint8))
    lists = tmp_path / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("a\n")
    found = truths_for([shown])[0]
    assert found is not None
    assert ((found.masks[0] == 1) == scene.object).all()


def test_without_truths_it_says_what_is_needed(tmp_path: Path) -> None:
    scene = demo_scenes()[0]
    alone = write(tmp_path / "a.png", scene.image)
    one: Any = {"methods": ("blob",), "by": ("threshold",)}
    with pytest.raises(ImageError, match=r"no mask is known of any of the 1 photograph: lay masks"):
        segmentation(Plan(demo(), (alone,)), **one)
    with pytest.raises(ImageError, match="needs photographs"):
        segmentation(Plan(demo()))
    some = segmentation(Plan(demo(), (alone, *scenes()[:2])), **one)
    assert "1 of 3 photographs left out, of which no mask is known (a.png)" in some.warnings[0]


def test_photographs_without_an_object_are_named() -> None:
    found = segmentation(planned(2), by=("threshold",), constants=Constants(threshold=0.99))  # type: ignore[arg-type]
    for warning in found.warnings:
        assert "image 0" in warning or "image 1" in warning
