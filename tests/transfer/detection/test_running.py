"""Runs from their setting to their files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from scipy.io import savemat

from phosphene.errors import SettingError
from phosphene.transfer.benchmarks.records import Boxes, InMemory
from phosphene.transfer.benchmarks.voc_boxes import open_voc_boxes
from phosphene.transfer.detection import Detected, DetectionSetting, run
from phosphene.transfer.detection.proposals import Proposals
from phosphene.zoo.catalogue import open_network
from tests.transfer.drawn import drawn_set
from tests.transfer.layouts import write_voc07

SETTING = DetectionSetting(
    scales=(80, 96), test_scale=96, rate=0.01, clip=10, updates=8, epochs=2, drops=(4,), regions=32
)


@pytest.fixture(scope="module")
def sets() -> tuple[InMemory, InMemory]:
    return drawn_set(16, 1), drawn_set(6, 2)


@pytest.fixture(scope="module")
def done(
    sets: tuple[InMemory, InMemory], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Detected, Path]:
    folder = tmp_path_factory.mktemp("detection")
    return run(SETTING, open_network("demo"), *sets, folder), folder


def test_a_run_leaves_everything(
    done: tuple[Detected, Path], sets: tuple[InMemory, InMemory]
) -> None:
    result, folder = done
    assert {path.name for path in folder.iterdir()} == {
        "state", "log.csv", "detector.safetensors", "result.json", "detections.json",
        "proposals-train-fast.npz", "proposals-test-fast.npz",
        *(f"comp4_det_test_{name}.txt" for name in sets[1].classes),
    }  # fmt: skip
    assert 0 <= result.score <= 1
    held = json.loads((folder / "result.json").read_text())
    assert held["setting"]["updates"] == 8
    assert held["score"] == pytest.approx(result.score, abs=1e-6)
    assert len(json.loads((folder / "detections.json").read_text())) == len(result.detections)
    assert len((folder / "log.csv").read_text().splitlines()) == 3
    assert result.facts["layers behind"] == "fc6 to drop7"
    assert len(result.panel().rows) == 2
    assert result.table().rows[-1][0] == "mean"
    assert set(result.by_class) == {n for n, s in result.classes.items() if s.objects}
    assert json.dumps(result.as_json())


@pytest.mark.parametrize("at", [2, 5])
def test_a_run_that_was_stopped_goes_on_to_the_same_bits(
    done: tuple[Detected, Path], sets: tuple[InMemory, InMemory], tmp_path: Path, at: int
) -> None:
    whole, folder = done
    setting = replace(SETTING, cache=str(folder))
    net = open_network("demo")

    def stop(count: int, total: int, said: str) -> None:
        if said.startswith("epoch") and count == at:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGINT)

    first = run(setting, net, *sets, tmp_path, tick=stop)
    assert first.interrupted
    assert not len(first.detections)
    assert np.isnan(first.score)
    assert first.panel().title == "Objects detected by demo"
    assert not (tmp_path / "result.json").exists()
    second = run(setting, net, *sets, tmp_path)
    assert not second.interrupted
    assert np.array_equal(second.detections.scores, whole.detections.scores)
    one, other = (load_file(place / "detector.safetensors") for place in (folder, tmp_path))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_another_run_does_not_go_on_there(
    done: tuple[Detected, Path], sets: tuple[InMemory, InMemory]
) -> None:
    with pytest.raises(SettingError, match="another"):
        run(replace(SETTING, rate=0.02), open_network("demo"), *sets, done[1])


def test_photographs_without_objects_or_boxes_are_said(
    done: tuple[Detected, Path], sets: tuple[InMemory, InMemory]
) -> None:
    known = sets[1]
    bare = Boxes(np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0, bool))
    images = [*(known.image(n) for n in range(4)), Image.new("RGB", (50, 40))]
    truth = [*(known.boxes(n) for n in range(3)), bare, bare]
    test = InMemory(images, known.classes, boxes=truth, names=["a", "b", "c", "d", "e"])
    boxes = Proposals({n: known.boxes(i).corners for i, n in enumerate("abcd")})
    train_boxes = Proposals(
        {
            sets[0].name(n): np.concatenate([sets[0].boxes(n).corners + d for d in (0, 3, 9)])
            for n in range(len(sets[0]))
        }
    )
    told: list[str] = []
    setting = replace(SETTING, updates=1, epochs=1, drops=())
    result = run(
        setting, open_network("demo"), sets[0], test, say=told.append,
        proposals=(train_boxes, boxes),
    )  # fmt: skip
    assert "no boxes are proposed for 1 of 5 photographs to test on (e, ...)" in told[0]
    assert told == list(result.notes)
    assert not (result.detections.photographs == 4).any()
    missing = set(known.classes) - set(result.by_class)
    assert missing
    assert any(note.startswith("no object of") for note in told)


def test_sets_that_do_not_fit(sets: tuple[InMemory, InMemory]) -> None:
    net, (train, test) = open_network("demo"), sets
    other = InMemory([test.image(0)], ("cat",), boxes=[test.boxes(0)])
    with pytest.raises(SettingError, match="sets of the same classes"):
        run(SETTING, net, train, other)
    with pytest.raises(SettingError, match="no photographs to test on"):
        run(SETTING, net, train, InMemory([], train.classes))
    with pytest.raises(SettingError, match="do not fill a batch of 2"):
        run(SETTING, net, InMemory([train.image(0)], train.classes, boxes=[train.boxes(0)]), test)
    own = Proposals({train.name(n): train.boxes(n).corners for n in range(len(train))})
    with pytest.raises(SettingError, match="none of the 6 photographs to test on"):
        run(SETTING, net, train, test, proposals=(own, own))


def test_processes_that_read_change_nothing(
    done: tuple[Detected, Path], sets: tuple[InMemory, InMemory]
) -> None:
    setting = replace(SETTING, updates=2, epochs=1, drops=(), cache=str(done[1]))
    one, other = (run(setting, open_network("demo"), *sets, loaders=n) for n in (0, 1))
    assert np.array_equal(one.detections.scores, other.detections.scores)
    assert np.array_equal(one.detections.corners, other.detections.corners)


def test_boxes_from_files(sets: tuple[InMemory, InMemory], tmp_path: Path) -> None:
    train, test = sets
    for name, photographs in (("train", train), ("test", test)):
        held = {
            photographs.name(n): np.concatenate([photographs.boxes(n).corners + d for d in (0, 4)])
            for n in range(len(photographs))
        }
        Proposals(held).save(tmp_path / f"{name}.npz")
    setting = replace(
        SETTING, updates=1, epochs=1, drops=(), proposals=str(tmp_path / "train.npz"),
        test_proposals=str(tmp_path / "test.npz"),
    )  # fmt: skip
    result = run(setting, open_network("demo"), train, test, tmp_path / "run")
    assert not list((tmp_path / "run").glob("proposals*"))
    assert result.notes == ()
    with pytest.raises(SettingError, match="none of the 6 photographs to test on"):
        run(replace(setting, test_proposals=""), open_network("demo"), train, test)


def test_from_the_layout_of_voc(sets: tuple[InMemory, InMemory], tmp_path: Path) -> None:
    whole = drawn_set(10, 1)
    folder = write_voc07(whole, tmp_path, {"trainval": range(6), "test": range(6, 10)})
    train, test = open_voc_boxes(folder, "trainval"), open_voc_boxes(folder, "test")
    # As Girshick's files have them: rows of y1, x1, y2, x2, pixels counted from 1.
    cells, names = np.empty((1, 10), object), np.empty((10, 1), object)
    several = [(s, n) for s in (train, test) for n in range(len(s))]
    for at, (photographs, number) in enumerate(several):
        corners = np.concatenate([photographs.boxes(number).corners + d for d in (0, 2, 20)])
        cells[0, at] = corners[:, (1, 0, 3, 2)] + [1, 1, 0, 0]
        names[at, 0] = photographs.name(number)
    savemat(tmp_path / "voc.mat", {"boxes": cells, "images": names})
    setting = replace(
        SETTING, updates=2, epochs=1, drops=(), proposals=str(tmp_path / "voc.mat"), threshold=0.0
    )
    result = run(setting, open_network("demo"), train, test, tmp_path / "run")
    assert not any("boxes are proposed" in note for note in result.notes)
    lines = (tmp_path / "run" / "comp4_det_test_key.txt").read_text().splitlines()
    assert {line.split()[0] for line in lines} <= {test.name(n) for n in range(4)}
    assert {len(line.split()) for line in lines} == {6}
    assert json.loads((tmp_path / "run" / "detections.json").read_text())[0]["image_id"] >= 0


def test_a_detector_learns() -> None:
    """All objects as one class, among boxes near them and boxes anywhere, are learned at once."""
    train, test = drawn_set(24, 3, objects=(1, 1)), drawn_set(12, 4, objects=(1, 1))
    both = []
    for photographs in (train, test):
        held = {}
        for n in range(len(photographs)):
            rng = np.random.default_rng(n)
            near = photographs.boxes(n).corners + rng.uniform(-9, 9, (40, 4))
            far = rng.uniform(0, 48, (20, 2))
            held[photographs.name(n)] = np.concatenate([near, np.concatenate([far, far + 40], 1)])
        known = [photographs.boxes(n) for n in range(len(photographs))]
        one = [Boxes(b.corners, np.zeros_like(b.classes), b.difficult) for b in known]
        images = [photographs.image(n) for n in range(len(photographs))]
        names = [photographs.name(n) for n in range(len(photographs))]
        both.append((InMemory(images, ("thing",), boxes=one, names=names), Proposals(held)))
    setting = replace(SETTING, updates=40, epochs=1, drops=(), scales=(96,), rate=0.02)
    (train, train_boxes), (test, test_boxes) = both
    found = [
        run(replace(setting, updates=updates), open_network("demo"), train, test,
            proposals=(train_boxes, test_boxes)).score
        for updates in (1, 40)
    ]  # fmt: skip
    assert found[1] > 0.6 > found[0]
