"""Whole runs: two stages, a test, a result; interrupted ones; and what features are worth."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.errors import FormatError, ImageError, SettingError
from phosphene.training.processes import fabric_of
from phosphene.transfer.benchmarks.records import UNKNOWN, InMemory
from phosphene.transfer.labelling import LabellingSetting, VideoFrames, run
from phosphene.transfer.labelling.pictures import drawn, own_iou, palette
from phosphene.transfer.labelling.result import Labelling
from phosphene.transfer.labelling.stages import Stages
from phosphene.transfer.labelling.videos import colors
from phosphene.zoo.demo import demo
from tests.transfer.drawn import drawn_set

QUICK = LabellingSetting(
    layers=("colors",), crop=32, buffer=2, points=40, hidden=16, deviation=0.3, dropout=0.1,
    batch=4, rate=0.1, check=10, window=20, first=30, levels=2, most=80, stride=1,
)  # fmt: skip


def boxes(count: int, seed: int) -> InMemory:
    """Red and blue boxes on green, of sizes of their own; their rims are unknown."""
    rng = np.random.default_rng(seed)
    images, labels = [], []
    for _ in range(count):
        h, w = (int(n) for n in rng.integers(24, 44, 2))
        pixels, own = np.zeros((h, w, 3)), np.zeros((h, w), np.uint8)
        pixels[:, :, 1] = 200
        for label, color in ((1, (220, 20, 20)), (2, (20, 20, 220))):
            y, x = (int(n) for n in rng.integers(0, 14, 2))
            y2, x2 = y + int(rng.integers(6, 12)), x + int(rng.integers(6, 12))
            own[max(0, y - 1) : y2 + 1, max(0, x - 1) : x2 + 1] = UNKNOWN
            own[y:y2, x:x2], pixels[y:y2, x:x2] = label, color
        noisy = np.clip(pixels + rng.normal(0, 25, pixels.shape), 0, 255).astype(np.uint8)
        images.append(Image.fromarray(noisy))
        labels.append(own)
    names = [f"{seed}/{n}" for n in range(count)]
    return InMemory(images, ("red", "blue"), labels=labels, names=names)


def same(one: Labelling, other: Labelling) -> bool:
    return json.dumps(one.as_json()) == json.dumps(other.as_json())


def test_two_stages_and_a_result(tmp_path: Path) -> None:
    said: list[str] = []
    ticks: list[tuple[int, int, str]] = []
    net, train, test = colors(), boxes(20, 1), boxes(6, 2)
    found = run(
        QUICK, net, train, test, tmp_path, say=said.append, tick=lambda *told: ticks.append(told)
    )
    assert found.score > 0.9
    assert found.confusion.accuracy > 0.95
    assert list(found.by_class) == ["background", "red", "blue"]
    assert sum(map(len, found.history.values())) >= 2
    # Stage 2 ends where stage 1 did, and its rate fell where that one's had.
    first, second = found.history["stage 1"], found.history["stage 2"]
    assert len(second) * 10 == found.falls[-1] <= 80
    for update in found.falls[:-1]:
        assert update >= 30
        rates = [epoch.rate for epoch in first], [epoch.rate for epoch in second]
        at = update // 10
        assert rates[0][at] == pytest.approx(rates[0][at - 2] / 10)
    assert all(epoch.measured is not None for epoch in first)
    assert any("the rate falls behind" in text for text in said)
    assert {told[2].split(",")[0] for told in ticks} == {"stage 1", "stage 2", "testing"}
    assert json.loads((tmp_path / "result.json").read_text()) == found.as_json()
    assert json.loads((tmp_path / "stage-1" / "falls.json").read_text())["falls"] == list(
        found.falls
    )
    assert (tmp_path / "stage-2" / "log.csv").read_text().count("\n") == len(second) + 1
    panel = found.panel()
    assert [len(tiles) for _, tiles in panel.rows] == [3, 3, 3, 3, 3]
    assert panel.facts["updates"].startswith(str(found.falls[-1]))
    assert found.save(tmp_path / "found.png").is_file()
    assert found.table().rows[-1][1] == round(found.score, 3)
    # What is over is not done again.
    again = run(QUICK, net, train, test, tmp_path)
    assert (again.score, again.falls) == (found.score, found.falls)
    with pytest.raises(SettingError, match="another run"):
        run(replace(QUICK, seed=1), net, train, test, tmp_path)
    other = colors()
    next(other.module.parameters()).data *= 0.5
    with pytest.raises(SettingError, match="another run"):
        run(QUICK, other, train, test, tmp_path)
    (tmp_path / "stage-1" / "falls.json").write_text("{")
    with pytest.raises(FormatError, match="damaged"):
        run(QUICK, net, train, test, tmp_path)


@pytest.mark.parametrize("at", ["stage 1, epoch 2", "stage 2, epoch 3"])
def test_a_run_that_was_interrupted_goes_on_to_the_same_result(tmp_path: Path, at: str) -> None:
    setting = replace(QUICK, standardize=True, levels=1, most=40)
    net, train, test = colors(), boxes(12, 1), boxes(3, 2)
    whole = run(setting, net, train, test)

    def tick(done: int, total: int, how: str) -> None:
        if how.startswith(at) and done % 10 == 4:
            os.kill(os.getpid(), signal.SIGINT)

    stopped = run(setting, net, train, test, tmp_path, tick=tick)
    assert stopped.interrupted
    assert stopped.score != stopped.score
    assert stopped.as_json()["score"] is None
    assert stopped.panel().facts["ended"].startswith("interrupted")
    assert not (tmp_path / "result.json").exists()
    later = run(setting, net, train, test, tmp_path)
    assert not later.interrupted
    assert later.falls == whole.falls
    assert (later.confusion.counts == whole.confusion.counts).all()
    assert later.history["stage 2"] == whole.history["stage 2"]


def test_updates_may_be_given_and_readers_change_nothing() -> None:
    setting = replace(QUICK, falls=(11, 23))
    net, train, test = colors(), boxes(9, 1), boxes(3, 2)
    found = run(setting, net, train, test)
    assert list(found.history) == ["stage 2"]
    assert found.falls == (11, 23)
    assert same(found, run(setting, net, train, test, loaders=1))
    assert not same(found, run(replace(setting, seed=3), net, train, test))


def test_batches_may_be_accumulated_to_an_update() -> None:
    """Where all pixels are known, two halves of a batch do what the whole does."""
    plain = boxes(12, 1)
    known = [np.where(plain.labels(i) == UNKNOWN, 0, plain.labels(i)) for i in range(12)]
    train = InMemory([plain.image(i) for i in range(12)], plain.classes, labels=known)
    test, setting = boxes(2, 2), replace(QUICK, falls=(6,), dropout=0.0, crop=24, mirror=False)
    whole = run(setting, colors(), train, test)
    halves = run(replace(setting, batch=2, accumulate=2), colors(), train, test)
    (one,), (two,) = whole.history["stage 2"], halves.history["stage 2"]
    assert two.loss == pytest.approx(one.loss, abs=1e-5)
    assert halves.facts["accumulate"] == "2"
    assert "accumulate" not in whole.facts


def test_every_network_has_the_same_share_held_out() -> None:
    train = boxes(20, 1)
    one, other = (Stages(QUICK, net, train, fabric_of())._divided() for net in (colors(), demo()))
    assert one == other
    learned, held = one
    assert len(held) == 2
    assert sorted((*learned, *held)) == list(range(20))


def test_fcn_32s_and_a_larger_field_run_as_well() -> None:
    train, test = boxes(8, 1), boxes(2, 2)
    for told in ({"head": "fcn-32s", "rate": 1.0}, {"fov": True, "fov_width": 4, "frozen": True}):
        found = run(replace(QUICK, falls=(15,), **told), colors(), train, test)  # type: ignore[arg-type]
        assert found.confusion.counts.sum() == sum((test.labels(i) != 255).sum() for i in (0, 1))
        assert found.score > 0.25


def test_features_that_were_learned_are_worth_more_than_colors() -> None:
    """Classes that the demo network has not seen; a longer run reaches 0.7."""
    train, test = drawn_set(60, 1, objects=(1, 1)), drawn_set(8, 2, objects=(1, 1))
    plain = LabellingSetting(
        crop=96, buffer=2, points=300, hidden=64, deviation=0.05, dropout=0.0, standardize=True,
        frozen=True, batch=5, rate=0.05, falls=(60, 70), stride=3,
    )  # fmt: skip
    learned = run(plain, demo(), train, test)
    alone = run(replace(plain, layers=("colors",)), colors(), train, test)
    assert learned.score > 0.22
    assert learned.score > 1.4 * alone.score


def test_videos_are_read_frame_by_frame(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for kind in ("frames", "masks"):
            (tmp_path / kind / name).mkdir(parents=True)
        for n in range(5):
            pixels = np.full((20, 30, 3), 40 * n, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "frames" / name / f"{n:05d}.png")
            mask = np.zeros((20, 30), np.uint8)
            mask[:, : n + 1] = 38
            Image.fromarray(mask).save(tmp_path / "masks" / name / f"{n:05d}.png")
    frames = VideoFrames(tmp_path / "frames", tmp_path / "masks", ("b",), 2)
    assert [frames.name(i) for i in range(len(frames))] == ["b/00000", "b/00002", "b/00004"]
    assert np.asarray(frames.image(1))[0, 0].tolist() == [80, 80, 80]
    assert frames.labels(1).sum() == 20 * 3
    assert frames.labels(1).max() == 1
    assert len(VideoFrames(tmp_path / "frames", tmp_path / "masks")) == 10
    (tmp_path / "masks" / "a" / "00003.png").unlink()
    for told, said in (
        ((tmp_path / "frames", tmp_path / "masks"), "has no mask"),
        ((tmp_path / "frames", tmp_path / "masks", ("c",)), "check the sequence's name"),
        ((tmp_path / "none", tmp_path / "masks"), "no sequences"),
    ):
        with pytest.raises(ImageError, match=said):
            VideoFrames(*told)


def test_squeezenets_features_show_what_is_in_front_of_videos(shared: Path) -> None:
    """A glimpse of it, from a few frames; all seven sequences are for a longer run."""
    from phosphene.zoo.catalogue import open_network

    data = shared / "data" / "davis"
    train, test = (
        VideoFrames(data / "frames", data / "masks", names, 45)
        for names in (("goat", "cows", "dog", "blackswan"), ("camel",))
    )
    net = open_network(str(shared / "data" / "squeezenet" / "squeezenet.caffemodel"))
    setting = LabellingSetting(
        layers=("fire5/concat", "fire9/concat"), frozen=True, standardize=True, crop=160, buffer=8,
        points=200, hidden=32, deviation=0.02, dropout=0.2, batch=4, rate=0.02, falls=(12, 15),
    )  # fmt: skip
    found = run(setting, net, train, test, pictures=0)
    alone = run(replace(setting, layers=("colors",)), colors(), train, test, pictures=0)
    assert found.by_class["foreground"] > 0.4
    assert found.by_class["foreground"] > 1.5 * alone.by_class["foreground"]


def test_sets_that_do_not_fit_are_said() -> None:
    train, test = boxes(6, 1), boxes(2, 2)
    with pytest.raises(SettingError, match="no photographs to be tested on"):
        run(QUICK, colors(), train, boxes(0, 1))
    other = InMemory([test.image(0)], ("red", "green"), labels=[test.labels(0)])
    with pytest.raises(SettingError, match="give sets of the same classes"):
        run(QUICK, colors(), train, other)
    said: list[str] = []
    found = run(replace(QUICK, falls=(2,)), colors(), train, train, say=said.append)
    assert "6 photographs (1/0, ...) are learned from and tested on" in said[0]
    assert found.notes == tuple(said)
    with pytest.raises(SettingError, match="do not fill a batch"):
        run(replace(QUICK, batch=7, falls=(2,)), colors(), train, test)


def test_pictures_have_vocs_colors() -> None:
    colors_ = palette()
    assert colors_[:3].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
    assert colors_[20].tolist() == [0, 64, 128]
    assert len({tuple(c) for c in colors_.tolist()}) == 256
    photograph = Image.new("RGB", (4, 2), (100, 100, 100))
    labels = np.array([[0, 1, 0, 0], [0, 0, 255, 0]], np.uint8)
    made = np.asarray(drawn(photograph, labels))
    assert made[0, 0].tolist() == [100, 100, 100]
    assert made[0, 1].tolist() == [118, 35, 35]
    assert own_iou(labels, np.zeros_like(labels)) == pytest.approx((6 / 7 + 0) / 2)
