"""Runs from start to finish on a small world: learned, stopped, gone on with, opened again."""

from __future__ import annotations

import csv
import json
import math
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from phosphene.errors import FormatError, NotFinite, OutputError, SettingError
from phosphene.motion.dataset import Augmentation, MemoryPairs
from phosphene.motion.flow import Flow
from phosphene.motion.pair import Pair
from phosphene.panel import Panel, Tile
from phosphene.pretext.cross_pixel import CrossPixelLoss
from phosphene.pretext.pretraining import (
    CrossPixel,
    FlowClasses,
    FlowRegression,
    Foreground,
    Grouping,
    How,
    Rotation,
    Setting,
    Supervised,
    opening,
    reopen,
    run,
)
from phosphene.pretext.pretraining.teaching import answers
from phosphene.pretext.pretraining.validation import Teaching, some_of
from phosphene.training.free_norm import FreeNorm
from phosphene.zoo.catalogue import open_network

PIXELS = {"pixels": 64, "hidden": 32}
QUIET = How(pictures=0)


def told(kind: type[Setting], cubes: str, small: str, **more: Any) -> Setting:
    plain = {
        "data": cubes, "backbone": small, "layers": ("1", "4", "6"), "batch": 4, "epochs": 2,
        "size": 32, "augmentation": "sintel",
    }  # fmt: skip
    looks = PIXELS if hasattr(kind, "pixels") else {}
    return kind(**{**plain, **looks, **more})


def weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "network.safetensors") | load_file(folder / "head.safetensors")


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (CrossPixel, {"learn_sigma": True, "held_out": 0.0}),
        (CrossPixel, {"loss": "alignment"}),
        (FlowClasses, {}),
        (FlowRegression, {"normalize": False}),
        (Foreground, {}),
        (Grouping, {"regions": 3, "reading": "weighted"}),
        (Grouping, {"model": "rigid"}),
        (Grouping, {"model": "entropy"}),
        (Grouping, {"model": "constant"}),
        (Rotation, {}),
    ],
    ids=lambda value: value.system if isinstance(value, type) else "-".join(map(str, value)),
)
def test_a_run_ends_in_a_network(tmp_path, cubes, small, kind, more):
    setting = told(kind, cubes, small, **more)
    found = run(setting, tmp_path, how=QUIET)
    assert found.ended == "done"
    assert [epoch.number for epoch in found.history] == [1, 2]
    assert all(math.isfinite(epoch.loss) for epoch in found.history)
    assert not any(isinstance(m, FreeNorm) for m in found.network.module.modules())
    again = reopen(tmp_path)
    assert again.setting == setting
    image = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for layer in setting.layers:
        torch.testing.assert_close(again.network[layer](image), found.network[layer](image))
    assert {"network.safetensors", "head.safetensors", "setting.json", "log.csv", "index.html"} < {
        path.name for path in tmp_path.iterdir()
    }
    if setting.held_out:
        assert found.facts["validation loss"]
        assert found.history[0].measured != found.history[1].measured
    else:
        assert found.history[-1].measured is None
    if isinstance(setting, Grouping):
        assert "nats in common" in found.facts["regions and places"]
        assert "over 4 images" in found.facts["overlap with objects"]
        assert "over 4 images" in found.facts["overlap with foreground"]
        assert again.learner.masks(image).shape == (2, setting.regions, 32, 32)
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["loss"] for row in rows] == [f"{epoch.loss:.6f}" for epoch in found.history]
    assert [row["updates"] for row in rows] == ["2", "4"] if setting.held_out else ["3", "6"]


def test_what_is_reopened_answers_as_what_learned(tmp_path, cubes, monkeypatch):
    from phosphene.pretext.pretraining import running

    said: list[torch.Tensor] = []
    kept = running._finish

    def finish(result, began, watch, how):
        found = kept(result, began, watch, how)
        said.append(answers(began.learner, some_of(began.data.pairs, plain, 3)))
        return found

    plain = Augmentation.preset("validation", 40)
    monkeypatch.setattr(running, "_finish", finish)
    setting = CrossPixel(data=cubes, backbone="demo", batch=4, epochs=1, size=40, **PIXELS)
    found = run(setting, tmp_path, how=QUIET)
    data = opening.open_data(setting, 40)
    batch = some_of(data.pairs, plain, 3)
    torch.testing.assert_close(answers(reopen(tmp_path).learner, batch), said[0])
    # It opens by its file alone, as all verbs open it.
    net = open_network(found.files["network"])
    assert net.name == "demo"
    assert [layer.name for layer in net.layers()][:2] == ["conv1", "relu1"]
    assert net.labels == ()
    assert "of 8 layers absorbed" in found.facts["normalization"]


