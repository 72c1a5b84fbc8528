"""Networks, images and folders that are not as one expects them."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from phosphene.comparison.compare import compare
from phosphene.comparison.comparison import Comparison
from phosphene.comparison.concept_search import find_by_concept
from phosphene.comparison.entry import Entry
from phosphene.comparison.levels import Level, read_levels, shared_levels
from phosphene.comparison.networks import compared
from phosphene.comparison.orientation import Orientation
from phosphene.comparison.plan import Plan
from phosphene.comparison.recipes import recipes_of
from phosphene.comparison.region import Region
from phosphene.comparison.search import Search, find_by_picture
from phosphene.comparison.seen import seen
from phosphene.comparison.tables import verdicts
from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import SettingError
from phosphene.survey.dissection.photographs import photo_concepts
from phosphene.survey.dissection.scenes import scene_concepts
from phosphene.zoo.catalogue import open_network
from phosphene.zoo.demo import demo_scenes
from tests.comparison.planted import colored
from tests.contract_networks import seeded


class Tokens(nn.Module):
    """A convolution, tokens, and a code."""

    def __init__(self, more: float = 0.0) -> None:
        super().__init__()
        self.conv, self.act, self.more = nn.Conv2d(3, 4, 8, 8), nn.ReLU(), more
        self.mix, self.fc = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.conv(x)) + self.more
        scores: Tensor = self.fc(self.mix(x.flatten(2).mT).mean(1))
        return scores


def tokens(name: str, more: float = 0.0) -> Network:
    return Network(seeded(Tokens(more)), Preprocessing((32, 32)), name=name)


def test_layers_of_codes_and_of_tokens() -> None:
    nets = compared([tokens("a"), tokens("b")])

    def made(*layers: str) -> Comparison:
        levels = tuple(Level(layer, (layer, layer)) for layer in layers)
        concepts = scene_concepts(4, size=(32, 32))
        return compare(Plan(nets, levels, concepts, units=2, recipes=recipes_of("quick", 2)))

    found = made("act", "fc")
    assert [entry.layer for entry in found.entries[1] if entry] == ["fc", "fc"]
    with pytest.raises(SettingError, match="layer 'mix' of a puts out 16 tokens"):
        made("mix")
    assert "mix" not in {level.title for level in shared_levels(nets, 9)}
    with pytest.raises(SettingError, match="two layers at one level, act and fc"):
        read_levels(["A=act,A=fc"], nets)


def test_what_a_network_computes_is_part_of_what_is_kept(tmp_path: Path) -> None:
    """Weights and names are the same; what is done with them is not."""
    for count, more in enumerate((0.0, 0.5)):
        (tmp_path / f"{count}.py").write_text(
            "from torch import nn\n"
            "class Net(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.conv, self.act = nn.Conv2d(3, 4, 3), nn.ReLU()\n"
            "        nn.init.constant_(self.conv.weight, 0.1)\n"
            "        nn.init.constant_(self.conv.bias, 0)\n"
            "    def forward(self, x):\n"
            f"        return self.act(self.conv(x) - {more})\n"
        )
    concepts, folder = scene_concepts(4, size=(32, 32)), tmp_path / "kept"
    largest = []
    for count in range(2):
        net = open_network(f"{tmp_path / str(count)}.py:Net")
        net.preprocessing, net.name = Preprocessing((32, 32)), "net"
        one = seen(net, concepts, ["act"], folder=folder)
        largest.append(float(one.statistics.maxima("act", "net", "x").of(0)))
    assert largest[0] == pytest.approx(largest[1] + 0.5, rel=1e-3)
    assert len(list(folder.iterdir())) == 2


def test_an_image_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    for number in range(4):
        Image.fromarray(demo_scenes()[number].image).save(tmp_path / f"{number}.jpg")
    (tmp_path / "zz.jpg").write_bytes((tmp_path / "0.jpg").read_bytes()[:900])
    concepts = photo_concepts(tmp_path, size=(32, 32))
    plan = Plan(
        compared([colored("a"), colored("b")]), (Level("act", ("act", "act")),), concepts,
        units=1, recipes=recipes_of("quick", 2),
    )  # fmt: skip
    found = compare(plan)
    assert [name for name in found.failed if "zz" in name]
    assert found.ground.horizontal is not None
    search = Search(plan.networks, concepts, layers=("act",), level=0.5)
    hits = find_by_picture(search, demo_scenes()[0].image)
    assert any("left out of the set" in w and "zz.jpg" in w for w in hits.warnings)


def test_normalization_is_absorbed_where_that_changes_nothing() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=False)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.norm(self.conv(x).relu())
            return out

    def normalized(module: nn.Module) -> Network:
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                assert part.running_mean is not None
                part.running_mean.fill_(0.3)
        return Network(seeded(module), Preprocessing((16, 16)), name="net")

    chain = normalized(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=False)))
    (one,) = compared([chain], least=1)
    assert one.absorbed
    for module in (Own(), nn.Sequential(OrderedDict(x=Own()))):
        net = normalized(module)
        (one,) = compared([net], least=1)
        assert not one.absorbed
        assert "was not absorbed" in one.note
        assert one.net is net


def test_units_without_places_answer_to_no_region() -> None:
    networks = compared([tokens("a"), colored("b")])
    search = Search(networks, scene_concepts(40, size=(32, 32)), layers=("act", "mix"), level=0.5)
    whole = find_by_picture(search, demo_scenes()[0].image)
    assert all((hit.heat is None) == (hit.layer == "mix") for hit in whole.hits)
    with pytest.raises(SettingError, match="units of layer 'mix' of a have no places"):
        find_by_picture(search, demo_scenes()[0].image, Region(0, 0, 40, 40))
    found = find_by_concept(search, "color:red")
    columns = found.tables()[0].columns
    assert {"auc", "ap", "iou"} <= set(columns)
    assert all(len(row) == len(columns) for row in found.tables()[0].rows)
    codes = Search(networks[:1], search.concepts, layers=("mix",))
    with pytest.raises(SettingError, match="ranked by IoU where they have maps"):
        find_by_concept(codes, "color:red", "iou")


def test_layers_in_which_nothing_is_active_are_named() -> None:
    dead = colored("dead")
    with torch.no_grad():
        dead.module.get_parameter("conv.bias").fill_(-100)
    levels = (Level("act", ("act", "act")),)
    concepts = scene_concepts(4, size=(32, 32))
    nets = compared([dead, colored("alive")])
    found = compare(Plan(nets, levels, concepts, units=2, recipes=recipes_of("quick", 2)))
    assert any("no unit of act of dead is active on the image set" in w for w in found.warnings)


def test_one_network_alone_is_not_the_most_of_anything() -> None:
    row = (None, *compared_row("a", 6))
    assert verdicts(["x"], ["b", "a"], [row]) == ("x: only a is there to be compared",)
    row = (*compared_row("a", 6), *compared_row("b", 5, 0.3), *compared_row("c", 2, 0.9))
    (said,) = verdicts(["x"], ["a", "b", "c"], [row])
    assert "of c too few units" in said


def compared_row(name: str, units: int, share: float = 0.5) -> tuple[Any]:
    runs = {n: Orientation(share + n / 1000, (0.0,) * 12) for n in range(units)}
    pictures: dict[Any, Any] = {}
    return (
        Entry(
            name, "x", 8, 0, tuple(runs), pictures, pictures, pictures, (), (), runs, pictures,
            {}, None, {}, (),
        ),
    )  # fmt: skip
