"""Explaining: units, rules, layers and photographs, and what is said about the result."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.reversal import backward
from phosphene.core.rules import ARCHITECTURES, DECONVNET, GUIDED, LATTICE, SALIENCY, Reversal
from phosphene.core.unit import Unit
from phosphene.errors import (
    ImageError,
    NothingToReverse,
    UnitError,
    UnknownClass,
    UnknownLayer,
    UnknownRule,
)
from phosphene.saliency.explain import explain, explain_many
from phosphene.saliency.result import Explanation, Saliency
from tests.contract_networks import LABELS, plain, seeded


def network(**more: Any) -> Network:
    preprocessing = Preprocessing((20, 20), (0.4, 0.5, 0.6), (0.2, 0.3, 0.25), resize_to=24)
    return Network(plain().double(), preprocessing, LABELS, "eye", **more)


def convolutional() -> Network:
    """Takes images of any size, and answers with a map of scores."""
    module = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 6, 3), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2), fc=nn.Conv2d(6, 6, 5)
        )
    )
    return Network(seeded(module).double(), Preprocessing((20, 20), resize_to=24), LABELS)


def image(batch: int = 1, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.rand(batch, 3, 20, 20, generator=draw, dtype=torch.float64)


def photograph(width: int = 40, height: int = 30, seed: int = 0) -> Image.Image:
    draw = np.random.default_rng((width, height, seed))
    return Image.fromarray(draw.integers(0, 256, (height, width, 3), dtype=np.uint8))


def count_passes(net: Network, layer: str) -> list[int]:
    passes: list[int] = []
    net.module.get_submodule(layer).register_forward_hook(lambda *_: passes.append(1))
    return passes


# One pass


def test_one_forward_pass_serves_every_rule_and_unit() -> None:
    net = network()
    assert net.classes == 6  # found by a pass of its own, once
    passes = count_passes(net, "conv1")
    made = explain(net, image(2), [0, 1, 2], list(LATTICE))
    assert len(made) == 48
    assert len(passes) == 1
    explain(net, image(2), Unit.random(), list(LATTICE), layer="conv2")
    assert len(passes) == 2
    list(explain_many(net, [*image(7)], batch=3))
    assert len(passes) == 5


def test_nothing_behind_the_layer_runs() -> None:
    net = network()
    behind = count_passes(net, "relu2")
    explain(net, image(), 2, layer="conv2")
    explain(net, image(), layer="conv2", to="pool1")
    assert not behind
    assert explain(net, image(), layer="conv2").top == ()
    assert explain(net, image(), top=0).top == ()


def test_units_by_rules_in_order() -> None:
    made = explain(network(), image(), [3, 1], ["deconvnet", SALIENCY, "rectify/centre"])
    assert [(int(s.channel), s.rule.name) for s in made] == [
        (3, "deconvnet"), (3, "saliency"), (3, "rectify/centre/identity"),
        (1, "deconvnet"), (1, "saliency"), (1, "rectify/centre/identity"),
    ]  # fmt: skip
    assert [s.rule for s in explain(network(), image(), rules=ARCHITECTURES)] == [*ARCHITECTURES]
    default = explain(network(), image())
    assert [s.rule for s in default] == [SALIENCY, DECONVNET, GUIDED]
    smooth = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh()), Preprocessing((20, 20)))
    assert [s.rule for s in explain(smooth, image())] == [SALIENCY]


def test_each_signal_is_what_backward_sends() -> None:
    net = network()
    x = image(2)
    tape = net["conv2"].tape(x)
    for unit in (Unit(3), Unit.strongest("centre"), Unit.code()):
        p = unit.plant(tape.activation).p
        for saliency in explain(net, x, unit, list(LATTICE), layer="conv2"):
            wanted = net.preprocessing.pull_back(backward(tape, p, saliency.rule))
            torch.testing.assert_close(saliency.signal, wanted, rtol=1e-9, atol=1e-12)


def test_lists_of_units_in_one_pass_back() -> None:
    net = network()
    units = [Unit(i) for i in range(8)] + [Unit.code(), Unit.noise(3, positive=False)]
    together = explain(net, image(2), units, [SALIENCY, GUIDED], layer="conv2")
    for i, unit in enumerate(units):
        alone = explain(net, image(2), unit, [SALIENCY, GUIDED], layer="conv2")
        for j in range(2):
            one, other = together[2 * i + j], alone[j]
            torch.testing.assert_close(one.signal, other.signal, rtol=1e-9, atol=1e-12)
            assert torch.equal(one.score, other.score)
            assert torch.equal(one.at, other.at)
            assert one.unit == unit


# Units


def test_classes_by_name_and_number() -> None:
    net = network()
    wanted = explain(net, image(), Unit.of_class("cat"))[0]
    for unit in ("cat", "CAT", "2", 2, np.int64(2), torch.tensor(2), Unit.of_class(2), Unit(2)):
        got = explain(net, image(), unit)[0]
        assert torch.equal(got.signal, wanted.signal)
        assert got.channel.tolist() == [2]
    best = int(net.probabilities(image()).argmax())
    for unit in (None, Unit.predicted(), Unit.strongest()):
        made = explain(net, image(), unit)
        assert torch.equal(made[0].signal, explain(net, image(), best)[0].signal)
        assert made.labels[int(made[0].channel)] == made.top[0][0][0] == LABELS[best]


def test_each_image_has_its_own_best_class() -> None:
    net = network()
    x = torch.cat([image(6, seed=3), torch.zeros(1, 3, 20, 20), torch.ones(1, 3, 20, 20)])
    made = explain(net, x)
    assert made[0].channel.tolist() == net.probabilities(x).argmax(1).tolist()
    assert len(set(made[0].channel.tolist())) > 1
    for i, top in enumerate(made.top):
        probabilities = net.probabilities(x)[i]
        assert [p for _, p in top] == pytest.approx(probabilities.topk(5)[0].tolist())


def test_numbers_in_a_layer_are_channels() -> None:
    net = network()
    assert explain(net, image(), 7, layer="conv2")[0].channel.tolist() == [7]
    assert explain(net, image(), layer="conv2")[0].unit == Unit.strongest()
    assert explain(net, image(), "3", layer="fc")[0].channel.tolist() == [3]
    assert explain(net, image(), layer="fc").labels == LABELS
    assert explain(net, image(), layer="conv2").labels == ()


@pytest.mark.parametrize("unit", ["cat", Unit.of_class(2), Unit.predicted()])
def test_classes_are_in_the_scores_alone(unit: Any) -> None:
    with pytest.raises(UnitError, match="layer 'conv2' does not hold the class scores"):
        explain(network(), image(), unit, layer="conv2")


def test_random_units_are_drawn_again_while_they_say_nothing() -> None:
    """Most channels are dead; the strongest is no choice."""
    module = plain().double()
    with torch.no_grad():
        module.conv2.weight[2:7] = 0  # nothing comes back from these
    net = Network(module, Preprocessing((20, 20)))
    strongest = explain(net, image(3), layer="conv2")[0].channel
    for seed in range(12):
        made = explain(net, image(3), Unit.random(seed), SALIENCY, layer="conv2")[0]
        assert not made.empty.any()
        assert (made.channel != strongest).all()
        assert set(made.channel.tolist()) <= {0, 1, 7}
        for i in range(3):  # whatever images are beside it
            alone = explain(net, image(3)[i], Unit.random(seed), SALIENCY, layer="conv2")[0]
            assert alone.channel.tolist() == [int(made.channel[i])]


def test_random_units_are_drawn_for_each_image() -> None:
    """A channel may say something in one image and nothing in the next."""
    net = network()
    images = image(4, seed=5)
    different = 0
    for seed in range(12):
        made = explain(net, images, Unit.random(seed), SALIENCY, layer="relu2")[0]
        alone = [explain(net, x, Unit.random(seed), SALIENCY, layer="relu2")[0] for x in images]
        assert [int(a.channel) for a in alone] == made.channel.tolist()
        assert not made.empty.any()
        strongest = explain(net, images, layer="relu2", rules=SALIENCY)[0].channel
        different += len(set((made.channel - (made.channel > strongest).int()).tolist())) > 1
    assert different


def test_random_units_of_a_dead_layer_are_given_up() -> None:
    module = plain().double()
    with torch.no_grad():
        module.conv2.weight.zero_()
    net = Network(module, Preprocessing((20, 20)))
    made = explain(net, image(), Unit.random(), SALIENCY, layer="conv2")
    assert made[0].empty.all()
    assert "no pixel changes this unit" in made.warnings[0]


# Where signals stop


@pytest.mark.parametrize("rule", [SALIENCY, DECONVNET, GUIDED], ids=str)
def test_stopping_at_an_inner_layer(rule: Reversal) -> None:
    net = network()
    x = image(2)
    shapes = {layer.name: layer.shape for layer in net.layers()}
    for to in ("conv1", "relu1", "norm1", "pool1", "conv2", "relu2", "pool2", "flat"):
        made = explain(net, x, 4, rule, to=to)
        tape = net.scores.tape(x, to=[to])
        seed = Unit(4).plant(tape.activation)
        assert torch.equal(made[0].signal, backward(tape, seed.p, rule, to=to))
        assert made[0].signal.shape[1:] == shapes[to]
        assert made[0].to == to
        maps = made[0].signal.abs() if to == "flat" else made[0].signal
        expected = (2, 1, *(shapes[to][1:] or (1, 1)))
        assert made[0].map.shape == expected
        assert float(made[0].map.max()) == float(maps.abs().max())
        # A signal inside the network is no picture: heat alone, and no overlay.
        assert [len(tiles) for _, tiles in made.panel().rows] == [2, 2]
        assert f"at {to}" in made.panel().rows[0][1][1].caption
    with pytest.raises(UnknownLayer):
        explain(net, x, 4, rule, layer="conv2", to="fc")


# Sizes


@pytest.mark.parametrize("size", [(41, 30), (30, 47), (24, 24), (100, 60)])
def test_the_whole_photograph(size: tuple[int, int]) -> None:
    net, photo = convolutional(), photograph(*size)
    cropped, whole = explain(net, photo, "dog"), explain(net, photo, "dog", whole=True)
    height, width = whole.frames[0].resized
    assert min(height, width) == 24
    assert whole.frames[0].box == (0, 0, height, width)
    assert whole[0].signal.shape == (1, 3, height, width)
    assert whole[0].sites == ((height - 2) // 2 - 4, (width - 2) // 2 - 4)
    assert cropped[0].signal.shape == (1, 3, 20, 20)
    positive = explain(net, photo, Unit.of_class("dog", at="positive"), whole=True)
    assert positive[0].at.tolist() in ([[-1, -1]], whole[0].at.tolist())
    assert "position" in positive.panel().rows[0][0] or positive[0].at.tolist() != [[-1, -1]]


def test_tensors_of_any_size() -> None:
    net = convolutional()
    made = explain(net, torch.rand(2, 3, 33, 50), "dog")
    assert made[0].signal.shape == (2, 3, 33, 50)
    assert made.frames[0].box == (0, 0, 33, 50)


# Results


def test_addressing_by_rule() -> None:
    made = explain(network(), image(), [1, 2], [SALIENCY, GUIDED.including("relu6")])
    assert made["saliency"] is made[0]
    assert made[SALIENCY] is made[0]
    assert made["guided+relu6"] is made[1]
    assert made[-1] is made.saliencies[3]
    assert list(made) == list(made.saliencies)
    assert made["SaliNet"] is made[0]
    with pytest.raises(UnknownRule, match="made without the rule 'deconvnet'"):
        made["deconvnet"]
    with pytest.raises(UnknownRule, match="no rule 'gided'"):
        made["gided"]
    with pytest.raises(IndexError):
        made[4]


def test_zero_signals_are_said() -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    with torch.no_grad():
        module[0].weight.fill_(0.1)
        module[0].bias.fill_(0.1)
        module[2].weight[0].fill_(-0.1)  # what it sends down is negative, and rectified away
        module[2].weight[1].fill_(0.1)
    net = Network(module, Preprocessing((20, 20)), ("no", "yes"))
    made = explain(net, image(2), [0, 1])
    assert [s.empty.tolist() for s in made] == [
        [False] * 2, [True] * 2, [True] * 2, [False] * 2, [False] * 2, [False] * 2,
    ]  # fmt: skip
    assert len(made.warnings) == 4
    for warning in made.warnings:
        assert "zero everywhere" in warning
        assert "no (class 0)" in warning
        assert "start from an earlier layer" in warning
    assert made.panel().warnings == made.warnings
    captions = [tile.caption for _, tiles in made.panel().rows for tile in tiles]
    assert sum("zero everywhere" in caption for caption in captions) == 4
    # Drawn as gray, not as noise.
    assert made[1].shown().unique().tolist() == [0.5]


@pytest.mark.parametrize(
    ("units", "rules", "batch"),
    [([1], 3, 1), ([1, 2], 3, 2), ([1, 1], 1, 1), ([1, 1, 1], 2, 3), (["cat", None], 16, 1)],
)
def test_a_panel_has_a_row_for_each_image_and_unit(
    units: list[Any], rules: int, batch: int
) -> None:
    made = explain(network(), image(batch), units, list(LATTICE[:rules]))
    rows = made.panel().rows
    assert len(rows) == len(units) * batch
    # The photograph, a signal for each rule, the map over the photograph.
    assert [len(tiles) for _, tiles in rows] == [rules + 2] * len(rows)
    for _, tiles in rows:
        assert [tile.caption for tile in tiles[1:-1]] == [r.name for r in LATTICE[:rules]]
        assert all(tile.image.size == (20, 20) and tile.image.mode == "RGB" for tile in tiles)


def test_given_units_are_told_apart() -> None:
    seeds = [torch.eye(6)[i : i + 1] for i in range(3)]
    made = explain(network(), image(), [Unit.given(p) for p in seeds], layer="fc")
    assert len(made.panel().rows) == 3
    for i in range(3):
        assert torch.equal(made[3 * i].signal, explain(network(), image(), i)[0].signal)


def test_headings_and_facts() -> None:
    net = network()
    made = explain(net, photograph(), ["cat", Unit(1, at="centre")], GUIDED)
    panel = made.panel()
    assert panel.title.startswith("eye")
    assert "cat" in panel.rows[0][0]
    assert made.names == ("image",)
    facts = panel.facts
    assert facts["network"] == "eye"
    assert facts["preprocessing"] == str(net.preprocessing)
    assert facts["rules"] == "guided"
    assert facts["census"] == "relu 2, pool 2, lrn 1"
    assert any(value.endswith("; unit 1 at centre") for value in facts.values())
    assert facts["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert explain(net, image(2)).names == ("image 0", "image 1")


def test_displays_have_the_shape_of_pictures() -> None:
    made = explain(network(), image(2), rules=[SALIENCY])
    for shown in (made[0].shown(), made[0].overlay(made.image)):
        assert shown.shape == (2, 3, 20, 20)
        assert shown.min() >= 0
        assert shown.max() <= 1


def test_saliencies_are_values() -> None:
    made = explain(network(), image())
    with pytest.raises(AttributeError):
        made[0].signal = image()  # type: ignore[misc]
    assert isinstance(made, Explanation)
    assert isinstance(made[0], Saliency)


# Many photographs


@pytest.mark.parametrize("batch", [1, 2, 3, 8])
def test_many_are_singles(batch: int, tmp_path: Path) -> None:
    net = network()
    photographs: list[Any] = [photograph(40, 30, i) for i in range(4)]
    photographs[1].save(tmp_path / "one.png")
    photographs[1] = tmp_path / "one.png"
    photographs.append(image()[0])
    units = [None, 2, Unit.random(3), Unit.noise(1), Unit.mixture(2)]
    many = list(explain_many(net, iter(photographs), units, batch=batch))
    assert len(many) == 5
    assert [m.names for m in many][:2] == [("image 0",), ("one.png",)]
    for photo, got in zip(photographs, many, strict=True):
        wanted = explain(net, photo, units)
        assert got.frames == wanted.frames
        assert torch.equal(got.image, wanted.image)
        assert [n for n, _ in got.top[0]] == [n for n, _ in wanted.top[0]]
        for one, other in zip(got, wanted, strict=True):
            torch.testing.assert_close(one.signal, other.signal, rtol=1e-9, atol=1e-12)
            torch.testing.assert_close(one.map, other.map, rtol=1e-9, atol=1e-12)
            torch.testing.assert_close(one.score, other.score)
            assert torch.equal(one.channel, other.channel)
            assert torch.equal(one.at, other.at)
            assert one.sites == other.sites
        assert len(got.panel().rows) == len(wanted.panel().rows)


def test_many_of_different_sizes() -> None:
    net = convolutional()
    sizes = [(40, 30), (40, 30), (30, 40), (30, 30), (40, 30)]
    photographs = [photograph(*size, seed=i) for i, size in enumerate(sizes)]
    many = list(explain_many(net, photographs, "bee", whole=True, batch=3))
    for photo, got in zip(photographs, many, strict=True):
        wanted = explain(net, photo, "bee", whole=True)
        torch.testing.assert_close(got[0].signal, wanted[0].signal)


def test_layers_that_name_no_classes() -> None:
    many = list(explain_many(network(), [*image(3)], layer="conv2", batch=2))
    assert [m.top for m in many] == [(), (), ()]
    assert [len(m.panel().rows) for m in many] == [1, 1, 1]


def test_photographs_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    photographs: list[Any] = [
        photograph(), tmp_path / "broken.png", tmp_path / "missing.jpg", image()[0],
        torch.rand(7, 20, 20),
    ]  # fmt: skip
    seen: list[tuple[Any, ImageError]] = []
    many = list(explain_many(network(), photographs, on_error=lambda *e: seen.append(e)))
    assert [m.names[0] for m in many] == ["image 0", "image 3"]
    assert [photo for photo, _ in seen[:2]] == photographs[1:3]
    assert len(seen) == 3
    with pytest.raises(ImageError, match=r"broken\.png"):
        list(explain_many(network(), photographs))


def test_photographs_are_taken_one_at_a_time() -> None:
    taken: list[int] = []

    def feed() -> Any:
        for i in range(100):
            taken.append(i)
            yield image()[0]

    stream = explain_many(network(), feed(), batch=4)
    next(stream)
    assert len(taken) == 4
    next(stream)
    assert len(taken) == 4


def test_lists_of_photographs() -> None:
    net = network()
    photographs = [photograph(40, 30), photograph(31, 52)]
    made = explain(net, photographs, "cat")
    assert made.image.shape == (2, 3, 20, 20)
    assert made.frames[0].photograph == (30, 40)
    assert made.frames[1].photograph == (52, 31)
    with pytest.raises(ImageError, match="different sizes do not fit one batch"):
        explain(net, photographs, "cat", whole=True)
    with pytest.raises(ImageError, match="list is empty"):
        explain(net, [])
    with pytest.raises(ImageError):
        explain(net, torch.zeros(0, 3, 20, 20))


# What cannot be


@pytest.mark.parametrize(
    ("question", "error"),
    [
        ({"unit": 6}, UnknownClass), ({"unit": "zebra"}, UnknownClass), ({"unit": 2.5}, UnitError),
        ({"unit": 8, "layer": "conv2"}, UnitError), ({"unit": -1, "layer": "conv2"}, UnitError),
        ({"layer": "conv3"}, UnknownLayer), ({"to": "conv3"}, UnknownLayer),
        ({"rules": "gided"}, UnknownRule), ({"rules": ["saliency", "x/y"]}, UnknownRule),
        ({"unit": Unit(0, at=(7, 7)), "layer": "conv2"}, UnitError),
        ({"unit": [0, object()]}, UnitError),
        ({"unit": Unit.given(torch.ones(1, 7))}, UnitError),
    ],
)  # fmt: skip
def test_bad_questions(question: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        explain(network(), image(), **question)


def test_units_below_every_relu() -> None:
    with pytest.raises(NothingToReverse, match=r"relu 0, pool 0, lrn 0.*'saliency'"):
        explain(network(), image(), 0, "guided", layer="conv1")
    assert explain(network(), image(), 0, layer="conv1")[0].rule == SALIENCY
