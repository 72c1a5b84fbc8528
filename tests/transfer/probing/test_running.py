from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.errors import SettingError
from phosphene.transfer.benchmarks.records import InMemory
from phosphene.transfer.probing import running
from phosphene.transfer.probing.crops import Crops
from phosphene.transfer.probing.result import ProbingResult
from phosphene.transfer.probing.running import run
from phosphene.transfer.probing.setting import ProbingSetting
from phosphene.zoo.catalogue import open_network
from tests.transfer.drawn import CLASSES, drawn_sorted

LAYERS = ("relu1", "relu3", "pool5")
SETTING = ProbingSetting(layers=LAYERS, batch=24).shortened(30)


@pytest.fixture(scope="module")
def train() -> InMemory:
    return drawn_sorted(16, 1)


@pytest.fixture(scope="module")
def test() -> InMemory:
    return drawn_sorted(10, 2)


@pytest.fixture(scope="module")
def probed(train, test, tmp_path_factory) -> tuple[ProbingResult, Path]:
    folder = tmp_path_factory.mktemp("probed")
    return run(replace(SETTING, cached=True), open_network("demo"), train, test, folder), folder


def test_accuracies_rise_with_depth_on_classes_the_network_never_saw(probed) -> None:
    result, folder = probed
    top = [layer.top1 for layer in result.layers]
    assert [layer.layer for layer in result.layers] == list(LAYERS)
    assert top[2] > top[0] + 0.15
    assert top[2] >= 0.5  # chance is 1/6
    assert result.score == max(top)
    assert set(result.by_class) == set(CLASSES)
    assert np.mean(list(result.by_class.values())) == pytest.approx(result.score)
    assert result.layers[2].maps == (48, 5, 5)
    assert result.layers[0].numbers == 17 * 17 * 32
    assert json.loads((folder / "result.json").read_text())["score"] == result.score


def test_the_result_is_shown(probed, tmp_path) -> None:
    result, _ = probed
    panel = result.panel()
    assert panel.tables[0].columns[:3] == ("layer", "top-1", "top-5")
    assert [row[0] for row in panel.tables[0].rows] == list(LAYERS)
    assert panel.plots[0].series[0].x == LAYERS
    assert "cached" in panel.facts["protocol"]
    assert "cached" in panel.tables[0].note
    assert result.save(tmp_path / "probes.html").stat().st_size > 10_000


def test_a_second_probe_makes_no_features(probed, train, test, tmp_path, monkeypatch) -> None:
    first, folder = probed

    def never(*_: object) -> None:
        raise AssertionError("the network was shown images")

    monkeypatch.setattr(Crops, "middle", never)
    again = run(
        replace(SETTING, cached=True), open_network("demo"), train, test,
        tmp_path, features=folder / "features",
    )  # fmt: skip
    assert again.layers == first.layers


def test_random_crops_resume_to_the_same_result(train, test, tmp_path, monkeypatch) -> None:
    setting, net = replace(SETTING, updates=6, drops=(4,)), open_network("demo")
    before = {name: value.clone() for name, value in net.module.state_dict().items()}
    whole = run(setting, net, train, test, tmp_path / "whole", loaders=0)
    assert "random crops" in whole.protocol
    train_loop = running.loop.train
    monkeypatch.setattr(
        running.loop,
        "train",
        lambda *given, **more: train_loop(*given, **more, stop=iter([0, 0, 0, 1, 1]).__next__),
    )
    part = run(setting, net, train, test, tmp_path / "parts")
    assert part.interrupted
    assert part.score != part.score
    assert part.as_json()["score"] is None
    assert "call it again" in part.panel().warnings[-1]
    assert not (tmp_path / "parts" / "result.json").exists()
    monkeypatch.setattr(running.loop, "train", train_loop)
    rest = run(setting, net, train, test, tmp_path / "parts")
    assert rest.layers == whole.layers
    states = [
        (tmp_path / n / "state" / "state.safetensors").read_bytes() for n in ("whole", "parts")
    ]
    assert states[0][-1000:] == states[1][-1000:]
    assert all(torch.equal(before[name], v) for name, v in net.module.state_dict().items())
    with pytest.raises(SettingError, match="holds another training run"):
        run(replace(setting, rate=0.02), net, train, test, tmp_path / "parts")


def test_crops_are_inside_and_mirrored_and_the_middle_is_the_middle() -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = np.arange(60), np.arange(40)[:, None]
    photographs = InMemory([Image.fromarray(pixels)], ["a"], class_of=[0])
    kept = Crops(photographs, (32, 32), 40, "shorter")
    middle, label = kept.middle(0)
    assert (label, tuple(middle.shape)) == (0, (32, 32, 3))
    assert middle[0, 0].tolist() == [14, 4, 0]
    rng = np.random.default_rng(0)
    drawn = [kept.random(0, rng)[0].int() for _ in range(300)]
    turned = [bool(x[0, 0, 0] > x[0, -1, 0]) for x in drawn]
    assert 0.4 < np.mean(turned) < 0.6
    assert {int(x[..., 0].min()) for x in drawn} == set(range(29))
    assert {int(x[..., 1].min()) for x in drawn} == set(range(9))
    assert not any(
        bool(x[0, 0, 0] > x[0, -1, 0])
        for x in (replace(kept, mirror=False).random(0, rng)[0].int() for _ in range(20))
    )
    stretched = replace(kept, fit="stretch")
    assert stretched.middle(0)[0][0, -1, 0] > 50


def test_settings() -> None:
    quick = ProbingSetting().shortened(1400)
    assert quick.drops == (400, 800, 1200)
    assert ProbingSetting().shown_side((227, 227)) == ProbingSetting().shown_side((224, 224)) == 256
    assert ProbingSetting().shown_side((96, 96)) == 110
    assert ProbingSetting.zhang(batch=64).biases == (2.0, 0.0)
    assert ProbingSetting.fair().resize == "fair"
    with pytest.raises(SettingError, match="side of 227 or more"):
        ProbingSetting(side=200).shown_side((227, 227))
    for wrong in ({"updates": 0}, {"rate": 0}, {"resize": "nearest"}, {"layers": ("a", "a")},
                  {"momentum": 0.0}):  # fmt: skip
        with pytest.raises(SettingError):
            ProbingSetting(**wrong)


def test_sets_that_do_not_fit(train, test) -> None:
    net, said = open_network("demo"), []
    few = InMemory([test.image(0)], ["arrow", "boat"], class_of=[0])
    with pytest.raises(SettingError, match="6 and 2 classes"):
        run(SETTING, net, train, few)
    with pytest.raises(SettingError, match="no photographs: give some"):
        run(SETTING, net, train, InMemory([], CLASSES, class_of=[]))
    with pytest.raises(SettingError, match="give a folder"):
        run(replace(SETTING, cached=True), net, train, test)
    short = replace(SETTING, updates=1, drops=(), layers=("pool5",))
    result = run(short, net, train, train, say=said.append)
    assert any("96 names are in both sets" in text for text in said)
    assert result.notes == tuple(said[:1])
    one = InMemory([test.image(0)], CLASSES, class_of=[0])
    result = run(short, net, train, one)
    absent = CLASSES[1:4]
    assert f"no photographs to test of {', '.join(absent)} and 2 more" in result.notes
    assert result.by_class[CLASSES[-1]] is None
