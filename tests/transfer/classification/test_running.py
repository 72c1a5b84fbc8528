from __future__ import annotations

import hashlib
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import SettingError
from phosphene.training.made import Made
from phosphene.transfer.benchmarks.records import InMemory
from phosphene.transfer.classification import ClassificationSetting, run
from phosphene.transfer.classification.crops import Cropping
from phosphene.transfer.classification.examples import (
    HeldOutCrops,
    TrainingCrops,
    input_of,
    scored,
)
from phosphene.transfer.classification.learner import Learner
from phosphene.transfer.scores.average_precision import average_precision
from phosphene.zoo.catalogue import open_network
from phosphene.zoo.demo import demo_module
from tests.transfer.drawn import drawn_set

COLORS = {"red": (220, 40, 30), "green": (30, 190, 50), "blue": (40, 60, 220)}


def colored(count: int, seed: int) -> InMemory:
    """Gray noise with squares of some colors; of a few it does not count whether they are there."""
    rng = np.random.default_rng(seed)
    images, present = [], rng.choice([0, 1], (count, 3), p=[0.55, 0.45]).astype(np.int8)
    for row in present:
        pixels = np.repeat(rng.integers(90, 160, (40, 40, 1), np.uint8), 3, axis=2)
        for at in np.flatnonzero(row == 1):
            y, x = rng.integers(0, 28, 2)
            pixels[y : y + 12, x : x + 12] = list(COLORS.values())[at]
        images.append(Image.fromarray(pixels))
    # Later squares may cover earlier ones: those are there with difficulty.
    present[(present == 1) & (rng.random(present.shape) < 0.08)] = -1
    names = [f"{seed}-{index}" for index in range(count)]
    return InMemory(images, tuple(COLORS), present=present, names=names)


def tiny(seed: int = 0) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = torch.nn.Sequential(
            torch.nn.Conv2d(3, 12, 5, stride=2), torch.nn.ReLU(), torch.nn.Conv2d(12, 12, 3),
            torch.nn.ReLU(),
        )  # fmt: skip
    return Network(module.eval(), Preprocessing((32, 32), mean=(0.5,) * 3, std=(0.25,) * 3))


SHORT = ClassificationSetting(
    layer="3", updates=60, drop_every=20, rate=0.02, batch=8, scales=(0.9, 1.1), tests=3
)


def weights(net: Network) -> str:
    state = net.module.state_dict().values()
    return hashlib.sha256(b"".join(v.numpy().tobytes() for v in state)).hexdigest()


def test_a_network_learns_colors_and_is_left_as_it_is(tmp_path: Path) -> None:
    net, train, test = tiny(), colored(120, 1), colored(60, 2)
    before, told = weights(net), []
    ticks: list[tuple[int, int, str]] = []
    found = run(
        SHORT, net, train, test, tmp_path, tick=lambda *how: ticks.append(how), say=told.append
    )
    assert weights(net) == before
    assert found.score is not None
    assert found.score > 0.9
    assert not told
    assert [t[:2] for t in ticks][59] == (60, 60)
    assert ticks[-1][:2] == (60, 60)
    # Exactly what the definition makes of the scores, less a little for what is there.
    assert found.scores is not None
    for at, name in enumerate(COLORS):
        held = found.scores[:, at] - 1e-5 * (test.present[:, at] == 1)
        assert found.by_class[name] == average_precision(held, test.present[:, at])
    told_json = json.loads((tmp_path / "result.json").read_text())
    assert told_json["score"] == found.score
    assert told_json["by_class"] == found.by_class
    assert (tmp_path / "log.csv").read_text().count("\n") == 21
    panel = found.panel()
    assert panel.tables[0].rows[-1] == ("mean", round(found.score, 4))
    assert panel.plots
    assert found.facts["photographs"] == "120 to train, 60 to test"


