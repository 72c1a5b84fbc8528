"""Boxes judged, moved and thinned out; and written as others read them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.errors import SettingError
from phosphene.transfer.benchmarks.records import Boxes, InMemory
from phosphene.transfer.detection.boxes import moved
from phosphene.transfer.detection.detecting import all_detected, detected, judged
from phosphene.transfer.detection.drawing import boxes_tile
from phosphene.transfer.detection.fast_rcnn import FastRcnn
from phosphene.transfer.detection.layout import layout_of
from phosphene.transfer.detection.proposals import Proposals
from phosphene.transfer.detection.settings import DetectionSetting
from phosphene.transfer.detection.sizes import pixels_of, resized
from phosphene.transfer.detection.writing import coco_results, write_coco, write_voc
from phosphene.transfer.scores.detections import Detections
from phosphene.zoo.catalogue import open_network
from tests.reference import detections as literal

SETTING = DetectionSetting(test_scale=96, threshold=0.2)


@pytest.fixture(scope="module")
def detector() -> FastRcnn:
    net = open_network("demo")
    made = FastRcnn(net, layout_of(net), 3).eval()
    # So sharp that some boxes are sure of something, and move.
    with torch.no_grad():
        made.scores.weight.mul_(60)
        made.moves.weight.mul_(200)
        made.means.fill_(0.01)
        made.deviations.fill_(0.3)
    return made


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 255, (12, 16, 3), np.uint8)
    return Image.fromarray(pixels).resize((128, 90))


def proposed(count: int = 60) -> np.ndarray:
    rng = np.random.default_rng(1)
    at = rng.uniform(-10, 90, (count, 2))
    return np.rint(np.concatenate([at, at + rng.uniform(1, 60, (count, 2))], 1))


def test_every_box_is_judged_as_alone(detector: FastRcnn, photograph: Image.Image) -> None:
    boxes = proposed().clip(0, [128, 90, 128, 90])
    boxes = boxes[(boxes[:, 2:] > boxes[:, :2]).all(1)]
    boxes = np.concatenate([boxes, boxes[:5] + 0.3])  # the same cells, other boxes
    scores, placed = judged(detector, photograph, boxes, SETTING)
    shown = resized(photograph, 96, 1000)
    rois = torch.from_numpy(pixels_of(boxes, 96 / 90)).float()
    with torch.no_grad():
        raw, moves = detector([shown], [rois])
    assert np.abs(scores - raw.softmax(1).double().numpy()).max() < 1e-5
    by = moves.double().numpy() * 0.3 + 0.01
    assert np.abs(placed - moved(boxes, by).clip(0, [128, 90, 128, 90])).max() < 1e-3
    assert not np.allclose(placed[:5], placed[-5:])


def test_detections_are_what_is_left(detector: FastRcnn, photograph: Image.Image) -> None:
    found = detected(detector, photograph, proposed(), SETTING, 7)
    assert len(found) > 3
    assert (np.diff(found.scores) <= 0).all()
    assert set(found.photographs.tolist()) == {7}
    whole = proposed().clip(0, [128, 90, 128, 90])
    whole = whole[(whole[:, 2:] - whole[:, :2] >= 2).all(1)]
    scores, boxes = judged(detector, photograph, whole, SETTING)
    expected = []
    for class_ in range(3):
        own = [n for n in range(len(whole)) if scores[n, class_ + 1] >= 0.2]
        places = [tuple(boxes[n, class_ + 1]) for n in own]
        for at in literal.suppressed(places, [scores[n, class_ + 1] for n in own], 0.3):
            expected.append((scores[own[at], class_ + 1], class_))
    expected.sort(reverse=True)
    assert np.allclose(found.scores, [score for score, _ in expected])
    fewer = detected(detector, photograph, proposed(), DetectionSetting(
        test_scale=96, threshold=0.2, most=3), 7)  # fmt: skip
    assert np.array_equal(fewer.corners, found.corners[:3])


def test_nothing_proposed_is_nothing_found(detector: FastRcnn, photograph: Image.Image) -> None:
    for boxes in (np.zeros((0, 4)), np.array([[500.0, 500, 600, 600]]), np.array([[3.0, 3, 4, 9]])):
        assert len(detected(detector, photograph, boxes, SETTING)) == 0


def test_all_photographs(detector: FastRcnn, photograph: Image.Image) -> None:
    known = InMemory([photograph] * 3, ("a", "b", "c"))
    boxes = Proposals({"0": proposed(), "2": proposed()})
    told = []
    found = all_detected(detector, known, boxes, SETTING, 0, lambda *said: told.append(said))
    alone = detected(detector, photograph, proposed(), SETTING)
    assert np.array_equal(found.scores, np.concatenate([alone.scores] * 2))
    assert set(found.photographs.tolist()) == {0, 2}
    assert told[-1] == (3, 3, "detection")


def some() -> Detections:
    return Detections(
        np.array([0, 1, 1]), np.array([0, 1, 0]),
        np.array([[0.0, 0, 10, 20], [1.25, 2, 3, 4], [5, 6, 7.5, 8]]), np.array([0.9, 0.5, 0.25]),
    )  # fmt: skip


def test_cocos_results(tmp_path: Path) -> None:
    found = coco_results(some(), ["000000000139.jpg", "000000000285.jpg"], [18, 44])
    assert found[0] == {
        "image_id": 139, "category_id": 18, "bbox": [0, 0, 10, 20], "score": 0.9,
    }  # fmt: skip
    assert found[1]["category_id"] == 44
    assert found[1]["bbox"] == [1.25, 2, 1.75, 2]
    path = write_coco(some(), ["2008_000001", "b.png"], tmp_path / "found.json")
    named = json.loads(path.read_text())
    assert [row["image_id"] for row in named] == ["2008_000001", "b", "b"]
    assert [row["category_id"] for row in named] == [1, 2, 1]
    with pytest.raises(SettingError, match="1 ids"):
        coco_results(some(), ["1", "2"], [18])


def test_vocs_files(tmp_path: Path) -> None:
    paths = write_voc(some(), ["000001", "000002.jpg"], ("cat", "dog", "sofa"), tmp_path)
    assert [path.name for path in paths] == [
        "comp4_det_test_cat.txt", "comp4_det_test_dog.txt", "comp4_det_test_sofa.txt",
    ]  # fmt: skip
    # First and last pixel inside, counted from 1.
    assert paths[0].read_text() == (
        "000001 0.900000 1.0 1.0 10.0 20.0\n000002 0.250000 6.0 7.0 7.5 8.0\n"
    )
    assert paths[2].read_text() == ""


def test_boxes_are_drawn(photograph: Image.Image) -> None:
    truth = Boxes(
        np.array([[0.0, 0, 128, 90], [5, 5, 9, 9]]), np.array([0, 1]), np.array([0, 1], bool)
    )
    tile = boxes_tile(photograph, "x", truth, some()[:2], ("cat", "dog"), 0.4)
    assert tile.caption == "x: cat, dog"
    assert min(tile.image.size) == 240
    assert tile.image.getpixel((tile.image.width - 1, 200)) == (255, 255, 255)
    assert boxes_tile(photograph, "x", truth, some()[:0], (), 0).caption == "x: nothing found"