def test_killed_and_resumed_is_bit_identical(tmp_path, cubes, small):
    class Killed(Exception):
        pass

    def dies(done: int, total: int, how: str) -> None:
        if done == 5:
            raise Killed

    setting = told(CrossPixel, cubes, small, learn_sigma=True, epochs=3, loss="reversed")
    whole = run(setting, tmp_path / "whole", how=QUIET)
    with pytest.raises(Killed):
        run(setting, tmp_path / "parts", how=How(pictures=0, every=1e-9), tick=dies)
    assert not (tmp_path / "parts" / "network.safetensors").exists()
    parts = run(setting, tmp_path / "parts", how=QUIET)
    assert parts.history == whole.history
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(torch.equal(one[name], other[name]) for name in one)
    logs = [(tmp_path / name / "log.csv").read_text().splitlines() for name in ("whole", "parts")]
    assert [row.rpartition(",")[0] for row in logs[0]] == [r.rpartition(",")[0] for r in logs[1]]
    # It has ended; asked again, it says the same.
    assert run(setting, tmp_path / "parts", how=QUIET).history == whole.history


def test_stopped_by_hand_or_clock_it_goes_on(tmp_path, cubes, small):
    def press(done: int, total: int, how: str) -> None:
        if done == 3:
            signal.raise_signal(signal.SIGINT)

    setting = told(CrossPixel, cubes, small, epochs=3)
    stopped = run(setting, tmp_path, how=QUIET, tick=press)
    assert (stopped.ended, len(stopped.history), dict(stopped.files)) == ("interrupted", 1, {})
    with pytest.raises(FormatError, match="go on first"):
        _ = stopped.network
    short = run(setting, tmp_path / "other", how=How(pictures=0, minutes=1e-6))
    assert (short.ended, len(short.history)) == ("time", 0)
    timed = run(setting, tmp_path, how=How(pictures=0, minutes=1e-6))
    assert (timed.ended, len(timed.history)) == ("time", 2)
    assert timed.network["4"](torch.zeros(1, 3, 32, 32)).shape == (1, 16, 16, 16)
    assert run(setting, tmp_path, how=QUIET).ended == "done"


def test_it_ends_early_and_updates_are_shared_by_epochs(tmp_path, cubes, small):
    setting = told(FlowRegression, cubes, small, rate=30.0, epochs=8, patience=1)
    found = run(setting, tmp_path / "early", how=QUIET)
    assert found.ended == "early"
    assert found.best < len(found.history) < 8
    setting = told(CrossPixel, cubes, small, epochs=2, updates=9, accumulate=2)
    ticks: list[tuple[int, int]] = []
    run(setting, tmp_path / "counted", how=QUIET, tick=lambda *t: ticks.append(t[:2]))
    assert ticks == [(i, 10) for i in range(1, 11)]


