"""Searches in networks whose units are known."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from phosphene.comparison.concept_search import concept_number, find_by_concept
from phosphene.comparison.networks import compared
from phosphene.comparison.region import Region
from phosphene.comparison.search import Search, find_by_picture
from phosphene.errors import ImageError, SettingError, UnknownLayer
from phosphene.survey.dissection.concepts import Vocabulary
from phosphene.survey.dissection.scenes import scene_concepts
from tests.comparison.planted import colored, striped


def searched(**more: object) -> Search:
    nets = compared([colored(), striped("horizontal")])
    options = {"layers": ("act",), "level": 0.9, **more}
    return Search(nets, scene_concepts(40, size=(32, 32)), **options)  # type: ignore[arg-type]


def picture() -> Image.Image:
    """Red on the left, blue on the right, with nothing between."""
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:, :8, 0] = pixels[:, 24:, 2] = 255
    return Image.fromarray(pixels)


def test_a_picture_finds_the_units_of_its_colors() -> None:
    found = find_by_picture(searched(), picture())
    best = {(hit.network, hit.unit) for hit in found.hits if hit.answers}
    assert {("planted:colors", 0), ("planted:colors", 2)} <= best
    assert ("planted:colors", 1) not in best  # there is no green in it
    assert all(hit.unit != 3 or hit.network != "planted:colors" for hit in found.hits)
    counts = {(s.network, s.layer): s for s in found.searched}
    assert counts["planted:colors", "act"].units == 3
    assert counts["planted:colors", "act"].expected == pytest.approx(0.37)
    assert found.hits[0].heat is not None


def test_a_region_finds_what_is_in_it() -> None:
    left = find_by_picture(searched(), picture(), Region(0, 0, 8, 32))
    colors = {h.unit: h for h in left.hits if h.network == "planted:colors"}
    assert colors[0].answers
    assert not colors[2].answers
    right = find_by_picture(searched(), picture(), Region(24, 0, 32, 32))
    colors = {h.unit: h for h in right.hits if h.network == "planted:colors"}
    assert colors[2].answers
    assert not colors[0].answers


@pytest.mark.parametrize("by", ["iou", "auc", "ap"])
def test_a_concept_finds_its_unit(by: str) -> None:
    found = find_by_concept(searched(), "color:red", by)  # type: ignore[arg-type]
    first = found.hits[0]
    assert (first.network, first.unit) == ("planted:colors", 0)
    assert next(iter(first.numbers)) == by
    assert first.answers or by == "iou"  # red covers much more than half a percent of all pixels
    blue = find_by_concept(searched(), "color:blue", by)  # type: ignore[arg-type]
    assert (blue.hits[0].network, blue.hits[0].unit) == ("planted:colors", 2)


def test_what_cannot_be_found_is_said() -> None:
    with pytest.raises(UnknownLayer, match="no network has a layer 'atc'; did you mean 'act'"):
        searched(layers=("atc",))
    with pytest.raises(SettingError, match="give a share such as"):
        searched(level=1.0)
    few = find_by_picture(searched(level=0.99), picture())
    assert any("40 images are too few" in w and "give 100 or more" in w for w in few.warnings)
    nets = compared([colored()], least=1)
    tiny = Search(nets, scene_concepts(5, size=(32, 32)), ("act",))
    with pytest.raises(ImageError, match="5 with it and 5 without are needed"):
        find_by_concept(tiny, "color:red")
    half = find_by_picture(searched(layers=("conv", "act")), picture())
    assert not half.warnings or "left out" not in half.warnings[0]


def test_concepts_by_name() -> None:
    words = Vocabulary.of({"color": ["red", "blue"], "object": ["red", "disc"]})
    assert concept_number(words, "disc") == (4, "object disc")
    assert concept_number(words, "object:red") == (3, "object red")
    with pytest.raises(SettingError, match="'red' is several concepts: color:red, object:red"):
        concept_number(words, "red")
    with pytest.raises(SettingError, match="no concept 'dsc'; did you mean 'disc'"):
        concept_number(words, "dsc")
