"""Attention in `explain`: where it is read, how it comes to the image, and what is refused."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import Tensor, nn

from phosphene.core.attention import CONTRASTIVE, EXCITATION, GRAD_CAM, Excitation, GradCam
from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.receptive_field import ReceptiveField
from phosphene.core.reversal import backward
from phosphene.core.rules import DECONVNET, GUIDED, SALIENCY
from phosphene.core.unit import Unit
from phosphene.errors import ReversalError, SettingError, UnknownLayer, UnknownRule
from phosphene.saliency.attention import layer_of, on_image
from phosphene.saliency.explain import explain, explain_many
from tests.contract_networks import LABELS, seeded
from tests.saliency.test_explain import image, network, photograph


class Branching(nn.Module):
    """A stem, two branches that are joined, a pool, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.relu = nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU()
        self.left, self.right = nn.Conv2d(6, 4, 1), nn.Conv2d(6, 4, 3, padding=1)
        self.joined, self.pool = nn.Identity(), nn.MaxPool2d(2)
        self.fc = nn.Linear(8 * 5 * 5, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.stem(x))
        x = self.joined(torch.cat([self.left(x).relu(), self.right(x).relu()], 1))
        scores: Tensor = self.fc(self.pool(x).flatten(1))
        return scores


def branching() -> Network:
    return Network(seeded(Branching()).double(), Preprocessing((20, 20), order="BGR"), LABELS)


def test_a_layer_is_chosen_that_everything_passes() -> None:
    net = branching()
    for rule in (EXCITATION, CONTRASTIVE, GRAD_CAM):
        assert layer_of(net, rule, net.scores, (20, 20)) == "joined"  # and no pool
        assert layer_of(net, rule, net["left"], (20, 20)) == "relu"
    # Wide enough to read excitation at comes first; the last for Grad-CAM.
    wide = nn.Sequential(
        OrderedDict(conv1=nn.Conv2d(3, 4, 3), relu1=nn.ReLU(), conv2=nn.Conv2d(4, 4, 3, 2),
                    relu2=nn.ReLU(), mean=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(),
                    fc=nn.Linear(4, 6))
    )  # fmt: skip
    net = Network(seeded(wide), Preprocessing((26, 26)), LABELS)
    assert layer_of(net, EXCITATION, net.scores, (26, 26)) == "relu1"
    assert layer_of(net, EXCITATION, net.scores, (21, 21)) == "relu1"
    assert layer_of(net, GRAD_CAM, net.scores, (26, 26)) == "relu2"
    with pytest.raises(UnknownLayer, match="'grad-cam@LAYER'"):
        layer_of(net, GRAD_CAM, net["conv1"], (26, 26))


def test_maps_come_to_the_centres_of_the_fields() -> None:
    maps = torch.rand(2, 1, 4, 3, dtype=torch.float64)
    field = ReceptiveField((5.0, 5.0), (3.0, 4.0), (2.0, 1.5))
    found = on_image(maps, field, (14, 12))
    assert found.shape == (2, 1, 14, 12)
    for y in range(14):
        for x in range(12):
            i, j = min(max((y - 2) / 3, 0), 3), min(max((x - 1.5) / 4, 0), 2)
            top, left = min(int(i), 2), min(int(j), 1)
            a, b = i - top, j - left
            corner = maps[:, 0, top : top + 2, left : left + 2]
            want = (1 - a) * ((1 - b) * corner[:, 0, 0] + b * corner[:, 0, 1]) + a * (
                (1 - b) * corner[:, 1, 0] + b * corner[:, 1, 1]
            )
            torch.testing.assert_close(found[:, 0, y, x], want)