def test_supervised_networks_say_their_classes(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(10):
        folder = tmp_path / "photos" / f"class {number}"
        folder.mkdir(parents=True)
        for i in range(3):
            Image.fromarray(
                rng.integers(20 * number, 20 * number + 40, (96, 96, 3), np.uint8)
            ).save(folder / f"{i}.png")
    setting = Supervised(
        data=str(tmp_path / "photos"), backbone="demo", batch=10, epochs=3, rate=1e-3, held_out=0.2,
        validate_on=10,
    )  # fmt: skip
    found = run(setting, tmp_path / "run", how=How(pictures=3))
    assert (tmp_path / "run" / "pictures" / "epoch-003.png").exists()
    assert found.history[-1].loss < found.history[0].loss
    assert found.network.labels == tuple(f"class {i}" for i in range(10))
    image = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    learner = reopen(tmp_path / "run").learner
    assert isinstance(learner, nn.Module)
    x = found.network.preprocessing.normalize(image)
    with torch.no_grad():
        torch.testing.assert_close(found.network.scores(image).flatten(1), learner.network(x))


def test_what_stands_still_is_counted(tmp_path, small, monkeypatch):
    frame = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    still = Pair(frame, Flow.of(np.zeros((40, 40, 2))), "still")
    unknown = Pair(frame, Flow(np.ones((40, 40, 2), np.float32), np.zeros((40, 40), bool)), "?")
    moves = Pair(frame, Flow.of(np.ones((40, 40, 2))), "moves")
    pairs = MemoryPairs([still, unknown, moves, still])
    monkeypatch.setattr(opening, "open_pairs", lambda source: pairs)
    setting = told(CrossPixel, "x", small, batch=2, epochs=3, held_out=0.0)
    found = run(setting, tmp_path / "some", how=QUIET)
    assert found.facts["nothing moves in"].startswith("9 of 12 pairs that were shown; 3 batches")
    pairs = MemoryPairs([still] * 4)
    for kind in (CrossPixel, Grouping, FlowClasses, Foreground):
        setting = told(kind, "x", small, batch=2, held_out=0.0)
        found = run(setting, tmp_path / kind.system, how=QUIET)
        assert all(math.isfinite(epoch.loss) for epoch in found.history)
        assert "8 of 8" in found.facts["nothing moves in"]


def test_losses_that_are_not_finite_name_their_batch_and_keep_the_state(
    tmp_path, cubes, small, monkeypatch
):
    setting = told(CrossPixel, cubes, small, epochs=2)
    kept, calls = Teaching.__call__, [0]

    def wrong(self, learner, batch):
        calls[0] += 1
        return kept(self, learner, batch) * (float("nan") if calls[0] == 4 else 1)

    monkeypatch.setattr(Teaching, "__call__", wrong)
    with pytest.raises(NotFinite, match=r"epoch 2, update 2 of 2 \(.*/frame_0.* and 1 more"):
        run(setting, tmp_path, how=How(pictures=0, every=1e-9))
    monkeypatch.setattr(Teaching, "__call__", kept)
    assert run(setting, tmp_path, how=QUIET).ended == "done"


def test_mixed_precision_accumulates_and_writes_for_caffe(tmp_path, cubes, small):
    setting = told(CrossPixel, cubes, small, batch=2, accumulate=2)
    how = How(pictures=0, precision="bf16-mixed", caffe=True)
    found = run(setting, tmp_path, how=how)
    assert found.files["caffe"].stat().st_size > 1000
    assert found.network.dtype == torch.float32


def test_pictures_are_drawn_on_the_way_and_change_nothing(tmp_path, cubes, small):
    def drawn(learner: nn.Module, batch: Any) -> Panel:
        torch.rand(3)
        assert not learner.training
        picture = Image.fromarray((255 * batch.image[0].movedim(0, 2)).byte().numpy())
        return Panel("seen", (("", (Tile(picture, "first"),)),), {"drawn": "yes"})

    setting = told(CrossPixel, cubes, small, epochs=2)
    found = run(setting, tmp_path / "a", pictures=drawn)
    assert [p.name for p in sorted((tmp_path / "a" / "pictures").iterdir())] == [
        "epoch-001.png", "epoch-002.png",
    ]  # fmt: skip
    page = found.files["page"].read_text()
    assert "drawn" in page
    assert "validation" in page
    assert run(setting, tmp_path / "b", how=QUIET).history == found.history


def test_what_cannot_be_is_said_in_a_sentence(tmp_path, cubes, small):
    first = told(CrossPixel, cubes, small, epochs=1)
    run(first, tmp_path / "run", how=QUIET)
    with pytest.raises(SettingError, match="holds another training run"):
        run(told(CrossPixel, cubes, small, epochs=1, seed=1), tmp_path / "run", how=QUIET)
    with pytest.raises(SettingError, match="crops of 40"):
        run(Rotation(data=cubes, backbone="demo", batch=4, size=40), tmp_path / "x", how=QUIET)
    assert not (tmp_path / "x").exists()
    (tmp_path / "photos").mkdir()
    for i in range(4):
        Image.new("RGB", (32, 32)).save(tmp_path / "photos" / f"{i}.png")
    with pytest.raises(SettingError, match="two or more"):
        run(told(Supervised, str(tmp_path / "photos"), small, batch=2), tmp_path / "y", how=QUIET)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        run(first, tmp_path / "file" / "run", how=QUIET)
    with pytest.raises(FormatError, match=r"holds no setting\.json"):
        reopen(tmp_path)
    saved = json.loads((tmp_path / "run" / "setting.json").read_text())
    assert saved["setting"]["system"] == "cross-pixel"
    # What an earlier run has learned is begun with, and only by what it fits.
    more = told(
        CrossPixel, cubes, small, epochs=1, head=str(tmp_path / "run" / "head.safetensors"),
        weights=str(tmp_path / "run" / "network.safetensors"),
    )  # fmt: skip
    assert run(more, tmp_path / "more", how=QUIET).ended == "done"
    assert isinstance(reopen(tmp_path / "run").learner.loss, CrossPixelLoss)