def test_training_is_what_the_protocol_says() -> None:
    """One literal loop of ours gives the same weights as the house's."""
    net, train, test = tiny(), colored(30, 1), colored(10, 2)
    setting = replace(SHORT, updates=4, drop_every=2, clip=0.5, decay=0.1)
    found = run(setting, net, train, test)

    learner = Learner(net, 3, (32, 32), setting)
    batches = Made(30, TrainingCrops(train, Cropping((32, 32), (0.9, 1.1))), 8, updates=1)
    speeds = {name: torch.zeros_like(p) for name, p in learner.named_parameters()}
    rate = 0.02
    for update in range(4):
        ((crops, present),) = batches.epoch(update)
        x = (crops.permute(0, 3, 1, 2) / 255 - 0.5) / 0.25
        learner.zero_grad()
        s, y = learner(x), present
        each = torch.log1p(torch.exp(s)) - (y == 1) * s
        (each * (y >= 0)).sum(1).mean().backward()
        length = torch.sqrt(sum((p.grad**2).sum() for p in learner.parameters()))  # type: ignore
        with torch.no_grad():
            for name, p in learner.named_parameters():
                g = p.grad * min(1.0, float(0.5 / length)) + 0.1 * p
                speeds[name] = 0.9 * speeds[name] + g
                p -= rate * (2 if p.ndim == 1 else 1) * speeds[name]
        if update == 1:
            rate /= 2
    learner.eval()
    crops = HeldOutCrops(test, Cropping((32, 32), (0.9, 1.1)), 3, 0)
    scores = scored(learner, net, crops, torch.device("cpu"))
    assert found.scores is not None
    assert np.allclose(scores, found.scores, atol=1e-4)
    assert np.abs(scores).max() > 0.01


def test_test_scores_are_means_over_crops_the_same_for_all_networks() -> None:
    net, test = tiny(), colored(5, 2)
    learner = Learner(net, 3, (32, 32), SHORT).eval()
    testing = HeldOutCrops(test, Cropping((32, 32)), 10, seed=3)
    scores = scored(learner, net, testing, torch.device("cpu"))
    crops = np.stack(
        [
            Cropping((32, 32))(test.image(4), np.random.default_rng([3, 2, 4, number]))
            for number in range(10)
        ]
    )
    x = input_of(net, torch.from_numpy(crops), torch.device("cpu"))
    with torch.no_grad():
        assert np.allclose(scores[4], learner(x).mean(0).numpy(), atol=1e-6)
    assert np.allclose(
        scored(learner, net, testing, torch.device("cpu"), loaders=2), scores, atol=1e-6
    )


def test_a_run_that_was_stopped_goes_on_to_the_same_scores(tmp_path: Path) -> None:
    train, test = colored(60, 1), colored(20, 2)
    whole = run(SHORT, tiny(), train, test, tmp_path / "whole")

    def stop(done: int, total: int, how: str) -> None:
        if done == 25 and how != "testing":
            os.kill(os.getpid(), signal.SIGINT)

    first = run(SHORT, tiny(), train, test, tmp_path / "parts", tick=stop)
    assert first.ended == "interrupted"
    assert first.score is None
    assert first.by_class == {}
    assert first.panel().tables[0].rows == ()
    assert not (tmp_path / "parts" / "result.json").exists()
    assert first.as_json()["score"] is None
    again = run(SHORT, tiny(), train, test, tmp_path / "parts")
    assert again.scores is not None
    assert np.array_equal(again.scores, whole.scores)
    assert again.by_class == whole.by_class
    with pytest.raises(SettingError, match="another training run"):
        run(SHORT, tiny(1), train, test, tmp_path / "parts")


