"""What is in front is read out of features, as the formulas say it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import SettingError
from phosphene.motion.dataset import MemoryPairs
from phosphene.motion.flow import Flow
from phosphene.motion.pair import Pair
from phosphene.pretext.linear import Linear, average_precision, best_threshold, chosen_c, iou
from phosphene.pretext.readout import readout, sequence_of
from phosphene.pretext.readout_compared import Compared
from phosphene.pretext.readout_shown import Held
from phosphene.pretext.sampling import sample_pixels
from phosphene.training.seeds import seeded
from phosphene.worlds.moving_photographs import moving_photographs
from tests.reference import readout as literal

SIDE = 24


def network() -> Network:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 2, 3, padding=1),
        nn.BatchNorm2d(2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.5),
    )
    return Network(module, Preprocessing((SIDE, SIDE), mean=(0.5,) * 3))


def frames(names: list[str], seed: int = 0) -> MemoryPairs:
    """Bright squares on a dark ground, both noisy, so that nothing is told apart for certain."""
    rng = np.random.default_rng(seed)
    pairs, labels = [], []
    for name in names:
        front = np.zeros((SIDE, SIDE), np.int32)
        top, left = rng.integers(2, 10, 2)
        front[top : top + 10, left : left + 9] = 2
        noise = rng.normal(0, 50, (SIDE, SIDE, 3))
        image = np.clip(100 + 50 * (front > 0)[:, :, None] + noise, 0, 255).astype(np.uint8)
        front[0] = -1
        pairs.append(Pair(image, Flow.of(np.zeros((SIDE, SIDE, 2))), name))
        labels.append(front)
    return MemoryPairs(pairs, labels)


def test_it_is_the_literal_readout():
    net, layers = network(), ["2", "3"]
    train, test = frames(["a/0", "b/0", "b/1"]), frames(["c/0", "d/0"], 5)
    pixels, c = 20, 0.1
    found = readout(net, layers, train, test, pixels=pixels, test_pixels=60, c=c, seed=2)

    def rows(pairs: MemoryPairs, count: int) -> list[tuple[list[list[float]], list[bool]]]:
        made = []
        for index in range(len(pairs)):
            labels = torch.from_numpy(pairs.labels(index))
            points, known = sample_pixels((labels >= 0)[None], count, seeded(2, index))
            assert known.all()
            image = torch.from_numpy(pairs[index].first).permute(2, 0, 1)[None] / 255
            own: list[list[float]] = [[] for _ in range(count)]
            # Positions of the pool look at pixels 0.5, 2.5, ...
            for layer, stride, centre in (("2", 1, 0.0), ("3", 2, 0.5)):
                for values in net[layer](image)[0].double().tolist():
                    for row, (x, y) in zip(own, points[0].tolist(), strict=True):
                        at = ((x - centre) / stride, (y - centre) / stride)
                        row.append(literal.bilinear(values, *at))
            front = [bool(labels[int(y), int(x)] > 0) for x, y in points[0].tolist()]
            made.append((own, front))
        return made

    learned = rows(train, pixels)
    x, y = [r for own, _ in learned for r in own], [f for _, own in learned for f in own]
    z = literal.standardized(x, x)
    weights = literal.regression(z, y, c)
    # Of two sequences each is scored by what was learned from the other.
    left_out: list[float] = []
    for own, other in ((x[:pixels], pixels), (x[pixels:], 0)):
        rest = x[pixels:] if other else x[:pixels]
        front = y[pixels:] if other else y[:pixels]
        without = literal.regression(literal.standardized(rest, rest), front, c)
        left_out += literal.scored(literal.standardized(own, rest), without)
    threshold = literal.threshold(left_out, y)
    assert found.threshold == pytest.approx(threshold, abs=2e-3)
    for (name, held), (own, front) in zip(found.sequences.items(), rows(test, 60), strict=True):
        scores = literal.scored(literal.standardized(own, x), weights)
        assert name in ("c", "d")
        assert held.average_precision == pytest.approx(
            literal.average_precision(scores, front), abs=2e-3
        )
        assert held.iou == pytest.approx(literal.iou(scores, front, found.threshold), abs=0.03)
        assert held.front == pytest.approx(sum(front) / len(front))
        assert held.average_precision > held.front
    assert found.dimensions == 4


def test_the_regression_is_the_formula_s():
    rng = np.random.default_rng(0)
    x = rng.normal(3, [1, 5, 0.2], (60, 3))
    y = x[:, 0] + 3 * x[:, 2] + rng.normal(0, 0.7, 60) > 4.5 + 2.6 * 3 * 0.62 + 0.4
    assert 5 < y.sum() < 55
    for c in (0.01, 1.0):
        model = Linear.fitted(x, y, c)
        wanted = literal.regression(literal.standardized(x.tolist(), x.tolist()), y.tolist(), c)
        assert model.weight.tolist() == pytest.approx(wanted[:3], abs=2e-3)
        assert model.bias == pytest.approx(wanted[3], abs=2e-3)
    same = Linear.fitted(np.concatenate((x, np.full((60, 1), 0.3)), 1), y, 1.0)
    assert np.isfinite(same(np.ones((2, 4)))).all()
    with pytest.raises(SettingError, match="none are in front"):
        Linear.fitted(x, y & False, 1.0)


def test_scores_are_the_formulas():
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 12, 80) / 4.0  # with ties
    front = rng.random(80) < 0.2 + scores / 6
    told = scores.tolist(), front.tolist()
    assert average_precision(scores, front) == pytest.approx(literal.average_precision(*told))
    assert best_threshold(scores, front) == literal.threshold(*told)
    assert iou(scores >= 1, front) == pytest.approx(literal.iou(*told, 1.0))
    assert np.isnan(average_precision(scores, front & False))
    assert np.isnan(iou(front & False, front & False))


def test_c_is_chosen_on_sequences_that_were_left_out():
    rng = np.random.default_rng(2)
    sequences = [name for name in "abcdef" for _ in range(40)]
    y = rng.random(240) < 0.5
    # One faint feature that holds everywhere, and many that only hold for single sequences.
    own = np.stack([(np.array(sequences) == name) * (2.0 * y - 1) for name in "abcdef"], 1)
    x = np.concatenate(((2.0 * y - 1 + rng.normal(0, 1.5, 240))[:, None], own * 9), 1)
    assert chosen_c(x, y, sequences) == 1e-4
    assert chosen_c(x, y, ["a"] * 240) == 1e-2


@pytest.fixture(scope="module")
def worlds() -> tuple[MemoryPairs, MemoryPairs]:
    def pairs(seeds: range) -> MemoryPairs:
        sets = []
        for seed in seeds:
            world = moving_photographs(seed=seed, frames=9, size=(48, 48), objects=(1, 2))
            sets.append(
                MemoryPairs.of_world([world.instant(i) for i in (0, 4, 8)], f"world {seed}")
            )
        every = [(each, i) for each in sets for i in range(3)]
        return MemoryPairs([s[i] for s, i in every], [s.labels(i) for s, i in every])

    return pairs(range(6)), pairs(range(10, 13))


def test_worlds_are_read_out_and_shown(worlds, tmp_path):
    train, test = worlds
    net = network()
    before = {k: v.clone() for k, v in net.module.state_dict().items()}
    net.module.train()
    state = torch.get_rng_state()
    found = readout(net, ["2", "3"], train, test, pixels=60, test_pixels=200)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[k], v) for k, v in net.module.state_dict().items())
    assert all(module.training for module in net.module.modules())
    again = readout(net, ["2", "3"], train, test, pixels=60, test_pixels=200)
    assert again.as_json() == found.as_json()
    assert set(found.sequences) == {f"world {seed}" for seed in (10, 11, 12)}
    plain = readout(None, (), train, test, pixels=60, test_pixels=200, baseline="colors")
    assert plain.dimensions == 5
    panel = found.panel()
    assert [len(tiles) for _, tiles in panel.rows] == [6, 6, 6]
    assert json.loads(json.dumps(found.as_json()))["sequences"].keys() == found.sequences.keys()
    compared = Compared({"network": [found, again], "colours": [plain]})
    (mean, spread), _ = compared.scores("network")
    assert mean == pytest.approx(found.average_precision)
    assert spread == 0
    assert compared.save(tmp_path / "both.html").is_file()
    assert found.save(tmp_path / "one.png").is_file()
    with pytest.raises(SettingError, match="no readouts"):
        Compared({"network": []})


def test_sequences_without_foreground_are_left_out_of_means(worlds):
    found = readout(None, (), *worlds, pixels=30, test_pixels=60, baseline="colors", pictures=0)
    some = replace(
        found, sequences={"a": Held(0.5, 0.25, 0.1), "b": Held(float("nan"), float("nan"), 0.0)}
    )
    assert (some.average_precision, some.iou) == (0.5, 0.25)
    assert some.as_json()["sequences"]["b"]["iou"] is None
    assert some.panel().rows == ()


def test_what_cannot_be_read_out_is_refused(worlds):
    train, test = worlds
    with pytest.raises(SettingError, match="in both sets"):
        readout(None, (), train, train, baseline="colors")
    with pytest.raises(SettingError, match="a network or a baseline"):
        readout(None, (), train, test)
    bare = MemoryPairs([train[i] for i in range(3)])
    with pytest.raises(SettingError, match="no labels"):
        readout(None, (), bare, test, baseline="colors")
    with pytest.raises(SettingError, match="above 0"):
        readout(None, (), train, test, baseline="colors", c=0)
    with pytest.raises(SettingError, match="say nothing"):
        readout(None, (), train, test, baseline="colors", pixels=0)


@pytest.mark.parametrize(
    ("name", "sequence"),
    [("bear/00012", "bear"), ("world 3 7", "world 3"), ("a/b/1", "a/b"), ("bear", "bear")],
)
def test_names_tell_sequences(name, sequence):
    assert sequence_of(name) == sequence
