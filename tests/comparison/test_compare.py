"""Comparisons of networks whose units are known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from phosphene.comparison.compare import compare
from phosphene.comparison.comparison import Comparison
from phosphene.comparison.concept_means import Nearest
from phosphene.comparison.entry import Label
from phosphene.comparison.levels import read_levels
from phosphene.comparison.networks import compared
from phosphene.comparison.opinions import opinions
from phosphene.comparison.plan import Plan
from phosphene.comparison.recipes import recipes_of
from phosphene.core.network import Network
from phosphene.errors import SettingError, UnitError
from phosphene.survey.dissection.concepts import Vocabulary
from phosphene.survey.dissection.scenes import scene_concepts
from phosphene.zoo.demo import demo_scenes
from tests.comparison.planted import colored, striped


def compared_nets(*given: Network, folder: Path | None = None, **more: object) -> Comparison:
    nets = compared(given)
    options = {"units": 4, "recipes": recipes_of("quick", 8), "folder": folder, **more}
    levels = read_levels(["act"], nets)
    return compare(Plan(nets, levels, scene_concepts(12, size=(32, 32)), **options))  # type: ignore[arg-type]


def test_horizontal_units_are_found_horizontal() -> None:
    found = compared_nets(striped("vertical"), striped("horizontal"))
    ((upright, lying),) = found.entries
    assert upright is not None
    assert lying is not None
    for kind in ("maximised", "patches"):
        assert lying.horizontal[kind]["mean"] > upright.horizontal[kind]["mean"] + 0.1
    assert lying.horizontal["maximised"]["mean"] > 0.55
    assert upright.horizontal["maximised"]["mean"] < 0.45
    (verdict,) = found.verdicts
    assert verdict.startswith("act: horizontal is the most horizontal (")
    swapped = compared_nets(striped("horizontal", "planted:a"), striped("vertical", "planted:b"))
    assert swapped.verdicts[0].startswith("act: a is the most horizontal (")


def test_equal_networks_are_not_told_apart() -> None:
    found = compared_nets(striped("vertical"), striped("vertical"))
    assert "but not for sure" in found.verdicts[0]
    one, two = found.entries[0]
    assert one is not None
    assert two is not None
    assert one.units == two.units
    assert one.reached == pytest.approx(two.reached)


def test_everything_is_written_and_taken_up(tmp_path: Path) -> None:
    photo = demo_scenes()[0].image
    nets = colored(), striped("horizontal")
    first = compared_nets(*nets, folder=tmp_path, photos=(photo,))
    assert first.plan.ledger.made > 0
    page = first.save(tmp_path)
    text = page.read_text()
    for heading in ("What units want most: act", "Strongest patches: act", "Inversions of"):
        assert heading in text
    numbers = json.loads((tmp_path / "comparison.json").read_text())
    assert numbers["networks"] == ["planted:colors", "planted:horizontal"]
    assert numbers["entries"][0][0]["dead"] == 1
    assert 0 < numbers["image_set"]["horizontal"] < 1
    assert "Layers and networks" in (tmp_path / "comparison.md").read_text()
    figures = {file.name for file in (tmp_path / "figures").iterdir()}
    assert len(figures) >= 5
    assert numbers["figures"] == sorted(figures)
    (tmp_path / "figures" / "mine.png").write_text("")
    compared_nets(*nets, folder=tmp_path).save(tmp_path)  # without photographs, fewer chapters
    left = {file.name for file in (tmp_path / "figures").iterdir()}
    assert len(left) < len(figures)
    assert "mine.png" in left
    again = compared_nets(*nets, folder=tmp_path, photos=(photo,))
    assert again.plan.ledger.made == 0
    assert again.as_json() == first.as_json()
    more = compared_nets(*nets, striped("vertical"), folder=tmp_path, photos=(photo,))
    assert more.plan.ledger.kept >= first.plan.ledger.made - 2  # units may be chosen anew


def test_units_that_were_named() -> None:
    found = compared_nets(colored(), striped("horizontal"), chosen=(1, 3))
    assert [e.units for e in found.entries[0] if e] == [(1,), (1, 3)]
    assert any("never active on the set: unit 3" in text for text in found.warnings)
    assert any("units of a layer are few" in text for text in found.warnings)
    with pytest.raises(UnitError, match="has units 0 to 3, and so no unit 7"):
        compared_nets(colored(), striped("horizontal"), chosen=(7,))


def test_blank_levels_and_unlike_inputs_are_said() -> None:
    nets = compared([colored(), striped("horizontal")])
    small = Network(nets[1].net.module, colored().preprocessing, ("x",), "planted:other")
    small.preprocessing = type(small.preprocessing)((16, 16))
    nets = compared([colored(), small])
    concepts = scene_concepts(6, size=(32, 32))
    levels, recipes = read_levels(["act", "A=conv"], nets), recipes_of("quick", 2)
    found = compare(Plan(nets, levels, concepts, units=2, recipes=recipes))
    assert found.entries[1][1] is None
    assert "no such layer" in {t.caption for p in found.panels() for _, r in p.rows for t in r}
    with pytest.raises(SettingError, match="planted:other has a layer at no level"):
        Plan(nets, levels[1:], concepts)
    assert any("blank for other" in text for text in found.warnings)
    assert any("inputs differ in size (colors 32x32, other 16x16)" in w for w in found.warnings)


def test_color_units_are_labelled_and_agree() -> None:
    found = compared_nets(colored(), colored("planted:same"))
    entry = found.entries[0][0]
    assert entry is not None
    assert {entry.labels[u].name for u in (0, 1, 2) if entry.labels[u].category == "color"}
    assert entry.detectors


def test_a_disagreement_is_what_it_is_said_to_be() -> None:
    words = Vocabulary.of({"color": ["red", "blue"], "object": ["disc"]})
    directions = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]).double()
    known = torch.tensor([False, True, True, True])
    zero, one = torch.zeros(3).double(), torch.ones(3).double()
    nearest = Nearest(directions, known, zero, one, words)
    labels = {2: Label("color", "red", 0.2), 0: Label("object", "disc", 0.1)}
    codes = {2: [0.1, 0.9, 5.0], 0: [9.0, 0.0, 0.3], 1: [0.0, 0.0, 0.0]}
    strongest = {2: [[0.9, 0.1, 0.0], [0.8, 0.0, 0.0], [0.0, 1.0, 0.0]]}
    by_unit = {o.unit: o for o in opinions(nearest, labels, codes, strongest)}
    # Unit 1 has no label, and of unit 0's category there is one concept alone.
    assert set(by_unit) == {2}
    red = by_unit[2]
    assert (red.imagined, red.seen, red.votes, red.images) == ("blue", "red", 2, 3)
    assert red.disagrees
    rare = Nearest(directions, torch.tensor([False, False, True, True]), zero, one, words)
    assert not opinions(rare, labels, codes, strongest)  # red has no mean code