@pytest.mark.parametrize(
    "how",
    [
        {"loss": "softmax"},
        {"frozen": True},
        {"way": "inside"},
        {"rebalance": True, "rebalance_by": 20},
        {"standardize": True, "rebalance": True, "rebalance_by": 20},
        {"padding": 6},
        {"size": 24},
        {"renewed": ("2",), "deviation": 0.1},
    ],
    ids=lambda how: "-".join(how),
)
def test_every_option_learns(how: dict[str, object]) -> None:
    setting = replace(SHORT, updates=60, **how)  # type: ignore[arg-type]
    found = run(setting, tiny(), colored(60, 1), colored(30, 2))
    assert found.score is not None
    assert found.score > 0.65
    assert ("rebalanced" in found.facts) == bool(how.get("rebalance"))


def test_the_demo_networks_features_tell_classes_it_has_never_seen() -> None:
    train, test = drawn_set(120, 1, objects=(1, 1)), drawn_set(60, 2, objects=(1, 1))
    setting = ClassificationSetting(
        layer="relu7", frozen=True, updates=60, drop_every=40, rate=0.05, scales=(0.95, 1.05),
        tests=1, batch=8,
    )  # fmt: skip
    trained = open_network("demo")
    untrained = Network(demo_module(0), trained.preprocessing)
    scores = [run(setting, net, train, test).score for net in (trained, untrained)]
    assert scores[0] is not None
    assert scores[1] is not None
    assert scores[0] > 0.7
    assert scores[0] > scores[1] + 0.3


def test_sets_that_overlap_or_lack_a_class_are_said() -> None:
    train, told = colored(20, 1), []
    test = colored(12, 2)
    test.present[:, 1] = np.where(test.present[:, 1] == 1, 0, test.present[:, 1])
    setting = replace(SHORT, updates=2)
    found = run(setting, tiny(), train, test, say=told.append)
    assert list(found.by_class) == ["red", "blue"]
    assert "green" in told[0]
    assert found.notes == tuple(told)
    told.clear()
    found = run(setting, tiny(), train, train, say=told.append)
    assert "20 of the 20 photographs to test with are among those to train with" in told[0]


def test_bad_sets_are_one_sentence() -> None:
    train = colored(20, 1)
    sorted_only = InMemory([train.image(0)], ("red",), class_of=[0])
    with pytest.raises(SettingError, match="with tags"):
        run(SHORT, tiny(), sorted_only, sorted_only)
    with pytest.raises(SettingError, match="no photographs"):
        run(SHORT, tiny(), InMemory([], ("red",), class_of=[]), train)
    other = InMemory([train.image(0)], ("cat",), present=np.ones((1, 1), np.int8))
    with pytest.raises(SettingError, match="differ in their classes"):
        run(SHORT, tiny(), train, other)
    with pytest.raises(SettingError, match="do not fill a batch"):
        run(replace(SHORT, batch=64), tiny(), train, train)


@pytest.mark.parametrize(
    ("how", "match"),
    [
        ({"rate": 0.0}, "learns nothing"),
        ({"scales": (2.0, 0.5)}, "no range"),
        ({"loss": "hinge"}, "none of sigmoid, softmax"),
        ({"way": "round"}, "none of"),
        ({"tests": 0}, "tests is 0"),
        ({"layer": ""}, "no layer"),
    ],
)
def test_settings_that_cannot_be(how: dict[str, object], match: str) -> None:
    with pytest.raises(SettingError, match=match):
        ClassificationSetting(**{"layer": "fc7", **how})  # type: ignore[arg-type]


def test_presets_are_the_theses() -> None:
    thesis = ClassificationSetting.preset("thesis", "fc7")
    assert thesis == ClassificationSetting(layer="fc7")
    assert thesis.drops == tuple(range(10_000, 80_000, 10_000))
    s3 = ClassificationSetting.preset("s3", "relu7", padding=100)
    assert s3.drops == (20_000, 40_000, 60_000, 80_000, 100_000, 120_000, 140_000)
    assert s3.padding == 100
    json.dumps(s3.facts())
    with pytest.raises(SettingError, match="did you mean"):
        ClassificationSetting.preset("thesiss", "fc7")