def test_beside_the_reversed_networks() -> None:
    net, x = branching(), image(2)
    rules = [SALIENCY, "excitation", GUIDED, "contrastive@stem", "grad-cam", "excitation@image"]
    made = explain(net, x, [Unit(2), Unit(4)], rules)
    assert [str(s.rule) for s in made] == 2 * [str(rule) for rule in rules]
    assert [s.to for s in made][:6] == ["", "joined", "", "stem", "joined", ""]
    assert made["grad-cam"] is made[4]
    assert made[Excitation(True, "stem")] is made[3]
    tape = net.scores.tape(x, to=["joined", "stem"])
    for i, unit in enumerate((2, 4)):
        p = Unit(unit).plant(tape.activation).p
        for j, (rule, to) in {
            1: (EXCITATION, "joined"), 3: (CONTRASTIVE, "stem"), 4: (GRAD_CAM, "joined")
        }.items():  # fmt: skip
            torch.testing.assert_close(made[6 * i + j].signal, backward(tape, p, rule, to))
            assert made[6 * i + j].map.shape == (2, 1, 20, 20)
        # In RGB order, and no derivative: nothing is scaled.
        torch.testing.assert_close(made[6 * i + 5].signal, backward(tape, p, EXCITATION).flip(1))
    torch.testing.assert_close(made["excitation"].signal.sum((1, 2, 3)), torch.ones(2).double())


def test_pictures_say_where_they_were_read() -> None:
    made = explain(branching(), image(), 2, ["excitation", "contrastive@stem", "saliency"])
    ((_, tiles),) = made.panel().rows
    assert [tile.caption for tile in tiles[1:]] == [
        "excitation at joined", "contrastive at stem", "saliency"
    ]  # fmt: skip
    made = explain(branching(), image(), 2, ["saliency", "contrastive"])
    ((_, tiles),) = made.panel().rows
    assert [t.caption for t in tiles[1:]] == [
        "saliency",
        "contrastive at joined",
        "map of saliency",
    ]
    assert all(tile.image.size == (20, 20) and tile.image.mode == "RGB" for tile in tiles)


def test_the_default_rules_stay() -> None:
    assert [s.rule for s in explain(network(), image())] == [SALIENCY, DECONVNET, GUIDED]


def test_stopped_at_a_layer_a_map_stays_there() -> None:
    made = explain(network(), image(2), 3, ["guided", "excitation", "grad-cam"], to="conv2")
    for saliency in made:
        assert saliency.to == "conv2"
        assert saliency.map.shape[-2:] == saliency.signal.shape[-2:]
    with pytest.raises(SettingError, match="says elsewhere"):
        explain(network(), image(), 3, "grad-cam@conv1", to="conv2")


def test_many_photographs_one_after_another() -> None:
    photographs = [photograph(40, 30, i) for i in range(3)]
    many = list(explain_many(network(), photographs, "cat", ["contrastive"], batch=2))
    for photo, got in zip(photographs, many, strict=True):
        wanted = explain(network(), photo, "cat", "contrastive")
        torch.testing.assert_close(got[0].map, wanted[0].map, rtol=1e-9, atol=1e-12)


def test_what_finds_nothing_says_why() -> None:
    module = nn.Sequential(
        OrderedDict(conv=nn.Conv2d(3, 4, 3), relu=nn.ReLU(), fc=nn.Conv2d(4, 2, 18))
    )
    with torch.no_grad():
        module.conv.weight.fill_(0.1)
        module.fc.weight.fill_(-0.1)
    net = Network(module, Preprocessing((20, 20)), ("no", "never"))
    made = explain(net, image().float(), 0, ["excitation", "contrastive", "grad-cam"])
    reasons = ("excites it", "more than its dual", "raises the unit")
    for warning, reason in zip(made.warnings, reasons, strict=True):
        assert reason in warning


@pytest.mark.parametrize(
    ("rules", "more", "error"),
    [
        ("grad-cam@fc", {"layer": "conv2"}, UnknownLayer),  # behind the unit
        ("excitation@pool2", {"layer": "conv2"}, UnknownLayer),
        ("grad-cam@conv2", {"layer": "conv2"}, UnknownLayer),  # its own
        ("contrastive@conv2", {"layer": "relu2"}, ReversalError),
        ("excitation@flat", {}, UnknownLayer),  # no map
        (GradCam("nowhere"), {}, UnknownLayer),
        ("grad-cam@image", {}, UnknownRule),
        ("grad-cam", {"layer": "conv1"}, UnknownLayer),
        ("excitaton", {}, UnknownRule),
    ],
)
def test_bad_questions(rules: str, more: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        explain(network(), image(), 1, rules, **more)
