"""COCO's boxes."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from phosphene.errors import ImageError, SettingError
from phosphene.transfer.benchmarks import open_coco
from phosphene.transfer.benchmarks.records import InMemory
from tests.transfer.layouts import write_coco


@pytest.fixture
def coco(drawn: InMemory, tmp_path: Path) -> Path:
    return write_coco(drawn, tmp_path)


@pytest.fixture
def edited(coco: Path) -> Callable[[Callable[[Any], None]], Path]:
    def edit(change: Callable[[Any], None]) -> Path:
        path = coco / "annotations" / "instances_val2017.json"
        root = json.loads(path.read_text())
        change(root)
        path.write_text(json.dumps(root))
        return coco

    return edit


def test_boxes_are_those_written(drawn: InMemory, coco: Path):
    found = open_coco(coco, "val2017")
    assert found.classes == drawn.classes
    assert len(found) == len(drawn)
    assert found.notes == ()
    for index in range(len(drawn)):
        mine, given = found.boxes(index), drawn.boxes(index)
        assert np.array_equal(mine.corners, given.corners)
        assert np.array_equal(mine.classes, given.classes)
        assert np.array_equal(mine.difficult, given.difficult)
    assert any(found.boxes(i).difficult.any() for i in range(len(found)))
    assert found.name(0) == "000000000001.jpg"
    assert found.image(0).size == (64, 48)
    assert pickle.loads(pickle.dumps(found)).boxes(2).classes.tolist() == (
        found.boxes(2).classes.tolist()
    )


def test_the_file_and_the_photographs_may_be_named(coco: Path):
    path = coco / "annotations" / "instances_val2017.json"
    assert len(open_coco(path)) == 20
    (coco / "val2017").rename(coco / "elsewhere")
    with pytest.raises(ImageError, match=r"none is in .*val2017"):
        open_coco(coco)
    assert len(open_coco(coco, photos=coco / "elsewhere")) == 20
    with pytest.raises(SettingError, match="no split 'val2071'; did you mean 'val2017'"):
        open_coco(coco, "val2071")


def test_boxes_beyond_are_clipped_and_empty_ones_left_out(edited: Any):
    def change(root: Any) -> None:
        first, second, *_ = [a for a in root["annotations"] if a["image_id"] <= 2]
        first["bbox"] = [-3, 40.5, 200, 30]
        second["bbox"] = [5, 5, 0, 4]

    found = open_coco(edited(change))
    assert [0, 40.5, 64, 48] in found.boxes(0).corners.tolist()
    assert any(n.startswith("1 box reaching beyond") for n in found.notes)
    assert any("or empty, left out" in n for n in found.notes)


def test_photographs_without_objects_stay(edited: Any):
    def change(root: Any) -> None:
        root["annotations"] = [a for a in root["annotations"] if a["image_id"] != 3]

    found = open_coco(edited(change))
    assert len(found) == 20
    assert found.boxes(2).corners.shape == (0, 4)
    assert "1 photograph without an object" in found.notes


def test_missing_and_extra_photographs_are_said(coco: Path):
    (coco / "val2017" / "000000000004.jpg").rename(coco / "val2017" / "extra.jpg")
    found = open_coco(coco)
    assert len(found) == 19
    assert found.name(3) == "000000000005.jpg"
    assert any(n.endswith("missing and left out: 000000000004.jpg") for n in found.notes)
    assert any("does not name 1 photograph of" in n and "extra.jpg" in n for n in found.notes)


def test_a_class_without_objects_is_said(edited: Any):
    found = open_coco(edited(lambda root: root["categories"].append({"id": 90, "name": "brush"})))
    assert found.classes[-1] == "brush"
    assert "no object that counts is of brush" in found.notes


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: r.pop("annotations"), 'has no list "annotations"'),
        (lambda r: r["annotations"][0].update(bbox=[1, 2, 3]), "not four numbers"),
        (lambda r: r["annotations"][0].update(bbox=[1, 2, 3, float("nan")]), "not four numbers"),
        (lambda r: r["annotations"][0].update(category_id=55), "object of category 55, which is"),
        (lambda r: r["annotations"][0].update(image_id=55), "object of image 55, which is not"),
        (lambda r: r["images"][0].update(file_name="../../x.jpg"), "lies outside its folder"),
        (lambda r: r["images"][0].update(width=0), "whose width is 0"),
        (lambda r: r["categories"][0].pop("name"), '"name" is no text'),
    ],
)
def test_damaged_files_are_refused(edited: Any, change: Any, words: str):
    folder = edited(change)
    with pytest.raises(ImageError, match=words):
        open_coco(folder)
