from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from phosphene.core.network import Network
from phosphene.errors import SettingError
from phosphene.transfer.benchmarks.records import InMemory
from phosphene.transfer.retrained import PRESETS, RetrainedSetting, run
from phosphene.transfer.retrained import running as module
from phosphene.zoo.catalogue import open_network
from phosphene.zoo.demo import demo_module
from tests.transfer.drawn import drawn_sorted

SHORT = RetrainedSetting(
    layer="relu7", counts=(1, 8), tested=10, splits=2, updates=100, teacher="softmax", rate=0.05
)


@pytest.fixture(scope="module")
def drawn() -> InMemory:
    return drawn_sorted(16, 1)


def weights(net: Network) -> str:
    state = net.module.state_dict().values()
    return hashlib.sha256(b"".join(v.numpy().tobytes() for v in state)).hexdigest()


@pytest.mark.parametrize("teacher", ["softmax", "logistic", "svm"])
def test_the_demo_networks_features_tell_classes_it_has_never_seen(
    teacher: str, drawn: InMemory, tmp_path: Path
) -> None:
    net = open_network("demo")
    before = weights(net)
    setting = replace(SHORT, teacher=teacher)  # type: ignore[arg-type]
    found = run(setting, net, drawn, folder=tmp_path)
    assert weights(net) == before
    assert found.score is not None
    assert found.score > 0.6
    curve = found.curve
    assert curve[8][0] == found.score
    assert curve[8][0] > curve[1][0] + 0.1
    assert found.right[8].shape == (2, 6)
    assert found.score == pytest.approx(np.mean(list(found.by_class.values())))
    assert curve[8][1] == pytest.approx(np.std(found.right[8].mean(1), ddof=1))
    said = json.loads((tmp_path / "result.json").read_text())
    assert said["score"] == found.score
    panel = found.panel()
    assert [row[0] for row in panel.tables[0].rows] == ["1", "8"]
    assert panel.plots[0].series[0].x == (1.0, 8.0)
    assert ("chosen" in found.facts) == (teacher != "softmax")
    untrained = Network(demo_module(0), net.preprocessing)
    other = run(replace(setting, counts=(8,)), untrained, drawn).score
    assert other is not None
    assert found.score > other + 0.2


def test_a_run_goes_on_behind_what_is_done(
    drawn: InMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, setting = open_network("demo"), replace(SHORT, teacher="logistic", cs=(0.01,))
    whole = run(setting, net, drawn)
    taught = module.answers
    calls = []

    def stopped(*args: object, **how: object) -> object:
        calls.append(1)
        return (None, "") if len(calls) == 3 else taught(*args, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "answers", stopped)
    first = run(setting, net, drawn, folder=tmp_path)
    assert first.ended == "interrupted"
    assert first.score is None
    assert list(first.curve) == [1]
    assert not (tmp_path / "result.json").exists()
    again = run(setting, net, drawn, folder=tmp_path)
    assert len(calls) == 3 + 2
    assert again.as_json()["splits"] == whole.as_json()["splits"]
    with pytest.raises(SettingError, match="another run"):
        run(replace(setting, splits=3), net, drawn, folder=tmp_path)
    with pytest.raises(SettingError, match="another run"):
        run(setting, Network(demo_module(0), net.preprocessing), drawn, folder=tmp_path)
    (tmp_path / "splits.json").write_text("[1")
    with pytest.raises(SettingError, match="damaged"):
        run(setting, net, drawn, folder=tmp_path)


def test_a_test_set_of_its_own(drawn: InMemory) -> None:
    told: list[str] = []
    ticks: list[tuple[int, int, str]] = []
    setting = replace(SHORT, counts=(16,), teacher="logistic", cs=(0.01,))
    net, others = open_network("demo"), drawn_sorted(6, 2)
    found = run(setting, net, drawn, others, say=told.append, tick=lambda *how: ticks.append(how))
    assert found.score is not None
    assert found.score > 0.7
    assert not told
    assert found.facts["tested with"] == "36"
    assert ticks[-1] == (2, 2, "done")
    assert (96, 96, "features") in ticks
    both = run(setting, net, drawn, drawn, say=told.append).score
    assert both is not None
    assert both > found.score
    assert "photographs to test with are among those to train with" in told[0]


def test_bad_sets_are_one_sentence(drawn: InMemory) -> None:
    net = open_network("demo")
    with pytest.raises(SettingError, match="'arrow' has 16 photographs, which is too few"):
        run(replace(SHORT, counts=(16,)), net, drawn)
    unknown = InMemory([drawn.image(0)], ("a", "b"))
    with pytest.raises(SettingError, match="folder for each class"):
        run(SHORT, net, unknown)
    single = InMemory([drawn.image(0)], ("a",), class_of=[0])
    with pytest.raises(SettingError, match="told apart from others"):
        run(SHORT, net, single)
    pair = InMemory([drawn.image(0)] * 2, ("a", "b"), class_of=[0, 1])
    with pytest.raises(SettingError, match="differ in their classes"):
        run(SHORT, net, drawn, pair)


@pytest.mark.parametrize(
    ("how", "match"),
    [
        ({"counts": ()}, "counts"),
        ({"counts": (30, 15)}, "rising"),
        ({"counts": (0,)}, "1 or more"),
        ({"cs": (0.0,)}, "above 0"),
        ({"teacher": "forest"}, "none of softmax"),
        ({"splits": 0}, "splits is 0"),
        ({"held_out": 1.0}, "cannot be held out"),
        ({"rate": 0.0}, "learns nothing"),
        ({"layer": ""}, "no layer"),
    ],
)
def test_settings_that_cannot_be(how: dict[str, object], match: str) -> None:
    with pytest.raises(SettingError, match=match):
        RetrainedSetting(**{"layer": "fc7", **how})  # type: ignore[arg-type]


def test_presets_are_settings() -> None:
    for how in PRESETS.values():
        json.dumps(RetrainedSetting(layer="fc7", **how).facts())
