"""Boxes and points, scored by true boxes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from phosphene.errors import ImageError
from phosphene.segmentation.box_scores import box_iou
from phosphene.segmentation.segment import segment
from phosphene.segmentation.truths import Box, Truth
from phosphene.studies.findings import Findings
from phosphene.studies.localization import localization
from phosphene.studies.plan import Plan
from phosphene.studies.truth_sets import numbers_of
from phosphene.zoo.demo import demo_scenes
from tests.studies.plans import demo, planned, scenes

BOTH: Any = ("graph-cut", "threshold")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return planned(3)


@pytest.fixture(scope="module")
def found(plan: Plan) -> Findings:
    return localization(plan, by=BOTH, methods=("saliency", "guided", "corners"))


def test_scenes_are_scored_by_their_boxes(found: Findings) -> None:
    by = {(m["method"], m["engine"]): m for m in found.data["methods"]}
    assert by["saliency", "graph-cut"]["corloc"] == 1
    assert by["saliency", "graph-cut"]["error"] == 0
    assert by["saliency", "graph-cut"]["pointing"] == 1
    for measured in by.values():
        assert 0 <= measured["iou"] <= 1
        assert measured["class_error"] <= measured["error"]
    scene = demo_scenes()[0]
    label = demo().labels[scene.label]
    own = segment(demo(), scene.image, label)
    scores = found.data["photographs"][0]["saliency"]["scores"]
    assert scores[""]["told"] == label
    assert own.box is not None
    assert scores["graph-cut"]["box"] == list(own.box)
    assert scores["graph-cut"]["iou"] == box_iou(own.box, scene.box)
    assert found.tables[0].rows[-1][0] == "whole photograph"


def test_rows_show_boxes(found: Findings, tmp_path: Path) -> None:
    assert len(found.rows) == 3 * 3
    assert [tile.caption.split(":")[0] for tile in found.rows[0][1]] == [
        "photograph",
        "map",
        "graph-cut",
        "threshold",
    ]
    assert found.save(f"{tmp_path}/").exists()


def test_the_second_run_computes_nothing(plan: Plan, found: Findings) -> None:
    made = plan.ledger.made
    again = localization(plan, by=BOTH, methods=("saliency", "guided", "corners"))
    assert again.as_json() == found.as_json()
    assert plan.ledger.made == made


def test_a_class_the_network_does_not_know_counts_for_boxes_alone() -> None:
    scene = demo_scenes()[0]
    x0, y0, x1, y1 = scene.box
    truth = Truth("a", scene.image, boxes=(Box("gnu", x0, y0, x1, y1),))
    chosen: Any = {"methods": ("saliency",), "by": ("graph-cut",)}
    found = localization(planned(1), [truth], **chosen)
    (measured,) = found.data["methods"]
    assert measured["error"] is None
    assert measured["corloc"] == 1
    assert "the network has no class of that name (a)" in found.warnings[0]
    wrong = Truth("a", scene.image, boxes=(Box("cup", x0, y0, x1, y1),))
    assert demo().labels[scene.label] != "cup"
    (measured,) = localization(planned(1), [wrong], **chosen).data["methods"]
    assert measured["error"] in (0.0, 1.0)


def test_boxes_are_found_beside_photographs(tmp_path: Path) -> None:
    scene = demo_scenes()[0]
    photo = tmp_path / "a.png"
    Image.fromarray(scene.image).save(photo)
    entry = {"class": demo().labels[scene.label], "objects": [list(scene.box)]}
    (tmp_path / "boxes.json").write_text(json.dumps({"boxes": {"a.png": entry}}))
    chosen: Any = {"methods": ("saliency",), "by": ("graph-cut",)}
    found = localization(Plan(demo(), (photo,)), **chosen)
    beside = localization(Plan(demo(), scenes()[:1]), **chosen)
    assert found.data["methods"] == beside.data["methods"]
    assert found.data["photographs"][0]["name"] == "a.png"


def test_names_of_classes() -> None:
    net: Any = type("Net", (), {"labels": ("crane", "tench, Tinca tinca", "crane", "crane bird")})
    assert numbers_of(net, "crane") == {0, 2}
    assert numbers_of(net, "Tench") == {1}
    assert numbers_of(net, "n01440764") == set()


def test_without_boxes_it_says_what_is_needed(tmp_path: Path) -> None:
    photo = tmp_path / "a.png"
    Image.fromarray(demo_scenes()[0].image).save(photo)
    with pytest.raises(ImageError, match="no box is known"):
        localization(Plan(demo(), (photo,)), methods=("corners",), by=BOTH)
